//! What goes out of the house: to another system, to a person's phone. It is queued in the transaction of what it tells of, carried by a
//! worker, tried again with growing pauses when it does not arrive, and given up only after days, visibly. Carried at least once: who gets
//! it tells a second time by its id.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    call::Call,
    clock::Clock,
    db::{Db, TenantTx},
    fault::Fault,
    housekeeping::Chore,
};

/// Waits to be carried.
pub const QUEUED: i16 = 1;
/// Arrived.
pub const SENT: i16 = 2;
/// Given up; an administrator may queue it again.
pub const GIVEN_UP: i16 = 3;

/// Routes of one turn, carried side by side.
const ROUTES: i64 = 20;
/// Parcels of one turn.
const TURN: i64 = 500;
/// Who takes some has so long before another worker takes them too.
const CLAIM: SignedDuration = SignedDuration::from_mins(5);
/// A district that has been carried for so long lets others have its place.
const STINT: Duration = Duration::from_secs(60);
/// Carrying one route's parcels may take so long: a carrier begins no further one when the call has less than [`ONE`] left.
const PATIENCE: Duration = Duration::from_secs(40);
/// What carrying one parcel takes at most.
pub const ONE: Duration = Duration::from_secs(12);
/// A carrier that keeps to that is not cut off.
const LEEWAY: Duration = Duration::from_secs(5);
/// The first pause after a failure; each further one is twice as long, up to the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// How long it is until somebody looks whether it is open again.
const CLOSED: SignedDuration = SignedDuration::from_mins(10);
/// With the pauses above some three days.
const ATTEMPTS: i32 = 80;

/// Arrived or given up a quarter ago.
pub const OLD_DELIVERIES: Chore = Chore {
    name: "deliveries",
    kept: SignedDuration::from_hours(90 * 24),
    find: "select tenant_id, count(*) from delivery where ended_at < $1 group by tenant_id order by tenant_id",
    drop: "delete from delivery where tenant_id = $1 and id in
             (select id from delivery where tenant_id = $1 and ended_at < $2 order by ended_at limit $3)",
};

/// What is to be carried and was not taken: a name, and how many of a district are due, since when.
pub const DUE: (&str, &str) =
    ("deliveries", "select count(*), min(due_at) from delivery where tenant_id = $1 and due_at is not null and due_at <= $2");

/// Something to carry.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Its identity, which whoever gets it may tell a second time by.
    pub id: Uuid,
    /// Where to. Parcels of one route are carried in the order they were queued, but for those that had to wait: a body says its version.
    pub route: String,
    /// What, without personal data.
    pub body: String,
    /// When it was queued.
    pub at: Timestamp,
}

/// Why something did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It may arrive later.
    Later(String),
    /// It will never arrive as it is.
    Never(String),
    /// It is not to be tried yet: nothing is open that would take it. Waiting so long is no attempt.
    Closed(String),
}

/// Carries parcels of one route.
pub trait Carrier: Send + Sync + 'static {
    /// Carries some, in order; how many arrived, and why the next one did not.
    fn carry(&self, call: &Call, route: &str, parcels: &[Parcel]) -> impl Future<Output = (usize, Option<Trouble>)> + Send;
}

/// Queues parcels, each to be carried at an instant.
pub async fn queue(tx: &mut TenantTx, parcels: &[(Parcel, Timestamp)]) -> sqlx::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    for some in parcels.chunks(5000) {
        let mut insert =
            QueryBuilder::<Postgres>::new("insert into delivery (tenant_id, id, route, body, state, attempts, due_at, error, created_at) ");
        insert.push_values(some, |mut row, (parcel, due_at)| {
            row.push_bind(tenant).push_bind(parcel.id).push_bind(&parcel.route).push_bind(&parcel.body).push_bind(QUEUED);
            row.push_bind(0).push_bind(due_at.to_sqlx()).push_bind("").push_bind(now);
        });
        insert.push(" on conflict (tenant_id, id) do nothing");
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// Carries what is due, until the process ends. Two workers at once share the work. A district whose receiver hangs keeps its own place
/// only: the others are looked at every second.
pub async fn carry_all<C: Carrier>(db: Db, clock: Clock, carrier: Arc<C>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut turns, mut busy) = (tokio::task::JoinSet::new(), BTreeSet::new());
    loop {
        beat.tick().await;
        while let Some(ended) = turns.try_join_next() {
            match ended {
                Ok((tenant, Ok(()))) => _ = busy.remove(&tenant),
                Ok((tenant, Err(error))) => {
                    busy.remove(&tenant);
                    tracing::warn!(tenant, ?error, "what goes out of this district waits");
                }
                // Which district's it was is not known: all are looked at anew.
                Err(error) => {
                    tracing::error!(%error, "a carrier broke down");
                    turns.detach_all();
                    busy.clear();
                }
            }
        }
        let due = "select tenant_id, count(*) from delivery where due_at <= $1 group by tenant_id order by min(due_at)";
        let found = match db.sweep_at_work(due, clock.now()).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(?error, "what goes out waits");
                continue;
            }
        };
        for (tenant, _) in found {
            if turns.len() < ABREAST && busy.insert(tenant) {
                let (db, clock, carrier) = (db.clone(), clock.clone(), Arc::clone(&carrier));
                turns.spawn(async move { (tenant, stint(&db, &clock, &*carrier, tenant).await) });
            }
        }
    }
}

/// Districts carried at once.
const ABREAST: usize = 32;

/// One district's turns, one after the other while there is more and it arrives.
async fn stint<C: Carrier>(db: &Db, clock: &Clock, carrier: &C, tenant: i32) -> Result<(), Fault> {
    let began = Instant::now();
    while turn(db, clock, carrier, tenant).await? && began.elapsed() < STINT && !db.resting().rests(tenant) {}
    Ok(())
}

/// One turn of one district; whether more waits and some of it arrived.
async fn turn<C: Carrier>(db: &Db, clock: &Clock, carrier: &C, tenant: i32) -> Result<bool, Fault> {
    let taken = take(db, clock, tenant).await?;
    // Routes side by side: a receiver that hangs does not keep the district's others waiting.
    let routes = taken.chunk_by(|(a, _), (b, _)| a.route == b.route);
    let all = futures::future::try_join_all(routes.map(|parcels| along(db, clock, carrier, tenant, parcels))).await?;
    // When nothing is due the next turn takes nothing.
    Ok(all.into_iter().sum::<usize>() > 0)
}

/// Carries what goes one way; how much arrived.
async fn along<C: Carrier>(db: &Db, clock: &Clock, carrier: &C, tenant: i32, parcels: &[(Parcel, i32)]) -> Result<usize, Fault> {
    let Some((first, _)) = parcels.first() else { return Ok(0) };
    let call = Call::of_service(db.service(), tenant, clock.now(), PATIENCE);
    let only: Vec<Parcel> = parcels.iter().map(|(parcel, _)| parcel.clone()).collect();
    let carried = tokio::time::timeout(PATIENCE + LEEWAY, carrier.carry(&call, &first.route, &only)).await;
    let (arrived, trouble) = carried.unwrap_or_else(|_| (0, Some(Trouble::Later("took too long".to_owned()))));
    note(db, clock, tenant, parcels, (arrived, trouble)).await?;
    Ok(arrived)
}

/// Takes what is due of some routes, in order: what goes one way and is due together is carried together. Nobody else takes it for a while.
async fn take(db: &Db, clock: &Clock, tenant: i32) -> Result<Vec<(Parcel, i32)>, Fault> {
    let now = clock.now();
    let mut tx = db.write(&Call::of_service(db.service(), tenant, now, Duration::from_secs(5))).await?;
    let mut rows: Vec<(Uuid, String, String, jiff_sqlx::Timestamp, i32)> = sqlx::query_as(
        "update delivery set attempts = attempts + 1, due_at = $3 where tenant_id = $1 and id in
           (select id from delivery where tenant_id = $1 and due_at <= $2 and route in
             (select distinct route from
               (select route from delivery where tenant_id = $1 and due_at <= $2 order by due_at, id limit $5) first limit $4)
            order by due_at, id limit $5 for update skip locked)
         returning id, route, body, created_at, attempts",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind((now + CLAIM).to_sqlx())
    .bind(ROUTES)
    .bind(TURN)
    .fetch_all(tx.conn())
    .await?;
    tx.done().await?;
    rows.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    Ok(rows.into_iter().map(|(id, route, body, at, attempts)| (Parcel { id, route, body, at: at.to_jiff() }, attempts)).collect())
}

/// What comes of a route's parcels: those that arrived are done, the one in trouble waits or is given up, those behind it wait with it.
async fn note(db: &Db, clock: &Clock, tenant: i32, parcels: &[(Parcel, i32)], came: (usize, Option<Trouble>)) -> Result<(), Fault> {
    let (arrived, trouble) = came;
    let now = clock.now();
    let mut tx = db.write(&Call::of_service(db.service(), tenant, now, Duration::from_secs(5))).await?;
    for (place, (parcel, attempts)) in parcels.iter().enumerate() {
        match &trouble {
            _ if place < arrived => mark(&mut tx, parcel.id, (SENT, 0), None, "").await?,
            None => mark(&mut tx, parcel.id, (QUEUED, -1), Some(now), "").await?,
            Some(Trouble::Never(why)) if place == arrived => mark(&mut tx, parcel.id, (GIVEN_UP, 0), None, why).await?,
            Some(Trouble::Later(why)) if place == arrived && *attempts >= ATTEMPTS => {
                mark(&mut tx, parcel.id, (GIVEN_UP, 0), None, why).await?;
            }
            Some(Trouble::Later(why)) if place == arrived => {
                mark(&mut tx, parcel.id, (QUEUED, 0), Some(now + pause(*attempts)), why).await?;
            }
            Some(Trouble::Closed(why)) => mark(&mut tx, parcel.id, (QUEUED, -1), Some(now + CLOSED), why).await?,
            // Behind one that waits, these wait too; behind one that was given up they go on at once.
            Some(Trouble::Later(_)) => mark(&mut tx, parcel.id, (QUEUED, -1), Some(now + pause(parcels[arrived].1)), "").await?,
            Some(Trouble::Never(_)) => mark(&mut tx, parcel.id, (QUEUED, -1), Some(now), "").await?,
        }
    }
    tx.done().await
}

async fn mark(tx: &mut TenantTx, id: Uuid, (state, attempts): (i16, i32), due_at: Option<Timestamp>, error: &str) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    let error: String = error.chars().take(500).collect();
    sqlx::query(
        "update delivery set state = $3, due_at = $4, error = $5, attempts = attempts + $7, ended_at = case when $4::timestamptz is null then $6::timestamptz end
         where tenant_id = $1 and id = $2 and state = 1",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(state)
    .bind(due_at.map(|at| at.to_sqlx()))
    .bind(error)
    .bind(now)
    .bind(attempts)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The pause after so many attempts.
pub fn pause(attempts: i32) -> SignedDuration {
    let doubled = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or_default();
    FIRST_PAUSE.checked_mul(1 << doubled).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// A parcel as the table has it.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    /// Its identity.
    pub id: Uuid,
    /// Where to.
    pub route: String,
    /// What.
    pub body: String,
    /// [`QUEUED`], [`SENT`] or [`GIVEN_UP`].
    pub state: i16,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub due_at: Option<jiff_sqlx::Timestamp>,
    /// Why it did not arrive the last time.
    pub error: String,
    /// When it was queued.
    pub created_at: jiff_sqlx::Timestamp,
    /// When it arrived or was given up.
    pub ended_at: Option<jiff_sqlx::Timestamp>,
}

/// Parcels of a route (of all when empty) before one, newest first; only those given up when asked so.
pub async fn page(tx: &mut TenantTx, route: &str, given_up: bool, before: Uuid, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, route, body, state, attempts, due_at, error, created_at, ended_at from delivery
         where tenant_id = $1 and ($2 = '' or route = $2) and (not $3 or state = 3) and id < $4 order by id desc limit $5",
    )
    .bind(tx.tenant())
    .bind(route)
    .bind(given_up)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// One parcel.
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, route, body, state, attempts, due_at, error, created_at, ended_at from delivery where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Queues one again that was given up; whether it was.
pub async fn again(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let queued = sqlx::query(
        "update delivery set state = 1, attempts = 0, due_at = $3, ended_at = null where tenant_id = $1 and id = $2 and state = 3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(queued.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_all_attempts_last_three_days() {
        assert_eq!((pause(1), pause(2), pause(3)), (FIRST_PAUSE, SignedDuration::from_secs(20), SignedDuration::from_secs(40)));
        assert_eq!(pause(ATTEMPTS), LONGEST_PAUSE);
        let all: i64 = (1..ATTEMPTS).map(|attempts| pause(attempts).as_secs()).sum();
        assert!((60..80).contains(&(all / 3600)), "{} hours", all / 3600);
    }
}
