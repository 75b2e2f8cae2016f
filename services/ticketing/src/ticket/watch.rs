//! Live views: the log of this service, read on as it grows, told to those whose roles reach the request. The cursor is the log's own
//! number, so a view that broke off goes on where it was.

use std::{sync::Arc, time::Duration};

use drumtower_proto::ticketing::{TicketChange, WatchTicketsRequest, watch_service_server::WatchService};
use drumtower_runtime::{Call, Db, Fault, Reach, Refusal, TenantTx, clock::to_proto};
use sqlx::{Postgres, QueryBuilder};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    query::{lists_inside, within},
    rules,
};

/// Events read at a time.
const PAGE: i64 = 200;
/// How often the log is looked at when no bell rings.
const LOOK: Duration = Duration::from_secs(1);
/// How often a stream that is silent says that it lives.
const LIFE: Duration = Duration::from_secs(10);

/// Live views.
#[derive(Debug)]
pub struct Watch {
    pub db: Db,
}

type Told = mpsc::Sender<Result<TicketChange, Status>>;

#[tonic::async_trait]
impl WatchService for Watch {
    type WatchTicketsStream = ReceiverStream<Result<TicketChange, Status>>;

    async fn watch_tickets(&self, request: Request<WatchTicketsRequest>) -> Result<Response<Self::WatchTicketsStream>, Status> {
        let (call, ask) = Call::take(request)?;
        let head = head(&mut self.db.read(&call).await?).await.map_err(Fault::from)?;
        if ask.cursor > head {
            return Err(Fault::from(Refusal::invalid("cursor", "UNKNOWN_CURSOR", "游标无效", "is beyond the end of the log")).into());
        }
        let from = if ask.cursor == 0 { head } else { ask.cursor };
        let (told, stream) = mpsc::channel(64);
        let until = Instant::now() + Duration::from_secs(u64::from(ask.seconds.unsigned_abs()));
        let view = View { db: self.db.clone(), reach: call.reach("ticket.read"), call, cursor: from, told };
        tokio::spawn(view.run(until));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// One stream.
struct View {
    db: Db,
    call: Arc<Call>,
    reach: Reach,
    cursor: i64,
    told: Told,
}

impl View {
    /// Until its time is over, or nobody listens any more.
    async fn run(mut self, until: Instant) {
        let mut bell = self.db.bell().listen();
        let mut spoke = Instant::now() - LIFE;
        while Instant::now() < until {
            let before = self.cursor;
            match self.look().await {
                Ok(changes) => {
                    let full = changes.len() == usize::try_from(PAGE).unwrap_or_default();
                    for change in changes {
                        spoke = Instant::now();
                        if self.told.send(Ok(change)).await.is_err() {
                            return;
                        }
                    }
                    if full || self.cursor > before {
                        continue;
                    }
                }
                Err(fault) => {
                    let _nobody_listens = self.told.send(Err(fault.into())).await;
                    return;
                }
            }
            if spoke.elapsed() >= LIFE {
                spoke = Instant::now();
                if self.told.send(Ok(TicketChange { cursor: self.cursor, ..TicketChange::default() })).await.is_err() {
                    return;
                }
            }
            let next = (Instant::now() + LOOK).min(until);
            // Any bell of the district is reason enough to look; the log's own rings when there is something.
            while let Ok(rung) = tokio::time::timeout_at(next, bell.recv()).await {
                if rung.map_or(true, |rung| rung.tenant == self.call.tenant && rung.topic == "log:ticketing") {
                    break;
                }
            }
            if self.told.is_closed() {
                return;
            }
        }
        let _nobody_listens = self.told.send(Ok(TicketChange { cursor: self.cursor, ..TicketChange::default() })).await;
    }

    /// What came since the cursor, which moves on past what the caller may not read too.
    async fn look(&mut self) -> Result<Vec<TicketChange>, Fault> {
        // The call that began the stream is long over; each look has a time of its own.
        let call = Call { deadline: std::time::Instant::now() + Duration::from_secs(5), ..Call::clone(&self.call) };
        let mut tx = self.db.read(&call).await?;
        let events = after(&mut tx, self.cursor).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(Vec::new()) };
        let ids: Vec<Uuid> = events.iter().filter_map(|event| Uuid::try_parse(&event.subject).ok()).collect();
        let rows = reached(&mut tx, &self.reach, &ids).await?;
        self.cursor = last;
        let inside = lists_inside(&self.reach);
        Ok(events.into_iter().filter_map(|event| told(&rows, event, inside)).collect())
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Event {
    seq: i64,
    kind: String,
    subject: String,
    version: i64,
    payload: String,
    at: jiff_sqlx::Timestamp,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    number: String,
    title: String,
    state: i16,
    lead_unit_id: Option<Uuid>,
    supervision: i16,
    overdue: bool,
}

fn told(rows: &[Row], event: Event, inside: bool) -> Option<TicketChange> {
    let id = Uuid::try_parse(&event.subject).ok()?;
    let row = rows.iter().find(|row| row.id == id)?;
    let name = if inside { event.kind } else { outside(&event) };
    Some(TicketChange {
        cursor: event.seq,
        ticket_id: event.subject,
        number: row.number.clone(),
        event: name,
        version: event.version,
        at: Some(to_proto(event.at.to_jiff())),
        title: row.title.clone(),
        state: i32::from(row.state),
        lead_unit_id: row.lead_unit_id.map(|unit| unit.to_string()).unwrap_or_default(),
        supervision: i32::from(row.supervision),
        overdue: row.overdue,
    })
}

/// What a company is told of it.
fn outside(event: &Event) -> String {
    let facts: serde_json::Value = serde_json::from_str(&event.payload).unwrap_or_default();
    rules::named_outside(&event.kind, facts["verb"].as_str()).to_owned()
}

#[tracing::instrument(name = "db.watch.head", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn head(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let seq: Option<i64> =
        sqlx::query_scalar("select max(seq) from log where tenant_id = $1").bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(seq.unwrap_or(0))
}

#[tracing::instrument(name = "db.watch.after", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn after(tx: &mut TenantTx, cursor: i64) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "select seq, type as kind, subject, version, payload, at from log where tenant_id = $1 and seq > $2 order by seq limit $3",
    )
    .bind(tx.tenant())
    .bind(cursor)
    .bind(PAGE)
    .fetch_all(tx.conn())
    .await
}

/// Those of some requests that the caller's roles reach, as they are now.
#[tracing::instrument(name = "db.watch.reached", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn reached(tx: &mut TenantTx, reach: &Reach, ids: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select t.id, t.number, t.title, t.state, t.lead_unit_id, t.supervision, t.overdue from ticket t where t.tenant_id = ",
    );
    query.push_bind(tx.tenant()).push(" and t.id = any(").push_bind(ids.to_vec()).push(")");
    within(&mut query, tx.tenant(), reach, false);
    query.build_query_as().fetch_all(tx.conn()).await
}
