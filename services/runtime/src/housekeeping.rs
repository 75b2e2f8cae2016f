//! What keeps a service's tables from growing without end: what is past its use is dropped, district by district, a batch at a time.

use std::time::Duration;

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx as _;

use crate::{call::Call, clock::Clock, db::Db, fault::Fault};

/// What is dropped when it is older than what.
#[derive(Debug, Clone, Copy)]
pub struct Chore {
    /// For the log.
    pub name: &'static str,
    /// How long it is kept.
    pub kept: SignedDuration,
    /// Which districts have some from before `$1`: a sweep.
    pub find: &'static str,
    /// Drops some of a district `$1` from before `$2`, at most `$3` at a time.
    pub drop: &'static str,
}

/// Every service's chore: idempotency keys.
pub const KEYS: Chore = Chore {
    name: "idempotency keys",
    kept: SignedDuration::from_hours(48),
    find: "select tenant_id, count(*) from request_key where at < $1 group by tenant_id order by tenant_id",
    drop: "delete from request_key where tenant_id = $1 and (principal, key) in
             (select principal, key from request_key where tenant_id = $1 and at < $2 limit $3)",
};

/// How often old things are looked for.
const EVERY: Duration = Duration::from_secs(600);
/// Things dropped in one transaction.
const BATCH: i64 = 2000;

/// Runs until the process ends. Two processes at once do no harm.
pub async fn keep_house(db: Db, clock: Clock, chores: &'static [Chore]) {
    loop {
        tokio::time::sleep(EVERY).await;
        for chore in chores {
            if let Err(error) = chore.done(&db, &clock).await {
                tracing::warn!(?error, chore.name, "what is old stays a while longer");
            }
        }
    }
}

impl Chore {
    /// Does it for every district; how many things were dropped.
    pub async fn done(&self, db: &Db, clock: &Clock) -> Result<u64, Fault> {
        let before = clock.now() - self.kept;
        let mut dropped = 0;
        for (tenant, _) in db.sweep(self.find, before).await? {
            loop {
                let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(10));
                let mut tx = db.write(&call).await?;
                let gone =
                    sqlx::query(self.drop).bind(tx.tenant()).bind(before.to_sqlx()).bind(BATCH).execute(tx.conn()).await?.rows_affected();
                tx.done().await?;
                dropped += gone;
                if gone < BATCH.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(dropped)
    }
}
