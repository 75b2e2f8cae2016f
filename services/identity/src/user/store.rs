//! Questions to the table of people.

use drumtower_proto::identity::User;
use drumtower_runtime::{
    Fault, TenantTx,
    clock::to_proto,
    seal::{Place, Sealer},
};
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

/// A person as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub login: String,
    name: String,
    phone: Vec<u8>,
    pub unit_id: Option<Uuid>,
    pub enterprise_id: Option<Uuid>,
    pub password: String,
    pub active: bool,
    pub version: i64,
    created_at: jiff_sqlx::Timestamp,
}

impl Row {
    /// The person for an answer, without roles.
    pub fn open(self, sealer: &Sealer) -> Result<User, Fault> {
        let id = self.id.to_string();
        let phone = sealer.open(place(&id), &self.phone)?;
        Ok(User {
            login: self.login,
            name: self.name,
            phone,
            unit_id: self.unit_id.map(|id| id.to_string()).unwrap_or_default(),
            enterprise_id: self.enterprise_id.map(|id| id.to_string()).unwrap_or_default(),
            active: self.active,
            assignments: Vec::new(),
            etag: self.version.to_string(),
            created_at: Some(to_proto(self.created_at.to_jiff())),
            id,
        })
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "user_account", column: "phone", row }
}

/// A person to add.
#[derive(Debug)]
pub struct New<'a> {
    pub id: Uuid,
    pub login: &'a str,
    pub name: &'a str,
    pub phone: &'a str,
    pub unit: Option<Uuid>,
    pub enterprise: Option<Uuid>,
    pub password: &'a str,
}

#[tracing::instrument(name = "db.user.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, sealer: &Sealer, new: &New<'_>) -> Result<(), Fault> {
    let phone = sealer.seal(place(&new.id.to_string()), new.phone)?;
    let now = tx.now().to_sqlx();
    sqlx::query(
        "insert into user_account (tenant_id, id, login, name, phone, unit_id, enterprise_id, password, active, version, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, true, 1, $9)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.login)
    .bind(new.name)
    .bind(phone)
    .bind(new.unit)
    .bind(new.enterprise)
    .bind(new.password)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[tracing::instrument(name = "db.user.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, login, name, phone, unit_id, enterprise_id, password, active, version, created_at
         from user_account where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.user.by_login", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_login(tx: &mut TenantTx, login: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, login, name, phone, unit_id, enterprise_id, password, active, version, created_at
         from user_account where tenant_id = $1 and login = $2",
    )
    .bind(tx.tenant())
    .bind(login)
    .fetch_optional(tx.conn())
    .await
}

/// People after a login, by login; of one unit when it is given.
#[tracing::instrument(name = "db.user.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, unit: Option<Uuid>, after: &str, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, login, name, phone, unit_id, enterprise_id, password, active, version, created_at
         from user_account where tenant_id = $1 and login > $2 and ($3::uuid is null or unit_id = $3) order by login limit $4",
    )
    .bind(tx.tenant())
    .bind(after)
    .bind(unit)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Shuts a person out and ends their sessions; the new version, or `None` when there is no such person.
#[tracing::instrument(name = "db.user.disable", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn disable(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<i64>> {
    let now = tx.now().to_sqlx();
    let version: Option<(i64,)> =
        sqlx::query_as("update user_account set active = false, version = version + 1 where tenant_id = $1 and id = $2 returning version")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    sqlx::query("update session set ended_at = $3 where tenant_id = $1 and user_id = $2 and ended_at is null")
        .bind(tx.tenant())
        .bind(id)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(version.map(|(version,)| version))
}

/// The password of a person who may sign in; nobody else changes it until the transaction ends.
#[tracing::instrument(name = "db.user.lock_password", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_password(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select password from user_account where tenant_id = $1 and id = $2 and active for no key update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

/// Lets a person in again; the new version, or `None` when there is no such person.
#[tracing::instrument(name = "db.user.enable", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn enable(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("update user_account set active = true, version = version + 1 where tenant_id = $1 and id = $2 returning version")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

/// Counts one change of a person's rights; the new version.
#[tracing::instrument(name = "db.user.touch", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn touch(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<i64>> {
    let version: Option<(i64,)> =
        sqlx::query_as("update user_account set version = version + 1 where tenant_id = $1 and id = $2 returning version")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(version.map(|(version,)| version))
}
