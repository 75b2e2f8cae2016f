//! Questions to the list of districts. The list belongs to no district, so it is read beyond tenants.

use drumtower_proto::identity::{Tenant, tenant::State};
use drumtower_runtime::Db;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub number: i32,
    code: String,
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

#[tracing::instrument(name = "db.tenant.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(db: &Db) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select number, code, name, name_en, host, state from tenant order by number").fetch_all(db.beyond_tenants()).await
}

/// Adds a district with the next number; a code that is there already stays as it is.
pub async fn insert(db: &Db, code: &str, name: &str, name_en: &str, host: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "insert into tenant (number, code, name, name_en, host, state, created_at)
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6 from tenant on conflict (code) do nothing",
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
