//! The worker that writes exports and takes files away when their time is over. Once a second it finds the districts with something to do, and
//! takes one export of each in turn: a large one delays neither another district nor another export for long.

use std::time::Duration;

use drumtower_runtime::{
    Call, Clock, Db, Fault, Kind as Refused,
    log::{NewEvent, to_person},
    seal::{Sealer, Sealers},
};
use jiff::SignedDuration;
use serde_json::json;

use super::{
    rules::{ATTEMPTS, Export, KEPT, MOST_BYTES, MOST_ROWS, State},
    store::{self, Piece},
    table::{self, Source},
};
use crate::{
    attachment::blob::{Blobs, Of},
    ticket::{
        cards::Cards,
        query::{self, Filter},
    },
};

/// How long whoever writes an export has it for themselves.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How soon an export that went no further is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Rows of a piece.
const ROWS: i64 = 500;
/// Pieces written of one export before it is the next one's turn.
const TURN: usize = 8;

/// Writes exports.
#[derive(Debug, Clone)]
pub struct Exporter {
    pub db: Db,
    pub clock: Clock,
    pub sealers: Sealers,
    pub blobs: Blobs,
    pub cards: Cards,
}

/// Runs until the process ends. Two processes at once do no harm: a row is one's for as long as its lease.
pub async fn watch(exporter: Exporter) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if let Err(error) = exporter.round().await {
            tracing::warn!(?error, "the worker for exports found no database");
        }
    }
}

impl Exporter {
    /// A call on our own account, as long as the lease.
    fn call(&self, tenant: i32) -> Call {
        Call::of_service("ticketing", tenant, self.clock.now(), Duration::from_secs(LEASE.as_secs().unsigned_abs()))
    }

    async fn round(&self) -> Result<(), Fault> {
        let due = "select tenant_id, count(*) from export where due_at <= $1 group by tenant_id order by tenant_id";
        for (tenant, _) in self.db.sweep(due, self.clock.now()).await? {
            if let Err(error) = self.turn(tenant).await {
                tracing::warn!(tenant, ?error, "the worker for exports comes back to this district");
            }
        }
        Ok(())
    }

    /// One export of one district.
    async fn turn(&self, tenant: i32) -> Result<(), Fault> {
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let until = tx.now() + LEASE;
        let claimed = store::claim(&mut tx, until).await?;
        tx.done().await?;
        let Some(export) = claimed else { return Ok(()) };
        let id = export.id;
        let done = match export.state {
            _ if export.runs() && export.attempts > ATTEMPTS => self.end(tenant, &export, State::Failed, "BROKEN").await,
            _ if export.runs() => self.write(tenant, export).await,
            State::Ready => self.end(tenant, &export, State::Expired, "").await,
            _ => self.clear(tenant, &export).await,
        };
        if let Err(error) = done {
            tracing::warn!(%id, ?error, "the worker comes back to this export");
            let mut tx = self.db.write(&self.call(tenant)).await?;
            let at = tx.now() + AGAIN;
            store::again(&mut tx, id, at, !passes(&error)).await?;
            tx.done().await?;
        }
        Ok(())
    }

    /// Writes some pieces.
    async fn write(&self, tenant: i32, mut export: Export) -> Result<(), Fault> {
        let sealer = self.sealers.of(&self.db, &self.call(tenant)).await?;
        // Read again as it was accepted.
        let filter = Filter::read(&export.filter)?;
        if export.state == State::Queued && !self.begin(tenant, &export, &filter).await? {
            return Ok(());
        }
        for _ in 0..TURN {
            let Some(next) = self.piece(tenant, &sealer, &filter, export).await? else { return Ok(()) };
            export = next;
        }
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let now = tx.now();
        store::again(&mut tx, export.id, now, false).await?;
        tx.done().await
    }

    /// Counts what there is; whether it goes on.
    async fn begin(&self, tenant: i32, export: &Export, filter: &Filter) -> Result<bool, Fault> {
        let total = store::count(&mut self.db.read(&self.call(tenant)).await?, filter, &export.reach()).await?;
        if total > MOST_ROWS {
            self.end(tenant, export, State::Failed, "TOO_MANY_ROWS").await?;
            return Ok(false);
        }
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let begun = store::begin(&mut tx, export.id, i32::try_from(total).unwrap_or(i32::MAX)).await?;
        tx.done().await?;
        Ok(begun)
    }

    /// Writes the next piece: the object first, then the row that says that it counts. What is left to write; none when it is over, or another
    /// went on with it.
    async fn piece(&self, tenant: i32, sealer: &Sealer, filter: &Filter, export: Export) -> Result<Option<Export>, Fault> {
        let call = self.call(tenant);
        let rows = query::page(&mut self.db.read(&call).await?, filter, &export.reach(), export.after, ROWS).await?;
        let count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let is_last = i64::from(count) < ROWS;
        let last = rows.last().map(|row| (row.submitted_at.to_jiff(), row.id));
        let mut text = String::new();
        if export.pieces.is_empty() {
            text.push_str(&table::head(&export, &self.cards.user(&call, export.user).await?));
        }
        text.push_str(&Source { export: &export, sealer, cards: &self.cards, call: &call }.lines(rows).await?);
        let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if export.bytes + bytes > MOST_BYTES {
            self.end(tenant, &export, State::Failed, "TOO_LARGE").await?;
            return Ok(None);
        }
        let of = Of { sealer, tenant, id: export.id };
        // Without rows there is nothing to keep, but for the head of the first.
        let object = if text.is_empty() { None } else { Some(self.blobs.keep_piece(of, export.bytes, text.as_bytes()).await?) };
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let (until, expires_at) = (tx.now() + LEASE, tx.now() + KEPT);
        if let Some(object) = &object
            && !store::add(&mut tx, &export, &Piece { object, rows: count, bytes, last }, until).await?
        {
            self.blobs.forget_piece(of, object).await;
            return Ok(None);
        }
        let mut next = Export { rows: export.rows + count, bytes: export.bytes + bytes, after: last.or(export.after), ..export };
        next.pieces.extend(object);
        if is_last && store::finish(&mut tx, next.id, expires_at).await? {
            tx.emit(finished(&next));
        }
        tx.done().await?;
        Ok((!is_last).then_some(next))
    }

    /// It ends without a file.
    async fn end(&self, tenant: i32, export: &Export, state: State, reason: &'static str) -> Result<(), Fault> {
        let mut tx = self.db.write(&self.call(tenant)).await?;
        if store::end(&mut tx, export.id, state, reason).await? {
            tx.emit(ended(export, state, reason));
        }
        tx.done().await
    }

    /// The objects first, the row last: whenever a process dies, what is left is found by its row.
    async fn clear(&self, tenant: i32, export: &Export) -> Result<(), Fault> {
        let call = self.call(tenant);
        let sealer = self.sealers.of(&self.db, &call).await?;
        self.blobs.drop_pieces(Of { sealer: &sealer, tenant, id: export.id }).await?;
        let mut tx = self.db.write(&call).await?;
        store::cleared(&mut tx, export.id).await?;
        tx.done().await
    }
}

/// A fault of the moment, which is no fault of the export.
fn passes(fault: &Fault) -> bool {
    match fault {
        Fault::Refused(refusal) => matches!(refusal.kind(), Refused::Unavailable | Refused::Deadline | Refused::Stale | Refused::Exhausted),
        Fault::Peer(_) => true,
        Fault::Repeated | Fault::Broken(_) => false,
    }
}

fn finished(export: &Export) -> NewEvent {
    const KIND: &str = "export.finished";
    let (zh, en) = (format!("导出已完成，共 {} 条", export.rows), format!("Your export is ready: {} rows", export.rows));
    NewEvent::new(KIND, export.id, 2).facts(json!({ "rows": export.rows, "bytes": export.bytes })).tell(to_person(
        export.user,
        KIND,
        zh,
        en,
    ))
}

/// It ended without a file; its person hears of it when it failed.
pub fn ended(export: &Export, state: State, reason: &str) -> NewEvent {
    let kind = match state {
        State::Failed => "export.failed",
        State::Expired => "export.expired",
        _ => "export.cancelled",
    };
    let event = NewEvent::new(kind, export.id, 4).facts(json!({ "reason": reason }));
    if state != State::Failed {
        return event;
    }
    event.tell(to_person(export.user, kind, "导出失败，请缩小筛选范围后重试", "Your export failed; narrow the filter and try again"))
}
