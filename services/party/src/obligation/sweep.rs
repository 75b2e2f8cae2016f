//! The worker: every minute it evaluates the districts where something changed, and every district once the day has turned and once the
//! hour of reminders has come. One process does it at a time.

use std::time::Duration;

use drumtower_runtime::{Call, Clock, Fault};
use uuid::Uuid;

use super::{evaluator::Evaluator, rules::turn, store};

const EVERY: Duration = Duration::from_secs(60);
/// Longer than a pause between two sweeps, or the lease would wander.
const LEASE: Duration = Duration::from_secs(150);
/// How long one district may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Runs until the process ends.
pub async fn sweep(evaluator: Evaluator, clock: Clock) {
    let holder = Uuid::now_v7().to_string();
    loop {
        if let Err(fault) = round(&evaluator, &clock, &holder).await {
            tracing::warn!(?fault, "the sweep over obligations rests until the next minute");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// One round over the districts with something to evaluate. A district that fails does not keep the others waiting.
async fn round(evaluator: &Evaluator, clock: &Clock, holder: &str) -> Result<(), Fault> {
    let db = &evaluator.db;
    if db.lease("obligations", holder, clock.now(), LEASE).await?.is_none() {
        return Ok(());
    }
    let waiting = db
        .sweep_at_work(
            "select tenant_id, changes from evaluation where changes > seen or evaluated_at < $1 order by evaluated_at",
            turn(clock.now()),
        )
        .await?;
    for (tenant, _) in waiting {
        let now = clock.now();
        if db.lease("obligations", holder, now, LEASE).await?.is_none() {
            return Ok(());
        }
        let call = Call::of_service("party", tenant, now, WITHIN);
        if let Err(fault) = district(evaluator, &call).await {
            tracing::warn!(tenant, ?fault, "obligations of a district were not evaluated");
        }
    }
    Ok(())
}

#[tracing::instrument(name = "obligation.evaluate", skip_all, fields(tenant.id = call.tenant))]
async fn district(evaluator: &Evaluator, call: &Call) -> Result<(), Fault> {
    let (tally, seen) = evaluator.district(call).await?;
    let mut tx = evaluator.db.write(call).await?;
    store::evaluated(&mut tx, seen).await?;
    tx.done().await?;
    tracing::info!(?tally, "obligations evaluated");
    Ok(())
}
