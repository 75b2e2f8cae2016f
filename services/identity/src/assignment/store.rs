//! Questions to the table of assignments.

use drumtower_proto::identity::Assignment;
use drumtower_runtime::{TenantTx, clock::to_proto, surface::SURFACE};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::Grant;

/// An assignment as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    pub user_id: Uuid,
    pub role: i16,
    pub node_id: Option<Uuid>,
    valid_from: jiff_sqlx::Timestamp,
    valid_to: Option<jiff_sqlx::Timestamp>,
}

impl Row {
    /// Whether it holds at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.valid_from.to_jiff() <= at && self.valid_to.is_none_or(|end| at < end.to_jiff())
    }
}

impl From<Row> for Assignment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            user_id: row.user_id.to_string(),
            role: i32::from(row.role),
            node_id: row.node_id.map(|id| id.to_string()).unwrap_or_default(),
            valid_from: Some(to_proto(row.valid_from.to_jiff())),
            valid_to: row.valid_to.map(|end| to_proto(end.to_jiff())),
        }
    }
}

#[tracing::instrument(name = "db.assignment.of_user", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_user(tx: &mut TenantTx, user: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, user_id, role, node_id, valid_from, valid_to from assignment
         where tenant_id = $1 and user_id = $2 order by valid_from desc, id desc",
    )
    .bind(tx.tenant())
    .bind(user)
    .fetch_all(tx.conn())
    .await
}

/// Active people who hold a role now, for a node when one is given, else for whichever.
#[tracing::instrument(name = "db.assignment.holders", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn holders(tx: &mut TenantTx, role: i32, node: Option<Uuid>) -> sqlx::Result<Vec<Uuid>> {
    let now = tx.now().to_sqlx();
    let rows: Vec<(Uuid,)> = sqlx::query_as(
        "select distinct a.user_id from assignment a
         join user_account u on u.tenant_id = $1 and u.id = a.user_id and u.active
         where a.tenant_id = $1 and a.role = $2 and ($3::uuid is null or a.node_id = $3)
           and a.valid_from <= $4 and (a.valid_to is null or a.valid_to > $4)",
    )
    .bind(tx.tenant())
    .bind(i16::try_from(role).unwrap_or_default())
    .bind(node)
    .bind(now)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Active people of a company who hold a role now.
#[tracing::instrument(name = "db.assignment.holders_in", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn holders_in(tx: &mut TenantTx, role: i32, enterprise: Uuid) -> sqlx::Result<Vec<Uuid>> {
    let now = tx.now().to_sqlx();
    sqlx::query_scalar(
        "select distinct a.user_id from user_account u
         join assignment a on a.tenant_id = $1 and a.user_id = u.id and a.role = $2
           and a.valid_from <= $4 and (a.valid_to is null or a.valid_to > $4)
         where u.tenant_id = $1 and u.enterprise_id = $3 and u.active",
    )
    .bind(tx.tenant())
    .bind(i16::try_from(role).unwrap_or_default())
    .bind(enterprise)
    .bind(now)
    .fetch_all(tx.conn())
    .await
}

#[tracing::instrument(name = "db.assignment.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, grant: &Grant, granted_by: &str) -> sqlx::Result<Row> {
    let now = tx.now().to_sqlx();
    let exclusive = SURFACE.role(grant.role as i32).map(|rule| rule.exclusive.clone()).filter(|group| !group.is_empty());
    sqlx::query_as(
        "insert into assignment (tenant_id, id, user_id, role, node_id, exclusive, valid_from, valid_to, granted_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, user_id, role, node_id, valid_from, valid_to",
    )
    .bind(tx.tenant())
    .bind(grant.id)
    .bind(grant.user)
    .bind(i16::try_from(grant.role as i32).unwrap_or_default())
    .bind(grant.node)
    .bind(exclusive)
    .bind(now)
    .bind(grant.valid_to.map(|end| end.to_sqlx()))
    .bind(granted_by)
    .fetch_one(tx.conn())
    .await
}

/// Ends an assignment now; one that has ended stays as it is.
#[tracing::instrument(name = "db.assignment.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "update assignment set valid_to = least(coalesce(valid_to, $3), $3) where tenant_id = $1 and id = $2
         returning id, user_id, role, node_id, valid_from, valid_to",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}
