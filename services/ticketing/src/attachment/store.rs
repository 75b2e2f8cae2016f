//! Questions to the tables of attachments: the row, its pieces, what a district holds.

use drumtower_runtime::{Fault, Refusal, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::{Attachment, Kind, State, Visibility};
use crate::ticket::store::small;

/// The state of what is not there any more but for its objects; the contract does not know it.
const GONE: i16 = 5;

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    ticket_id: Option<Uuid>,
    name: String,
    kind: i16,
    state: i16,
    visibility: i16,
    content_type: String,
    size_bytes: i64,
    stored_bytes: i64,
    announced_sha256: String,
    sha256: String,
    scanned: bool,
    thumbnail: bool,
    reason: String,
    uploader_id: Uuid,
    unit_id: Option<Uuid>,
    used: bool,
    created_at: jiff_sqlx::Timestamp,
}

impl From<Row> for Attachment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            ticket: row.ticket_id,
            name: row.name,
            kind: Kind::try_from(i32::from(row.kind)).unwrap_or_default(),
            state: State::try_from(i32::from(row.state)).unwrap_or_default(),
            visibility: Visibility::try_from(i32::from(row.visibility)).unwrap_or_default(),
            content_type: row.content_type,
            size: row.size_bytes,
            stored: row.stored_bytes,
            announced_sha256: row.announced_sha256,
            sha256: row.sha256,
            scanned: row.scanned,
            thumbnail: row.thumbnail,
            reason: row.reason,
            uploader: row.uploader_id,
            unit: row.unit_id,
            used: row.used,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// A new upload; it is given up at `due_at`.
#[tracing::instrument(name = "db.attachment.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &Attachment, due_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "insert into attachment (tenant_id, id, ticket_id, name, kind, state, visibility, content_type, size_bytes, stored_bytes, held_bytes,
           announced_sha256, sha256, scanned, thumbnail, reason, uploader_id, unit_id, used, attempts, due_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, '', $8, 0, $8, $9, '', false, false, '', $10, $11, false, 0, $12, $13)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.ticket)
    .bind(&new.name)
    .bind(small(new.kind as i32))
    .bind(small(new.state as i32))
    .bind(small(new.visibility as i32))
    .bind(new.size)
    .bind(&new.announced_sha256)
    .bind(new.uploader)
    .bind(new.unit)
    .bind(due_at.to_sqlx())
    .bind(new.created_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes bytes of the district's quota; whether they fit. Whoever announces waits here for the one before: the counts that follow hold.
#[tracing::instrument(name = "db.attachment.reserve", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn reserve(tx: &mut TenantTx, bytes: i64, quota: i64) -> sqlx::Result<bool> {
    let taken = sqlx::query(
        "insert into attachment_quota as q (tenant_id, bytes) values ($1, $2)
         on conflict (tenant_id) do update set bytes = q.bytes + excluded.bytes where q.bytes + excluded.bytes <= $3",
    )
    .bind(tx.tenant())
    .bind(bytes)
    .bind(quota)
    .execute(tx.conn())
    .await?;
    Ok(taken.rows_affected() > 0)
}

/// States of what counts; what was rejected does not.
fn counted() -> [i16; 3] {
    [State::Uploading, State::Scanning, State::Ready].map(|state| small(state as i32))
}

/// How many attachments of a request there are from units, or from everybody else.
#[tracing::instrument(name = "db.attachment.count_of_ticket", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count_of_ticket(tx: &mut TenantTx, ticket: Uuid, of_units: bool) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from attachment where tenant_id = $1 and ticket_id = $2 and (unit_id is not null) = $3 and state = any($4)",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(of_units)
    .bind(counted())
    .fetch_one(tx.conn())
    .await
}

/// How many attachments of a person belong to no request yet.
#[tracing::instrument(name = "db.attachment.count_loose", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count_loose(tx: &mut TenantTx, uploader: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from attachment where tenant_id = $1 and uploader_id = $2 and ticket_id is null and state = any($3)",
    )
    .bind(tx.tenant())
    .bind(uploader)
    .bind(counted())
    .fetch_one(tx.conn())
    .await
}

/// An attachment.
#[tracing::instrument(name = "db.attachment.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> Result<Attachment, Fault> {
    let row: Option<Row> = sqlx::query_as(
        "select id, ticket_id, name, kind, state, visibility, content_type, size_bytes, stored_bytes, announced_sha256, sha256, scanned,
           thumbnail, reason, uploader_id, unit_id, used, created_at
         from attachment where tenant_id = $1 and id = $2 and state <> $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(GONE)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Refusal::not_found("attachment"))?.into())
}

/// An attachment, locked until the transaction ends.
#[tracing::instrument(name = "db.attachment.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> Result<Attachment, Fault> {
    sqlx::query("select used from attachment where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    by_id(tx, id).await
}

/// Attachments of a request, oldest first.
#[tracing::instrument(name = "db.attachment.of_ticket", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_ticket(tx: &mut TenantTx, ticket: Uuid) -> sqlx::Result<Vec<Attachment>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, ticket_id, name, kind, state, visibility, content_type, size_bytes, stored_bytes, announced_sha256, sha256, scanned,
           thumbnail, reason, uploader_id, unit_id, used, created_at
         from attachment where tenant_id = $1 and ticket_id = $2 and state <> $3 order by created_at, id",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(GONE)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Attachment::from).collect())
}

/// The next piece of an upload came.
#[tracing::instrument(name = "db.attachment.append", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn append(tx: &mut TenantTx, id: Uuid, (start, length): (i64, i64), object: &str) -> sqlx::Result<()> {
    sqlx::query(
        "with p as (insert into attachment_piece (tenant_id, attachment_id, start, length, object) values ($1, $2, $3, $4, $5))
         update attachment set stored_bytes = stored_bytes + $4 where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(start)
    .bind(i32::try_from(length).unwrap_or(i32::MAX))
    .bind(object)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The objects of an upload's pieces, in order.
#[tracing::instrument(name = "db.attachment.pieces", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn pieces(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select object from attachment_piece where tenant_id = $1 and attachment_id = $2 order by start")
        .bind(tx.tenant())
        .bind(id)
        .fetch_all(tx.conn())
        .await
}

/// Everything came; it is looked at, by somebody else from `due_at` on.
#[tracing::instrument(name = "db.attachment.begin", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin(tx: &mut TenantTx, id: Uuid, due_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query("update attachment set state = $3, attempts = 1, due_at = $4 where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(small(State::Scanning as i32))
        .bind(due_at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes one whose examination did not end over, until `due_at`; how often that was tried, or `None` when somebody else has it.
#[tracing::instrument(name = "db.attachment.take_over", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn take_over(tx: &mut TenantTx, id: Uuid, due_at: Timestamp) -> sqlx::Result<Option<i16>> {
    let now = tx.now().to_sqlx();
    sqlx::query_scalar(
        "update attachment set attempts = attempts + 1, due_at = $5
         where tenant_id = $1 and id = $2 and state = $3 and due_at <= $4 returning attempts",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(small(State::Scanning as i32))
    .bind(now)
    .bind(due_at.to_sqlx())
    .fetch_optional(tx.conn())
    .await
}

/// The scanner is away: it is tried again at `due_at`, and that is no failure of the attachment's.
#[tracing::instrument(name = "db.attachment.wait", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn wait(tx: &mut TenantTx, id: Uuid, due_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query("update attachment set attempts = 0, due_at = $4 where tenant_id = $1 and id = $2 and state = $3")
        .bind(tx.tenant())
        .bind(id)
        .bind(small(State::Scanning as i32))
        .bind(due_at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What is kept of an attachment that was found in order.
#[derive(Debug)]
pub struct Kept {
    pub content_type: &'static str,
    pub size: i64,
    pub sha256: String,
    pub scanned: bool,
    /// Bytes of the small picture; 0 for none.
    pub thumbnail: i64,
}

/// Bytes that an attachment holds of the quota if it is in a state, locked until the transaction ends.
#[tracing::instrument(name = "db.attachment.held", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn held(tx: &mut TenantTx, id: Uuid, state: State) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("select held_bytes from attachment where tenant_id = $1 and id = $2 and state = $3 for update")
        .bind(tx.tenant())
        .bind(id)
        .bind(small(state as i32))
        .fetch_optional(tx.conn())
        .await
}

/// The district holds more bytes, or fewer.
#[tracing::instrument(name = "db.attachment.hold", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn hold(tx: &mut TenantTx, more: i64) -> sqlx::Result<()> {
    sqlx::query("update attachment_quota set bytes = bytes + $2 where tenant_id = $1")
        .bind(tx.tenant())
        .bind(more)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// It is ready; whether it was being looked at until now. The quota follows what is really kept.
#[tracing::instrument(name = "db.attachment.ready", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn ready(tx: &mut TenantTx, id: Uuid, kept: &Kept) -> sqlx::Result<bool> {
    let Some(before) = held(tx, id, State::Scanning).await? else { return Ok(false) };
    let (now, holds) = (tx.now().to_sqlx(), kept.size + kept.thumbnail);
    sqlx::query(
        "update attachment set state = $3, content_type = $4, sha256 = $5, size_bytes = $6, held_bytes = $7, scanned = $8, thumbnail = $9,
           due_at = $10
         where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(small(State::Ready as i32))
    .bind(kept.content_type)
    .bind(&kept.sha256)
    .bind(kept.size)
    .bind(holds)
    .bind(kept.scanned)
    .bind(kept.thumbnail > 0)
    .bind(now)
    .execute(tx.conn())
    .await?;
    hold(tx, holds - before).await?;
    Ok(true)
}

/// It is not taken; whether it was being looked at until now. Its bytes go at once.
#[tracing::instrument(name = "db.attachment.reject", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn reject(tx: &mut TenantTx, id: Uuid, reason: &str) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let done = sqlx::query("update attachment set state = $4, reason = $5, due_at = $6 where tenant_id = $1 and id = $2 and state = $3")
        .bind(tx.tenant())
        .bind(id)
        .bind(small(State::Scanning as i32))
        .bind(small(State::Rejected as i32))
        .bind(reason)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Attachments come to a request that is submitted with them.
#[tracing::instrument(name = "db.attachment.claim", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn claim(tx: &mut TenantTx, ticket: Uuid, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("update attachment set ticket_id = $2, used = true where tenant_id = $1 and id = any($3)")
        .bind(tx.tenant())
        .bind(ticket)
        .bind(ids)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// An attachment comes to a request. It stays once it is ready; what is rejected later goes all the same.
#[tracing::instrument(name = "db.attachment.attach", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn attach(tx: &mut TenantTx, ticket: Uuid, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("update attachment set ticket_id = $2, used = (state = $4) where tenant_id = $1 and id = $3")
        .bind(tx.tenant())
        .bind(ticket)
        .bind(id)
        .bind(small(State::Ready as i32))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Something rests on attachments: they stay.
#[tracing::instrument(name = "db.attachment.use_up", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn use_up(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("update attachment set used = true where tenant_id = $1 and id = any($2)")
        .bind(tx.tenant())
        .bind(ids)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What a unit shows for its report: it stays from now on. How many there are.
#[tracing::instrument(name = "db.attachment.use_of_unit", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn use_of_unit(tx: &mut TenantTx, ticket: Uuid, unit: Uuid) -> sqlx::Result<u64> {
    let used = sqlx::query("update attachment set used = true where tenant_id = $1 and ticket_id = $2 and unit_id = $3 and state = $4")
        .bind(tx.tenant())
        .bind(ticket)
        .bind(unit)
        .bind(small(State::Ready as i32))
        .execute(tx.conn())
        .await?;
    Ok(used.rows_affected())
}

/// An attachment is not there any more; whether it was. Its objects go at `due_at`, when no piece can be on its way. What was claimed
/// meanwhile stays.
#[tracing::instrument(name = "db.attachment.abandon", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn abandon(tx: &mut TenantTx, id: Uuid, due_at: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query("update attachment set state = $3, due_at = $4 where tenant_id = $1 and id = $2 and not used and state <> $3")
        .bind(tx.tenant())
        .bind(id)
        .bind(GONE)
        .bind(due_at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// An attachment whose time has come.
#[derive(Debug)]
pub struct Due {
    pub id: Uuid,
    /// None when it is gone but for its objects.
    pub state: Option<State>,
    /// It belongs to no request.
    pub loose: bool,
    pub created_at: Timestamp,
}

/// Attachments of the district to be looked at again, the longest overdue first.
#[tracing::instrument(name = "db.attachment.waiting", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn waiting(tx: &mut TenantTx, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    let now = tx.now().to_sqlx();
    sqlx::query_scalar("select id from attachment where tenant_id = $1 and due_at <= $2 and state = $3 order by due_at limit $4")
        .bind(tx.tenant())
        .bind(now)
        .bind(small(State::Scanning as i32))
        .bind(limit)
        .fetch_all(tx.conn())
        .await
}

/// Attachments of the district to be cleared or given up, the longest overdue first.
#[tracing::instrument(name = "db.attachment.due", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn due(tx: &mut TenantTx, limit: i64) -> sqlx::Result<Vec<Due>> {
    let now = tx.now().to_sqlx();
    let rows: Vec<(Uuid, i16, bool, jiff_sqlx::Timestamp)> = sqlx::query_as(
        "select id, state, ticket_id is null, created_at from attachment
         where tenant_id = $1 and due_at <= $2 and state <> $3 order by due_at limit $4",
    )
    .bind(tx.tenant())
    .bind(now)
    .bind(small(State::Scanning as i32))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let due = |(id, state, loose, created_at): (Uuid, i16, bool, jiff_sqlx::Timestamp)| Due {
        id,
        state: State::try_from(i32::from(state)).ok(),
        loose,
        created_at: created_at.to_jiff(),
    };
    Ok(rows.into_iter().map(due).collect())
}

/// The pieces of an upload are gone, and what is rejected holds nothing any more. What belongs to no request, and what is rejected, is
/// looked at again at `next`.
#[tracing::instrument(name = "db.attachment.cleared", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn cleared(tx: &mut TenantTx, id: Uuid, next: Timestamp) -> sqlx::Result<()> {
    let freed = held(tx, id, State::Rejected).await?;
    sqlx::query(
        "with p as (delete from attachment_piece where tenant_id = $1 and attachment_id = $2)
         update attachment set due_at = case when ticket_id is null or state = $3 then $4::timestamptz end,
           held_bytes = case when state = $3 then 0 else held_bytes end
         where tenant_id = $1 and id = $2 and state in ($3, $5)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(small(State::Rejected as i32))
    .bind(next.to_sqlx())
    .bind(small(State::Ready as i32))
    .execute(tx.conn())
    .await?;
    if let Some(freed) = freed {
        hold(tx, -freed).await?;
    }
    Ok(())
}

/// The objects are gone; the row goes last, and with it what it held.
#[tracing::instrument(name = "db.attachment.remove", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn remove(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from attachment_piece where tenant_id = $1 and attachment_id = $2")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    let freed: Option<i64> =
        sqlx::query_scalar("delete from attachment where tenant_id = $1 and id = $2 and state = $3 returning held_bytes")
            .bind(tx.tenant())
            .bind(id)
            .bind(GONE)
            .fetch_optional(tx.conn())
            .await?;
    hold(tx, -freed.unwrap_or(0)).await
}
