//! Questions to passwords, and to the sessions that end with one.

use drumtower_runtime::TenantTx;
use uuid::Uuid;

#[tracing::instrument(name = "db.password.set", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn set(tx: &mut TenantTx, person: Uuid, hash: &str) -> sqlx::Result<()> {
    sqlx::query("update user_account set password = $3 where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(person)
        .bind(hash)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends a person's sessions but for one; those that ended.
#[tracing::instrument(name = "db.password.end_sessions", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end_sessions(tx: &mut TenantTx, person: Uuid, but: Option<Uuid>) -> sqlx::Result<Vec<Uuid>> {
    let now = jiff_sqlx::ToSqlx::to_sqlx(tx.now());
    sqlx::query_scalar(
        "update session set ended_at = $3 where tenant_id = $1 and user_id = $2 and ended_at is null and expires_at > $3
           and ($4::uuid is null or id <> $4) returning id",
    )
    .bind(tx.tenant())
    .bind(person)
    .bind(now)
    .bind(but)
    .fetch_all(tx.conn())
    .await
}
