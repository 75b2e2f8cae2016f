//! The sequencer moves events from the outbox to the log, district by district, giving each the next number. Numbers are given after
//! commit, so that whoever reads by number misses nothing. One works at a time (a lease with a fencing number); a second one is safe,
//! for the head of a log is locked while it moves.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Link, Row, hash};
use crate::{call::Call, clock::Clock, db::Db, fault::Fault};

/// A batch is moved within this time or not at all.
pub(super) const SLOWEST_MOVE: Duration = Duration::from_secs(10);
/// Events moved in one transaction: small enough that a busy district never delays the others.
const BATCH: i64 = 200;
const LEASE: Duration = Duration::from_secs(5);

/// Runs until the process ends.
pub async fn sequence(db: Db, clock: Clock) {
    let holder = Uuid::now_v7().to_string();
    let topic = format!("outbox:{}", db.service());
    let mut bell = db.bell().listen();
    let mut fence = None;
    let mut renewed = Instant::now();
    let mut swept = Instant::now() - Duration::from_secs(1);
    loop {
        if fence.is_none() || renewed.elapsed() > LEASE / 3 {
            fence = db.lease("sequencer", &holder, clock.now(), LEASE).await.ok().flatten();
            renewed = Instant::now();
        }
        let Some(fence_now) = fence else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let mut tenants = BTreeSet::new();
        let wait = Duration::from_secs(1).saturating_sub(swept.elapsed());
        if let Ok(Ok(rung)) = tokio::time::timeout(wait, bell.recv()).await {
            if rung.topic == topic {
                tenants.insert(rung.tenant);
                // What is committed in the same moment moves together: fewer, fuller transactions.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            while let Ok(more) = bell.try_recv() {
                if more.topic == topic {
                    tenants.insert(more.tenant);
                }
            }
        }
        if swept.elapsed() >= Duration::from_secs(1) {
            swept = Instant::now();
            tenants.extend(waiting(&db, &clock).await);
        }
        if let Err(error) = round_robin(&db, &clock, fence_now, tenants).await {
            tracing::warn!(error = ?error, "the sequencer rests a moment");
            fence = None;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// One batch a district in turn, until none has more.
async fn round_robin(db: &Db, clock: &Clock, fence: i64, tenants: BTreeSet<i32>) -> Result<(), Fault> {
    let mut queue: VecDeque<i32> = tenants.into_iter().collect();
    while let Some(tenant) = queue.pop_front() {
        let moved = move_batch(db, clock, fence, tenant).await?;
        if moved > 0 {
            db.bell().ring(&format!("log:{}", db.service()), tenant);
        }
        if moved == BATCH {
            queue.push_back(tenant);
        }
    }
    Ok(())
}

/// Districts whose outbox holds something, found without reading every row (a loose index scan over the key's first column).
async fn waiting(db: &Db, clock: &Clock) -> Vec<i32> {
    let found = db
        .sweep(
            "with recursive t as (
               (select tenant_id from outbox where $1::timestamptz is not null order by tenant_id limit 1)
               union all
               select (select o.tenant_id from outbox o where o.tenant_id > t.tenant_id order by o.tenant_id limit 1) from t
               where t.tenant_id is not null)
             select tenant_id, 0::int8 from t where tenant_id is not null",
            clock.now(),
        )
        .await;
    found.map(|rows| rows.into_iter().map(|(tenant, _)| tenant).collect()).unwrap_or_default()
}

/// Moves one batch of one district; how many were moved.
async fn move_batch(db: &Db, clock: &Clock, fence: i64, tenant: i32) -> Result<i64, Fault> {
    let call = Call::of_service(db.service(), tenant, clock.now(), SLOWEST_MOVE);
    let mut tx = db.write(&call).await?;
    sqlx::query(
        "insert into log_head (tenant_id, seq, hash, moved_at, fence) values ($1, 0, $2, $3, 0) on conflict (tenant_id) do nothing",
    )
    .bind(tenant)
    .bind([0u8; 32].as_slice())
    .bind(call.now.to_sqlx())
    .execute(tx.conn())
    .await?;
    let head: Option<(i64, Vec<u8>)> = sqlx::query_as("select seq, hash from log_head where tenant_id = $1 and fence <= $2 for update")
        .bind(tenant)
        .bind(fence)
        .fetch_optional(tx.conn())
        .await?;
    let Some((mut seq, mut prev)) = head else { return Err(Fault::broken("a newer sequencer took over")) };
    let rows: Vec<Row> = sqlx::query_as(
        "delete from outbox where tenant_id = $1 and id in (select id from outbox where tenant_id = $1 order by id limit $2)
         returning id, type, subject, version, payload, actor, at, traceparent, notify",
    )
    .bind(tenant)
    .bind(BATCH)
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let rows = in_order(rows);
    let moved = i64::try_from(rows.len()).unwrap_or(BATCH);
    let mut chained = Vec::with_capacity(rows.len());
    for row in &rows {
        seq += 1;
        let next = hash(&prev, &link(tenant, seq, row)).to_vec();
        chained.push((seq, std::mem::replace(&mut prev, next.clone()), next));
    }
    let moved_at = call.now.to_sqlx();
    let mut insert = QueryBuilder::<Postgres>::new(
        "insert into log (tenant_id, seq, prev, hash, id, type, subject, version, payload, actor, at, traceparent, notify, moved_at) ",
    );
    insert.push_values(rows.iter().zip(chained), |mut to, (row, (seq, prev, hash))| {
        to.push_bind(tenant).push_bind(seq).push_bind(prev).push_bind(hash);
        to.push_bind(row.id).push_bind(&row.kind).push_bind(&row.subject).push_bind(row.version).push_bind(&row.payload);
        to.push_bind(&row.actor).push_bind(row.at).push_bind(&row.traceparent).push_bind(&row.notify).push_bind(moved_at);
    });
    insert.build().execute(tx.conn()).await?;
    sqlx::query("update log_head set seq = $2, hash = $3, moved_at = $4, fence = $5 where tenant_id = $1")
        .bind(tenant)
        .bind(seq)
        .bind(&prev)
        .bind(moved_at)
        .bind(fence)
        .execute(tx.conn())
        .await?;
    tx.done().await?;
    Ok(moved)
}

pub(super) fn link(tenant: i32, seq: i64, row: &Row) -> Link<'_> {
    Link {
        tenant,
        seq,
        id: row.id,
        kind: &row.kind,
        subject: &row.subject,
        version: row.version,
        payload: &row.payload,
        actor: &row.actor,
        at: row.at.to_jiff(),
        traceparent: &row.traceparent,
        notify: &row.notify,
    }
}

/// By id, which is by time; but the events of one row keep the order of its versions, whatever two machines' clocks said.
fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| row.id);
    let mut by_subject: std::collections::HashMap<String, Vec<usize>> = std::collections::HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        by_subject.entry(row.subject.clone()).or_default().push(place);
    }
    for places in by_subject.values().filter(|places| places.len() > 1) {
        let mut own: Vec<Row> = places.iter().map(|place| rows[*place].clone()).collect();
        own.sort_by_key(|row| row.version);
        for (place, row) in places.iter().zip(own) {
            rows[*place] = row;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128, subject: &str, version: i64) -> Row {
        Row {
            id: Uuid::from_u128(id),
            kind: "x.done".into(),
            subject: subject.into(),
            version,
            payload: "{}".into(),
            actor: "a".into(),
            at: jiff::Timestamp::UNIX_EPOCH.to_sqlx(),
            traceparent: String::new(),
            notify: "[]".into(),
        }
    }

    #[test]
    fn a_rows_events_keep_their_versions_order() {
        let ordered = in_order(vec![row(3, "a", 1), row(1, "a", 2), row(2, "b", 1)]);
        let seen: Vec<(&str, i64)> = ordered.iter().map(|row| (row.subject.as_str(), row.version)).collect();
        assert_eq!(seen, [("a", 1), ("b", 1), ("a", 2)]);
    }
}
