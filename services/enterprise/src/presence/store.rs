//! Questions to the table of presences.

use drumtower_proto::enterprise::Presence;
use drumtower_runtime::TenantTx;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::New;
use crate::day;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    pub enterprise_id: Uuid,
    pub building_id: Uuid,
    pub kind: i16,
    pub since: jiff_sqlx::Date,
    pub until: Option<jiff_sqlx::Date>,
}

impl From<Row> for Presence {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            enterprise_id: row.enterprise_id.to_string(),
            building_id: row.building_id.to_string(),
            kind: i32::from(row.kind),
            since: row.since.to_jiff().to_string(),
            until: day::text(row.until),
        }
    }
}

#[tracing::instrument(name = "db.presence.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, presences: &[New]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for chunk in presences.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into presence (tenant_id, id, enterprise_id, building_id, kind, since) ");
        insert.push_values(chunk, |mut row, new| {
            row.push_bind(tenant).push_bind(new.id).push_bind(new.enterprise).push_bind(new.building);
            row.push_bind(i16::try_from(new.kind).unwrap_or_default()).push_bind(new.since.to_sqlx());
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "db.presence.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select id, enterprise_id, building_id, kind, since, until from presence where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

#[tracing::instrument(name = "db.presence.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select id, enterprise_id, building_id, kind, since, until from presence where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

#[tracing::instrument(name = "db.presence.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, id: Uuid, until: Date) -> sqlx::Result<()> {
    sqlx::query("update presence set until = $3 where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[tracing::instrument(name = "db.presence.of_enterprises", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_enterprises(tx: &mut TenantTx, enterprises: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, enterprise_id, building_id, kind, since, until from presence
         where tenant_id = $1 and enterprise_id = any($2) order by since desc, id desc",
    )
    .bind(tx.tenant())
    .bind(enterprises)
    .fetch_all(tx.conn())
    .await
}
