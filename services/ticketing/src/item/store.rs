//! Questions to the table of items.

use drumtower_proto::ticketing::{CreateItemRequest, Item};
use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    pub code: String,
    name: String,
    kind: i16,
    item_group: String,
    unit_id: Uuid,
    legal_days: i32,
    promised_days: i32,
    materials: Vec<String>,
}

impl From<Row> for Item {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            code: row.code,
            name: row.name,
            kind: i32::from(row.kind),
            group: row.item_group,
            unit_id: row.unit_id.to_string(),
            legal_days: row.legal_days,
            promised_days: row.promised_days,
            materials: row.materials,
        }
    }
}

#[tracing::instrument(name = "db.item.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, id: Uuid, unit: Uuid, item: &CreateItemRequest) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into item (tenant_id, id, code, name, kind, item_group, unit_id, legal_days, promised_days, materials)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         returning id, code, name, kind, item_group, unit_id, legal_days, promised_days, materials",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&item.code)
    .bind(&item.name)
    .bind(i16::try_from(item.kind).unwrap_or_default())
    .bind(&item.group)
    .bind(unit)
    .bind(item.legal_days)
    .bind(item.promised_days)
    .bind(&item.materials)
    .fetch_one(tx.conn())
    .await
}

#[tracing::instrument(name = "db.item.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, code, name, kind, item_group, unit_id, legal_days, promised_days, materials from item where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Items after a code, by code; of one kind when it is given (0 for all).
#[tracing::instrument(name = "db.item.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, kind: i32, after: &str, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, code, name, kind, item_group, unit_id, legal_days, promised_days, materials from item
         where tenant_id = $1 and code > $2 and ($3 = 0 or kind = $3) order by code limit $4",
    )
    .bind(tx.tenant())
    .bind(after)
    .bind(i16::try_from(kind).unwrap_or_default())
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
