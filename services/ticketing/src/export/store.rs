//! Questions to the table of exports.

use drumtower_runtime::{Fault, Reach, Refusal, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{Export, MOST_ROWS, SLOTS, State, What};
use crate::{
    attachment::watch::GRACE,
    ticket::{
        query::{Filter, filtered, within},
        store::small,
    },
};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    what: i16,
    filter: String,
    purpose: String,
    units: Option<Vec<Uuid>>,
    unmasked: bool,
    english: bool,
    state: i16,
    reason: String,
    total: i32,
    rows: i32,
    bytes: i64,
    pieces: Vec<String>,
    last_at: Option<jiff_sqlx::Timestamp>,
    last_id: Option<Uuid>,
    attempts: i16,
    created_at: jiff_sqlx::Timestamp,
    finished_at: Option<jiff_sqlx::Timestamp>,
    expires_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for Export {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            what: What::try_from(i32::from(row.what)).unwrap_or_default(),
            filter: row.filter,
            purpose: row.purpose,
            units: row.units,
            unmasked: row.unmasked,
            english: row.english,
            state: State::try_from(i32::from(row.state)).unwrap_or_default(),
            reason: row.reason,
            total: row.total,
            rows: row.rows,
            bytes: row.bytes,
            pieces: row.pieces,
            after: row.last_at.map(|at| at.to_jiff()).zip(row.last_id),
            attempts: row.attempts,
            created_at: row.created_at.to_jiff(),
            finished_at: row.finished_at.map(|at| at.to_jiff()),
            expires_at: row.expires_at.map(|at| at.to_jiff()),
        }
    }
}

/// A new export in a free place of its person; none when all are taken, also by another that begins in the same moment.
#[tracing::instrument(name = "db.export.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &Export) -> sqlx::Result<Option<()>> {
    let taken: Vec<i16> = sqlx::query_scalar("select slot from export where tenant_id = $1 and user_id = $2 and slot is not null")
        .bind(tx.tenant())
        .bind(new.user)
        .fetch_all(tx.conn())
        .await?;
    let Some(slot) = (0..SLOTS).find(|slot| !taken.contains(slot)) else { return Ok(None) };
    let inserted = sqlx::query(
        "insert into export (tenant_id, id, user_id, slot, what, filter, purpose, units, unmasked, english, state, reason, total, rows, bytes,
           pieces, attempts, due_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0, 0, 0, '{}', 0, $12, $12)
         on conflict (tenant_id, user_id, slot) do nothing",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.user)
    .bind(slot)
    .bind(small(new.what as i32))
    .bind(&new.filter)
    .bind(&new.purpose)
    .bind(&new.units)
    .bind(new.unmasked)
    .bind(new.english)
    .bind(small(new.state as i32))
    .bind(new.created_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(()))
}

#[tracing::instrument(name = "db.export.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> Result<Export, Fault> {
    let found: Option<Row> = sqlx::query_as(
        "select id, user_id, what, filter, purpose, units, unmasked, english, state, reason, total, rows, bytes, pieces, last_at, last_id,
           attempts, created_at, finished_at, expires_at
         from export where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.ok_or_else(|| Refusal::not_found("export"))?.into())
}

/// One page of somebody's exports, newest first.
#[tracing::instrument(name = "db.export.of_user", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_user(tx: &mut TenantTx, user: Uuid, before: (Timestamp, Uuid), limit: i64) -> sqlx::Result<Vec<Export>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, user_id, what, filter, purpose, units, unmasked, english, state, reason, total, rows, bytes, pieces, last_at, last_id,
           attempts, created_at, finished_at, expires_at
         from export where tenant_id = $1 and user_id = $2 and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(before.0.to_sqlx())
    .bind(before.1)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Takes the export that is due longest, for as long as the lease; what others hold is left to them.
#[tracing::instrument(name = "db.export.claim", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn claim(tx: &mut TenantTx, until: Timestamp) -> sqlx::Result<Option<Export>> {
    let now = tx.now().to_sqlx();
    let row: Option<Row> = sqlx::query_as(
        "update export set due_at = $3, attempts = attempts + 1
         where tenant_id = $1 and id =
           (select id from export where tenant_id = $1 and due_at <= $2 order by due_at limit 1 for update skip locked)
         returning id, user_id, what, filter, purpose, units, unmasked, english, state, reason, total, rows, bytes, pieces, last_at, last_id,
           attempts, created_at, finished_at, expires_at",
    )
    .bind(tx.tenant())
    .bind(now)
    .bind(until.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Into::into))
}

/// It begins: so many rows there are.
#[tracing::instrument(name = "db.export.begin", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin(tx: &mut TenantTx, id: Uuid, total: i32) -> sqlx::Result<bool> {
    let begun = sqlx::query("update export set state = $4, total = $3 where tenant_id = $1 and id = $2 and state = $5")
        .bind(tx.tenant())
        .bind(id)
        .bind(total)
        .bind(small(State::Running as i32))
        .bind(small(State::Queued as i32))
        .execute(tx.conn())
        .await?;
    Ok(begun.rows_affected() == 1)
}

/// A piece that was written.
#[derive(Debug)]
pub struct Piece<'a> {
    pub object: &'a str,
    pub rows: i32,
    pub bytes: i64,
    pub last: Option<(Timestamp, Uuid)>,
}

/// A piece counts, if it is the next of an export that still runs; until when it is ours.
#[tracing::instrument(name = "db.export.add", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn add(tx: &mut TenantTx, export: &Export, piece: &Piece<'_>, until: Timestamp) -> sqlx::Result<bool> {
    let added = sqlx::query(
        "update export set pieces = pieces || $3, rows = rows + $4, bytes = bytes + $5, last_at = coalesce($6, last_at),
           last_id = coalesce($7, last_id), due_at = $8, attempts = 0
         where tenant_id = $1 and id = $2 and state = $9 and cardinality(pieces) = $10",
    )
    .bind(tx.tenant())
    .bind(export.id)
    .bind(vec![piece.object.to_owned()])
    .bind(piece.rows)
    .bind(piece.bytes)
    .bind(piece.last.map(|(at, _)| at.to_sqlx()))
    .bind(piece.last.map(|(_, id)| id))
    .bind(until.to_sqlx())
    .bind(small(State::Running as i32))
    .bind(i32::try_from(export.pieces.len()).unwrap_or(i32::MAX))
    .execute(tx.conn())
    .await?;
    Ok(added.rows_affected() == 1)
}

/// It is tried again at an instant. What was nobody's fault does not count.
#[tracing::instrument(name = "db.export.again", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn again(tx: &mut TenantTx, id: Uuid, at: Timestamp, counts: bool) -> sqlx::Result<()> {
    sqlx::query(
        "update export set due_at = $3, attempts = case when $4 then attempts else 0 end where tenant_id = $1 and id = $2 and due_at > $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(at.to_sqlx())
    .bind(counts)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All is written: its file goes at an instant.
#[tracing::instrument(name = "db.export.finish", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn finish(tx: &mut TenantTx, id: Uuid, expires_at: Timestamp) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let finished = sqlx::query(
        "update export set state = $3, slot = null, total = rows, finished_at = $4, expires_at = $5, due_at = $5, attempts = 0
         where tenant_id = $1 and id = $2 and state = $6",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(small(State::Ready as i32))
    .bind(now)
    .bind(expires_at.to_sqlx())
    .bind(small(State::Running as i32))
    .execute(tx.conn())
    .await?;
    Ok(finished.rows_affected() == 1)
}

/// It ends without a file: what was written goes next. Only from states in which it is not over.
#[tracing::instrument(name = "db.export.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, id: Uuid, state: State, reason: &str) -> sqlx::Result<bool> {
    let now = tx.now();
    let ended = sqlx::query(
        "update export set state = $3, slot = null, reason = $4, finished_at = coalesce(finished_at, $5), expires_at = null, due_at = $6,
           attempts = 0
         where tenant_id = $1 and id = $2 and state = any($7)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(small(state as i32))
    .bind(reason)
    .bind(now.to_sqlx())
    .bind((now + GRACE).to_sqlx())
    .bind([State::Queued, State::Running, State::Ready].map(|state| small(state as i32)).to_vec())
    .execute(tx.conn())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// What was written is gone: nothing more is due.
#[tracing::instrument(name = "db.export.cleared", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn cleared(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("update export set pieces = '{}', due_at = null where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How many requests a filter has for somebody, counted no further than one above what a file may have.
#[tracing::instrument(name = "db.export.count", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count(tx: &mut TenantTx, filter: &Filter, reach: &Reach) -> sqlx::Result<i64> {
    let tenant = tx.tenant();
    let mut query = QueryBuilder::<Postgres>::new("select count(*) from (select 1 from ticket t where t.tenant_id = ");
    query.push_bind(tenant);
    within(&mut query, tenant, reach, filter.asks_for_open_work());
    filtered(&mut query, tenant, filter, reach);
    query.push(format_args!(" limit {}) n", MOST_ROWS + 1));
    query.build_query_scalar().fetch_one(tx.conn()).await
}
