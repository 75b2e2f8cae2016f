//! Questions to the list of districts. The list belongs to no district, so it is read beyond tenants.

use drumtower_proto::identity::{Standing, Tenant, tenant::State};
use drumtower_runtime::{Db, TenantTx, clock::to_proto};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub number: i32,
    pub code: String,
    name: String,
    name_en: String,
    host: String,
    state: i16,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        Self { number: row.number, code: row.code, name: row.name, name_en: row.name_en, host: row.host, state: i32::from(row.state) }
    }
}

#[tracing::instrument(name = "db.tenant.by_code_or_host", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_code_or_host(db: &Db, code: &str, host: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select number, code, name, name_en, host, state from tenant
         where (code = $1 and $1 <> '') or (host = $2 and $1 = '' and $2 <> '')",
    )
    .bind(code)
    .bind(host)
    .fetch_optional(db.beyond_tenants())
    .await
}

#[tracing::instrument(name = "db.tenant.by_number", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_number(db: &Db, number: i32) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select number, code, name, name_en, host, state from tenant where number = $1")
        .bind(number)
        .fetch_optional(db.beyond_tenants())
        .await
}

/// A district with its standing.
#[derive(Debug, sqlx::FromRow)]
pub struct StandingRow {
    #[sqlx(flatten)]
    pub tenant: Row,
    created_at: jiff_sqlx::Timestamp,
    since: jiff_sqlx::Timestamp,
    reason: String,
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        Self {
            tenant: Some(row.tenant.into()),
            created_at: Some(to_proto(row.created_at.to_jiff())),
            since: Some(to_proto(row.since.to_jiff())),
            reason: row.reason,
        }
    }
}

/// Districts whose name holds a text or whose code begins with it, after a code.
#[tracing::instrument(name = "db.tenant.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(db: &Db, text: &str, after: &str, most: i64) -> sqlx::Result<Vec<StandingRow>> {
    sqlx::query_as(
        "select number, code, name, name_en, host, state, created_at, since, reason from tenant
         where code > $2 and (strpos(name, $1) > 0 or strpos(lower(name_en), lower($1)) > 0 or starts_with(code, $1))
         order by code limit $3",
    )
    .bind(text)
    .bind(after)
    .bind(most)
    .fetch_all(db.beyond_tenants())
    .await
}

#[tracing::instrument(name = "db.tenant.standing", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn standing(db: &Db, code: &str) -> sqlx::Result<Option<StandingRow>> {
    sqlx::query_as("select number, code, name, name_en, host, state, created_at, since, reason from tenant where code = $1")
        .bind(code)
        .fetch_optional(db.beyond_tenants())
        .await
}

/// Numbers of districts that are not in use.
#[tracing::instrument(name = "db.tenant.resting", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn resting(db: &Db) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar("select number from tenant where state <> 1 order by number").fetch_all(db.beyond_tenants()).await
}

/// Sets the state of the transaction's own district; whether that changed anything.
#[tracing::instrument(name = "db.tenant.set_state", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn set_state(tx: &mut TenantTx, state: State, reason: &str) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let done = sqlx::query(
        "update tenant set state = $2, reason = $3, since = case when state = $2 then since else $4 end
         where number = $1 and (state <> $2 or reason <> $3)",
    )
    .bind(tx.tenant())
    .bind(state as i16)
    .bind(reason)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Adds a district with the next number; a code that is there already stays as it is.
pub async fn insert(db: &Db, code: &str, name: &str, name_en: &str, host: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "insert into tenant (number, code, name, name_en, host, state, created_at, since)
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6, $6 from tenant on conflict (code) do nothing",
    )
    .bind(code)
    .bind(name)
    .bind(name_en)
    .bind(host)
    .bind(State::Active as i16)
    .bind(now.to_sqlx())
    .execute(db.beyond_tenants())
    .await?;
    Ok(())
}
