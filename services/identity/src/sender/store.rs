//! Questions to the table of senders.

use drumtower_proto::identity::Means;
use drumtower_runtime::TenantTx;

use crate::reach::store::number;

/// A sender as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    means: i16,
    pub settings: String,
    pub secrets: Vec<u8>,
    pub open: bool,
    pub version: i64,
}

impl Row {
    /// Which means.
    pub fn means(&self) -> Means {
        Means::try_from(i32::from(self.means)).unwrap_or_default()
    }
}

#[tracing::instrument(name = "db.sender.of", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of(tx: &mut TenantTx, means: Means) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select means, settings, secrets, open, version from sender where tenant_id = $1 and means = $2")
        .bind(tx.tenant())
        .bind(number(means))
        .fetch_optional(tx.conn())
        .await
}

/// Whether a means has an open sender.
#[tracing::instrument(name = "db.sender.open", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn open(tx: &mut TenantTx, means: Means) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select 1 from sender where tenant_id = $1 and means = $2 and open)")
        .bind(tx.tenant())
        .bind(number(means))
        .fetch_one(tx.conn())
        .await
}

#[tracing::instrument(name = "db.sender.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select means, settings, secrets, open, version from sender where tenant_id = $1 order by means")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await
}

/// Sets a sender that still has a version, 0 for none; `None` when somebody was first.
#[tracing::instrument(name = "db.sender.set", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn set(tx: &mut TenantTx, means: Means, version: i64, settings: &str, secrets: &[u8], open: bool) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "insert into sender as s (tenant_id, means, settings, secrets, open, version) values ($1, $2, $4, $5, $6, 1)
         on conflict (tenant_id, means) do update
         set settings = excluded.settings, secrets = excluded.secrets, open = excluded.open, version = s.version + 1 where s.version = $3
         returning means, settings, secrets, open, version",
    )
    .bind(tx.tenant())
    .bind(number(means))
    .bind(version)
    .bind(settings)
    .bind(secrets)
    .bind(open)
    .fetch_optional(tx.conn())
    .await
}
