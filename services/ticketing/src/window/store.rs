//! Questions to the table of windows.

use drumtower_proto::ticketing::Window;
use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    number: i32,
    name: String,
    item_group: String,
}

impl From<Row> for Window {
    fn from(row: Row) -> Self {
        Self { id: row.id.to_string(), number: row.number, name: row.name, group: row.item_group }
    }
}

#[tracing::instrument(name = "db.window.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, id: Uuid, number: i32, name: &str, group: &str) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into service_window (tenant_id, id, number, name, item_group) values ($1, $2, $3, $4, $5)
         returning id, number, name, item_group",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(number)
    .bind(name)
    .bind(group)
    .fetch_one(tx.conn())
    .await
}

#[tracing::instrument(name = "db.window.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select id, number, name, item_group from service_window where tenant_id = $1 order by number")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await
}
