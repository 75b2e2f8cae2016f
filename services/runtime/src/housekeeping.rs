//! What keeps a service's tables from growing without end: idempotency keys are kept for two days, then dropped, district by district.

use std::time::Duration;

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx as _;

use crate::{call::Call, clock::Clock, db::Db, fault::Fault};

/// How long a key is good for.
const KEPT: SignedDuration = SignedDuration::from_hours(48);
/// How often old ones are looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Rows dropped in one transaction.
const BATCH: i64 = 2000;

/// Runs until the process ends. Two processes at once do no harm.
pub async fn keep_house(db: Db, clock: Clock) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = drop_old_keys(&db, &clock).await {
            tracing::warn!(?error, "old idempotency keys stay a while longer");
        }
    }
}

/// Drops the keys of every district that has old ones; how many.
pub async fn drop_old_keys(db: &Db, clock: &Clock) -> Result<u64, Fault> {
    let before = clock.now() - KEPT;
    let districts =
        db.sweep("select tenant_id, count(*) from request_key where at < $1 group by tenant_id order by tenant_id", before).await?;
    let mut dropped = 0;
    for (tenant, _) in districts {
        loop {
            let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(10));
            let mut tx = db.write(&call).await?;
            let gone = sqlx::query(
                "delete from request_key where tenant_id = $1 and (principal, key) in
                   (select principal, key from request_key where tenant_id = $1 and at < $2 limit $3)",
            )
            .bind(tx.tenant())
            .bind(before.to_sqlx())
            .bind(BATCH)
            .execute(tx.conn())
            .await?;
            tx.done().await?;
            dropped += gone.rows_affected();
            if gone.rows_affected() < BATCH.unsigned_abs() {
                break;
            }
        }
    }
    Ok(dropped)
}
