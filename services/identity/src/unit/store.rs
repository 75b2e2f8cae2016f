//! Questions to the table of units.

use drumtower_proto::identity::Unit;
use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    parent_id: Option<Uuid>,
    code: String,
    name: String,
    kind: i16,
    active: bool,
}

impl From<Row> for Unit {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            parent_id: row.parent_id.map(|id| id.to_string()).unwrap_or_default(),
            code: row.code,
            name: row.name,
            kind: i32::from(row.kind),
            active: row.active,
        }
    }
}

#[tracing::instrument(name = "db.unit.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select id, parent_id, code, name, kind, active from unit where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

#[tracing::instrument(name = "db.unit.by_ids", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_ids(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select id, parent_id, code, name, kind, active from unit where tenant_id = $1 and id = any($2) order by code")
        .bind(tx.tenant())
        .bind(ids)
        .fetch_all(tx.conn())
        .await
}

/// The whole tree, parents before children.
#[tracing::instrument(name = "db.unit.tree", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn tree(tx: &mut TenantTx) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "with recursive t as (
           select id, parent_id, code, name, kind, active, 0 as depth from unit where tenant_id = $1 and parent_id is null
           union all
           select u.id, u.parent_id, u.code, u.name, u.kind, u.active, t.depth + 1 from unit u join t on u.parent_id = t.id
           where u.tenant_id = $1 and t.depth < 20)
         select id, parent_id, code, name, kind, active from t order by depth, code",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await
}

/// Every unit with the one above it.
#[tracing::instrument(name = "db.unit.edges", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn edges(tx: &mut TenantTx) -> sqlx::Result<Vec<(Uuid, Option<Uuid>)>> {
    sqlx::query_as("select id, parent_id from unit where tenant_id = $1").bind(tx.tenant()).fetch_all(tx.conn()).await
}

#[tracing::instrument(name = "db.unit.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, id: Uuid, parent: Option<Uuid>, code: &str, name: &str, kind: i32) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into unit (tenant_id, id, parent_id, code, name, kind, active, version) values ($1, $2, $3, $4, $5, $6, true, 1)
         returning id, parent_id, code, name, kind, active",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(parent)
    .bind(code)
    .bind(name)
    .bind(i16::try_from(kind).unwrap_or_default())
    .fetch_one(tx.conn())
    .await
}
