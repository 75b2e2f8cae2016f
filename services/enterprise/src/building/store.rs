//! Questions to the table of buildings.

use drumtower_proto::enterprise::{Building, CreateBuildingRequest};
use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    pub code: String,
    zone_id: Uuid,
    name: String,
    address: String,
    gross_m2: f64,
    leasable_m2: f64,
    floors: i32,
    latitude: f64,
    longitude: f64,
}

impl From<Row> for Building {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            code: row.code,
            zone_id: row.zone_id.to_string(),
            name: row.name,
            address: row.address,
            gross_m2: row.gross_m2,
            leasable_m2: row.leasable_m2,
            floors: row.floors,
            latitude: row.latitude,
            longitude: row.longitude,
        }
    }
}

#[tracing::instrument(name = "db.building.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, id: Uuid, zone: Uuid, building: &CreateBuildingRequest) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into building (tenant_id, id, code, zone_id, name, address, gross_m2, leasable_m2, floors, latitude, longitude)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         returning id, code, zone_id, name, address, gross_m2, leasable_m2, floors, latitude, longitude",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&building.code)
    .bind(zone)
    .bind(&building.name)
    .bind(&building.address)
    .bind(building.gross_m2)
    .bind(building.leasable_m2)
    .bind(building.floors)
    .bind(building.latitude)
    .bind(building.longitude)
    .fetch_one(tx.conn())
    .await
}

#[tracing::instrument(name = "db.building.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, code, zone_id, name, address, gross_m2, leasable_m2, floors, latitude, longitude
         from building where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Buildings after a code, by code; of one zone when it is given.
#[tracing::instrument(name = "db.building.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, zone: Option<Uuid>, after: &str, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, code, zone_id, name, address, gross_m2, leasable_m2, floors, latitude, longitude
         from building where tenant_id = $1 and code > $2 and ($3::uuid is null or zone_id = $3) order by code limit $4",
    )
    .bind(tx.tenant())
    .bind(after)
    .bind(zone)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Every building's code with its id, for imports.
#[tracing::instrument(name = "db.building.codes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn codes(tx: &mut TenantTx) -> sqlx::Result<Vec<(String, Uuid)>> {
    sqlx::query_as("select code, id from building where tenant_id = $1").bind(tx.tenant()).fetch_all(tx.conn()).await
}
