//! Questions to the table of settings.

use drumtower_proto::ticketing::setting::Kind;
use drumtower_runtime::TenantTx;
use jiff_sqlx::ToSqlx as _;

/// A version as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub kind: i16,
    pub number: i32,
    pub content: String,
    pub published_by: String,
    pub published_at: jiff_sqlx::Timestamp,
    pub applied_at: Option<jiff_sqlx::Timestamp>,
}

/// What holds: every machine, for requests keep theirs, and the newest of the other kinds; oldest first.
#[tracing::instrument(name = "db.setting.in_force", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn in_force(tx: &mut TenantTx) -> sqlx::Result<Vec<(i16, i32, String)>> {
    sqlx::query_as(
        "select s.kind, s.number, s.content from setting s where s.tenant_id = $1
           and (s.kind = $2 or s.number = (select max(n.number) from setting n where n.tenant_id = $1 and n.kind = s.kind))
         order by s.kind, s.number",
    )
    .bind(tx.tenant())
    .bind(Kind::Machine as i16)
    .fetch_all(tx.conn())
    .await
}

/// The newest version of a kind, numbered after the one before. Two at once: the second meets the first's key and is refused.
#[tracing::instrument(name = "db.setting.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, kind: Kind, content: &str, by: &str) -> sqlx::Result<Row> {
    let now = tx.now().to_sqlx();
    let applied = (kind != Kind::Calendar).then_some(now);
    sqlx::query_as(
        "insert into setting (tenant_id, kind, number, content, published_by, published_at, applied_at)
         values ($1, $2, (select coalesce(max(n.number), 0) + 1 from setting n where n.tenant_id = $1 and n.kind = $2), $3, $4, $5, $6)
         returning kind, number, content, published_by, published_at, applied_at",
    )
    .bind(tx.tenant())
    .bind(kind as i16)
    .bind(content)
    .bind(by)
    .bind(now)
    .bind(applied)
    .fetch_one(tx.conn())
    .await
}

/// The version of a kind that held at an instant.
#[tracing::instrument(name = "db.setting.as_of", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn as_of(tx: &mut TenantTx, kind: Kind, at: jiff::Timestamp) -> sqlx::Result<Option<(i32, String)>> {
    sqlx::query_as(
        "select number, content from setting where tenant_id = $1 and kind = $2 and published_at <= $3 order by number desc limit 1",
    )
    .bind(tx.tenant())
    .bind(kind as i16)
    .bind(at.to_sqlx())
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.setting.versions", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn versions(tx: &mut TenantTx, kind: Kind) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select kind, number, content, published_by, published_at, applied_at from setting
         where tenant_id = $1 and kind = $2 order by number desc limit 100",
    )
    .bind(tx.tenant())
    .bind(kind as i16)
    .fetch_all(tx.conn())
    .await
}

/// The newest calendar whose clocks have not all been moved.
#[tracing::instrument(name = "db.setting.to_apply", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn to_apply(tx: &mut TenantTx, known: jiff::Timestamp) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar("select max(number) from setting where tenant_id = $1 and kind = $2 and applied_at is null and published_at <= $3")
        .bind(tx.tenant())
        .bind(Kind::Calendar as i16)
        .bind(known.to_sqlx())
        .fetch_one(tx.conn())
        .await
}

/// All clocks follow this calendar now, and need not follow the ones before; whether somebody else said so first.
#[tracing::instrument(name = "db.setting.applied", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn applied(tx: &mut TenantTx, number: i32) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let done = sqlx::query("update setting set applied_at = $4 where tenant_id = $1 and kind = $2 and number <= $3 and applied_at is null")
        .bind(tx.tenant())
        .bind(Kind::Calendar as i16)
        .bind(number)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}
