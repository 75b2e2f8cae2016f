//! Questions to sessions, refresh tokens and failed sign-ins.

use drumtower_runtime::TenantTx;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::Attempts;

/// Failed sign-ins as stored.
type Counted = (i32, jiff_sqlx::Timestamp, Option<jiff_sqlx::Timestamp>);

fn counted((failures, since, locked): Counted) -> Attempts {
    Attempts { failures, since: since.to_jiff(), locked_until: locked.map(|at| at.to_jiff()) }
}

#[tracing::instrument(name = "db.session.attempts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn attempts(tx: &mut TenantTx, login: &str, address: &str) -> sqlx::Result<Option<Attempts>> {
    let row: Option<Counted> =
        sqlx::query_as("select failures, since, locked_until from login_attempt where tenant_id = $1 and login = $2 and address = $3")
            .bind(tx.tenant())
            .bind(login)
            .bind(address)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(counted))
}

#[tracing::instrument(name = "db.session.save_attempts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save_attempts(tx: &mut TenantTx, login: &str, address: &str, attempts: Attempts) -> sqlx::Result<()> {
    sqlx::query(
        "insert into login_attempt (tenant_id, login, address, failures, since, locked_until) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, login, address) do update
         set failures = excluded.failures, since = excluded.since, locked_until = excluded.locked_until",
    )
    .bind(tx.tenant())
    .bind(login)
    .bind(address)
    .bind(attempts.failures)
    .bind(attempts.since.to_sqlx())
    .bind(attempts.locked_until.map(|at| at.to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[tracing::instrument(name = "db.session.forget_attempts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn forget_attempts(tx: &mut TenantTx, login: &str, address: &str) -> sqlx::Result<()> {
    sqlx::query("delete from login_attempt where tenant_id = $1 and login = $2 and address = $3")
        .bind(tx.tenant())
        .bind(login)
        .bind(address)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A row to count in, so that the first failures of a moment wait for each other too.
#[tracing::instrument(name = "db.session.begin_attempts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin_attempts(tx: &mut TenantTx, login: &str, address: &str) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query("insert into login_attempt (tenant_id, login, address, failures, since) values ($1, $2, $3, 0, $4) on conflict do nothing")
        .bind(tx.tenant())
        .bind(login)
        .bind(address)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Like [`attempts`]; nobody else counts until the transaction ends.
#[tracing::instrument(name = "db.session.lock_attempts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_attempts(tx: &mut TenantTx, login: &str, address: &str) -> sqlx::Result<Option<Attempts>> {
    let row: Option<Counted> = sqlx::query_as(
        "select failures, since, locked_until from login_attempt where tenant_id = $1 and login = $2 and address = $3 for update",
    )
    .bind(tx.tenant())
    .bind(login)
    .bind(address)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(counted))
}

/// A session as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub user_id: Uuid,
    auth_time: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

/// A session to begin.
#[derive(Debug)]
pub struct New<'a> {
    pub id: Uuid,
    pub user: Uuid,
    pub expires_at: Timestamp,
    pub address: &'a str,
    /// Hash of the secret in a browser's cookie; others have refresh tokens.
    pub secret: Option<&'a [u8]>,
}

impl Row {
    /// When it ends by itself.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at.to_jiff()
    }

    /// When the person proved who they are.
    pub fn auth_time(&self) -> Timestamp {
        self.auth_time.to_jiff()
    }

    /// Whether it ended or ran out.
    pub fn over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || now >= self.expires_at.to_jiff()
    }
}

#[tracing::instrument(name = "db.session.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> sqlx::Result<Row> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "insert into session (tenant_id, id, user_id, auth_time, expires_at, address, secret_hash) values ($1, $2, $3, $4, $5, $6, $7)
         returning id, user_id, auth_time, expires_at, ended_at",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.user)
    .bind(now)
    .bind(new.expires_at.to_sqlx())
    .bind(new.address)
    .bind(new.secret)
    .fetch_one(tx.conn())
    .await
}

/// The session of a browser's secret.
#[tracing::instrument(name = "db.session.by_secret", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_secret(tx: &mut TenantTx, hash: &[u8]) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select id, user_id, auth_time, expires_at, ended_at from session where tenant_id = $1 and secret_hash = $2")
        .bind(tx.tenant())
        .bind(hash)
        .fetch_optional(tx.conn())
        .await
}

/// Lets the session of a browser's secret run out sooner; which one it is, unless it ended.
#[tracing::instrument(name = "db.session.shorten", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn shorten(tx: &mut TenantTx, hash: &[u8], until: Timestamp) -> sqlx::Result<Option<Uuid>> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "update session set expires_at = least(expires_at, $3) where tenant_id = $1 and secret_hash = $2 and ended_at is null returning id",
    )
    .bind(tx.tenant())
    .bind(hash)
    .bind(until.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(id,)| id))
}

/// Ends a session; false when it had ended.
#[tracing::instrument(name = "db.session.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<bool> {
    let now = tx.now().to_sqlx();
    let ended = sqlx::query("update session set ended_at = $3 where tenant_id = $1 and id = $2 and ended_at is null")
        .bind(tx.tenant())
        .bind(id)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// A refresh token with its session, locked; and whether its successor was used.
#[derive(Debug, sqlx::FromRow)]
pub struct Token {
    pub used_at: Option<jiff_sqlx::Timestamp>,
    pub successor: Option<Vec<u8>>,
    #[sqlx(flatten)]
    pub session: Row,
}

#[tracing::instrument(name = "db.session.lock_token", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_token(tx: &mut TenantTx, hash: &[u8]) -> sqlx::Result<Option<Token>> {
    sqlx::query_as(
        "select t.used_at, t.successor, s.id, s.user_id, s.auth_time, s.expires_at, s.ended_at
         from refresh_token t join session s on s.tenant_id = $1 and s.id = t.session_id
         where t.tenant_id = $1 and t.hash = $2 for update",
    )
    .bind(tx.tenant())
    .bind(hash)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.session.token_used", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn token_used(tx: &mut TenantTx, hash: &[u8]) -> sqlx::Result<bool> {
    let row: Option<(bool,)> = sqlx::query_as("select used_at is not null from refresh_token where tenant_id = $1 and hash = $2")
        .bind(tx.tenant())
        .bind(hash)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some_and(|(used,)| used))
}

#[tracing::instrument(name = "db.session.insert_token", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert_token(tx: &mut TenantTx, hash: &[u8], session: Uuid) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query("insert into refresh_token (tenant_id, hash, session_id, created_at) values ($1, $2, $3, $4)")
        .bind(tx.tenant())
        .bind(hash)
        .bind(session)
        .bind(now)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Marks a token used, with the one it was exchanged for; one that was replaced before is dropped.
#[tracing::instrument(name = "db.session.exchange", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn exchange(tx: &mut TenantTx, hash: &[u8], successor: &[u8], replaced: Option<&[u8]>) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query("update refresh_token set used_at = coalesce(used_at, $4), successor = $3 where tenant_id = $1 and hash = $2")
        .bind(tx.tenant())
        .bind(hash)
        .bind(successor)
        .bind(now)
        .execute(tx.conn())
        .await?;
    if let Some(replaced) = replaced {
        sqlx::query("delete from refresh_token where tenant_id = $1 and hash = $2 and used_at is null")
            .bind(tx.tenant())
            .bind(replaced)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}
