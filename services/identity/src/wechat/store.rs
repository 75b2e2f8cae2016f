//! Questions to the messages that came by WeChat.

use drumtower_runtime::TenantTx;
use jiff_sqlx::ToSqlx as _;

/// What was answered to a message, sealed.
#[tracing::instrument(name = "db.wechat.answered", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn answered(tx: &mut TenantTx, key: &str) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("select reply from wechat_message where tenant_id = $1 and key = $2")
        .bind(tx.tenant())
        .bind(key)
        .fetch_optional(tx.conn())
        .await
}

/// Notes what was answered; the first answer stays, and is what comes back.
#[tracing::instrument(name = "db.wechat.answer", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn answer(tx: &mut TenantTx, key: &str, reply: &[u8]) -> sqlx::Result<Vec<u8>> {
    let now = tx.now().to_sqlx();
    sqlx::query_scalar(
        "insert into wechat_message as m (tenant_id, key, reply, at) values ($1, $2, $3, $4)
         on conflict (tenant_id, key) do update set reply = m.reply returning reply",
    )
    .bind(tx.tenant())
    .bind(key)
    .bind(reply)
    .bind(now)
    .fetch_one(tx.conn())
    .await
}
