//! Questions to the table of zones.

use drumtower_proto::enterprise::{CreateZoneRequest, Zone};
use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    code: String,
    name: String,
    area_m2: f64,
    building_count: i64,
}

impl From<Row> for Zone {
    fn from(row: Row) -> Self {
        let building_count = i32::try_from(row.building_count).unwrap_or(i32::MAX);
        Self { id: row.id.to_string(), code: row.code, name: row.name, area_m2: row.area_m2, building_count }
    }
}

#[tracing::instrument(name = "db.zone.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, id: Uuid, zone: &CreateZoneRequest) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into zone (tenant_id, id, code, name, area_m2) values ($1, $2, $3, $4, $5)
         returning id, code, name, area_m2, 0::int8 as building_count",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&zone.code)
    .bind(&zone.name)
    .bind(zone.area_m2)
    .fetch_one(tx.conn())
    .await
}

#[tracing::instrument(name = "db.zone.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, code, name, area_m2,
           (select count(*) from building b where b.tenant_id = $1 and b.zone_id = zone.id) as building_count
         from zone where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.zone.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, code, name, area_m2,
           (select count(*) from building b where b.tenant_id = $1 and b.zone_id = zone.id) as building_count
         from zone where tenant_id = $1 order by code",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await
}
