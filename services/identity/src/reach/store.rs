//! Questions to the tables of addresses, codes and wishes.

use drumtower_proto::identity::Means;
use drumtower_runtime::{Fault, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::{Begun, GOOD_FOR, Wishes};

/// A proved address as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub means: i16,
    pub address: Vec<u8>,
    pub since: jiff_sqlx::Timestamp,
}

/// A means as it is kept.
pub fn number(means: Means) -> i16 {
    i16::try_from(means as i32).unwrap_or_default()
}

#[tracing::instrument(name = "db.reach.of_user", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_user(tx: &mut TenantTx, user: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select means, address, since from reach where tenant_id = $1 and user_id = $2 order by means")
        .bind(tx.tenant())
        .bind(user)
        .fetch_all(tx.conn())
        .await
}

/// A code that waits to be confirmed.
#[derive(Debug)]
pub struct NewCode<'a> {
    pub user: Uuid,
    pub means: Means,
    pub hash: &'a [u8],
    pub address: &'a [u8],
    /// How many were asked for, since when.
    pub begun: (i16, Timestamp),
    pub expires_at: Timestamp,
}

/// Keeps a code instead of the one before.
#[tracing::instrument(name = "db.reach.begin", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin(tx: &mut TenantTx, code: &NewCode<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into reach_code (tenant_id, user_id, means, hash, address, failures, begun, begun_since, expires_at)
         values ($1, $2, $3, $4, $5, 0, $7, $8, $6)
         on conflict (tenant_id, user_id, means) do update
         set hash = excluded.hash, address = excluded.address, failures = 0, begun = excluded.begun, begun_since = excluded.begun_since,
           expires_at = excluded.expires_at",
    )
    .bind(tx.tenant())
    .bind(code.user)
    .bind(number(code.means))
    .bind(code.hash)
    .bind(code.address)
    .bind(code.expires_at.to_sqlx())
    .bind(code.begun.0)
    .bind(code.begun.1.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A code as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Code {
    pub user_id: Uuid,
    pub hash: Vec<u8>,
    pub address: Vec<u8>,
    pub failures: i16,
    begun: i16,
    begun_since: jiff_sqlx::Timestamp,
    pub expires_at: jiff_sqlx::Timestamp,
}

impl Code {
    /// How many were asked for, since when, and when the last one was.
    pub fn begun(&self) -> Begun {
        Begun { count: self.begun, since: self.begun_since.to_jiff(), last: self.expires_at.to_jiff() - GOOD_FOR }
    }
}

/// A person's code, locked: two guesses at once are two guesses.
#[tracing::instrument(name = "db.reach.lock_code", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_code(tx: &mut TenantTx, user: Uuid, means: Means) -> sqlx::Result<Option<Code>> {
    sqlx::query_as(
        "select user_id, hash, address, failures, begun, begun_since, expires_at from reach_code
         where tenant_id = $1 and user_id = $2 and means = $3 for update",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(number(means))
    .fetch_optional(tx.conn())
    .await
}

/// Whose code it is, locked.
#[tracing::instrument(name = "db.reach.code_of", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn code_of(tx: &mut TenantTx, means: Means, hash: &[u8]) -> sqlx::Result<Option<Code>> {
    sqlx::query_as(
        "select user_id, hash, address, failures, begun, begun_since, expires_at from reach_code
         where tenant_id = $1 and means = $2 and hash = $3 for update",
    )
    .bind(tx.tenant())
    .bind(number(means))
    .bind(hash)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.reach.fail", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn fail(tx: &mut TenantTx, user: Uuid, means: Means) -> sqlx::Result<()> {
    sqlx::query("update reach_code set failures = failures + 1 where tenant_id = $1 and user_id = $2 and means = $3")
        .bind(tx.tenant())
        .bind(user)
        .bind(number(means))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps a proved address; whoever proved it before has it no longer. The code is used up.
#[tracing::instrument(name = "db.reach.keep", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn keep(tx: &mut TenantTx, user: Uuid, means: Means, address: &[u8], index: &[u8]) -> sqlx::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    sqlx::query("delete from reach where tenant_id = $1 and means = $2 and address_index = $3 and user_id <> $4")
        .bind(tenant)
        .bind(number(means))
        .bind(index)
        .bind(user)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "with used as (delete from reach_code where tenant_id = $1 and user_id = $2 and means = $3)
         insert into reach (tenant_id, user_id, means, address, address_index, since) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, user_id, means) do update
         set address = excluded.address, address_index = excluded.address_index, since = excluded.since",
    )
    .bind(tenant)
    .bind(user)
    .bind(number(means))
    .bind(address)
    .bind(index)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives an address up; whether there was one.
#[tracing::instrument(name = "db.reach.forget", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn forget(tx: &mut TenantTx, user: Uuid, means: Means) -> sqlx::Result<bool> {
    let gone = sqlx::query("delete from reach where tenant_id = $1 and user_id = $2 and means = $3")
        .bind(tx.tenant())
        .bind(user)
        .bind(number(means))
        .execute(tx.conn())
        .await?;
    Ok(gone.rows_affected() == 1)
}

/// A person's sealed address, if they may still sign in.
#[tracing::instrument(name = "db.reach.address", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn address(tx: &mut TenantTx, user: Uuid, means: Means) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar(
        "select r.address from reach r join user_account u on u.tenant_id = $1 and u.id = r.user_id and u.active
         where r.tenant_id = $1 and r.user_id = $2 and r.means = $3",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(number(means))
    .fetch_optional(tx.conn())
    .await
}

/// The sealed address that a person's code is to prove.
#[tracing::instrument(name = "db.reach.code", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn code(tx: &mut TenantTx, user: Uuid, means: Means) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("select address from reach_code where tenant_id = $1 and user_id = $2 and means = $3")
        .bind(tx.tenant())
        .bind(user)
        .bind(number(means))
        .fetch_optional(tx.conn())
        .await
}

/// The person of an address.
#[tracing::instrument(name = "db.reach.person", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn person(tx: &mut TenantTx, means: Means, index: &[u8]) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("select user_id from reach where tenant_id = $1 and means = $2 and address_index = $3")
        .bind(tx.tenant())
        .bind(number(means))
        .bind(index)
        .fetch_optional(tx.conn())
        .await
}

/// The means by which some people are reached, with their wishes. Who has none is not among them.
#[tracing::instrument(name = "db.reach.wanted", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn wanted(tx: &mut TenantTx, users: &[Uuid]) -> Result<Vec<(Uuid, i16, Wishes)>, Fault> {
    let rows: Vec<(Uuid, i16, Option<String>)> = sqlx::query_as(
        "select r.user_id, r.means, p.content from reach r
         left join preference p on p.tenant_id = $1 and p.user_id = r.user_id
         where r.tenant_id = $1 and r.user_id = any($2) order by r.user_id, r.means",
    )
    .bind(tx.tenant())
    .bind(users)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|(user, means, content)| Ok((user, means, wishes_of(content)?))).collect()
}

#[tracing::instrument(name = "db.reach.wishes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn wishes(tx: &mut TenantTx, user: Uuid) -> Result<Wishes, Fault> {
    let content: Option<String> = sqlx::query_scalar("select content from preference where tenant_id = $1 and user_id = $2")
        .bind(tx.tenant())
        .bind(user)
        .fetch_optional(tx.conn())
        .await?;
    wishes_of(content)
}

fn wishes_of(content: Option<String>) -> Result<Wishes, Fault> {
    content.map_or(Ok(Wishes::default()), |content| serde_json::from_str(&content).map_err(|error| Fault::broken(error.to_string())))
}

#[tracing::instrument(name = "db.reach.wish", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn wish(tx: &mut TenantTx, user: Uuid, wishes: &Wishes) -> Result<(), Fault> {
    let content = serde_json::to_string(wishes).map_err(|error| Fault::broken(error.to_string()))?;
    sqlx::query(
        "insert into preference (tenant_id, user_id, content) values ($1, $2, $3)
         on conflict (tenant_id, user_id) do update set content = excluded.content",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(content)
    .execute(tx.conn())
    .await?;
    Ok(())
}
