//! The watch over attachments: once a second it finds the districts with some whose time has come. What was not looked at to the end is
//! looked at again; pieces that are not needed go; what nobody wants goes after a day, its objects first and its row last, so that nothing
//! is left behind whenever a process dies.

use std::time::Duration;

use drumtower_runtime::Fault;
use jiff::SignedDuration;

use super::{
    Examiner,
    blob::Of,
    rules::{KEPT_LOOSE, Step, step},
    store,
};

/// Attachments taken of one district before it is the next one's turn.
const TURN: i64 = 20;
/// How long after an attachment is gone its objects go: longer than any call that may still bring a piece.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Runs until the process ends. Two processes at once do no harm.
pub async fn watch(examiner: Examiner) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if let Err(error) = look(&examiner).await {
            tracing::warn!(?error, "the watch over attachments found no database");
        }
    }
}

/// One look at every district.
async fn look(examiner: &Examiner) -> Result<(), Fault> {
    let due = "select tenant_id, count(*) from attachment where due_at <= $1 group by tenant_id order by tenant_id";
    for (tenant, _) in examiner.db.sweep(due, examiner.clock.now()).await? {
        if let Err(error) = turn(examiner, tenant).await {
            tracing::warn!(tenant, ?error, "the watch over attachments comes back to this district");
        }
    }
    Ok(())
}

/// One turn of one district. One that fails keeps none of the others waiting.
async fn turn(examiner: &Examiner, tenant: i32) -> Result<(), Fault> {
    let now = examiner.clock.now();
    for store::Due { id, state, loose, created_at } in store::due(&mut examiner.db.read(&examiner.call(tenant)).await?, TURN).await? {
        let done = match state.map(|state| step(state, loose, created_at, now)) {
            Some(Step::Examine) => {
                // Looking may take a while, and whoever else waits here waits for nothing of it.
                let examiner = examiner.clone();
                tokio::spawn(async move {
                    if let Err(error) = examiner.take_over(tenant, id).await {
                        tracing::warn!(%id, ?error, "the watch looks at this attachment again");
                    }
                });
                Ok(())
            }
            Some(Step::Clear) => clear(examiner, tenant, id, created_at + KEPT_LOOSE).await,
            Some(Step::Abandon) => abandon(examiner, tenant, id).await,
            None => remove(examiner, tenant, id).await,
        };
        if let Err(error) = done {
            tracing::warn!(%id, ?error, "the watch comes back to this attachment");
        }
    }
    Ok(())
}

async fn clear(examiner: &Examiner, tenant: i32, id: uuid::Uuid, next: jiff::Timestamp) -> Result<(), Fault> {
    let call = examiner.call(tenant);
    let sealer = examiner.sealers.of(&examiner.db, &call).await?;
    examiner.blobs.drop_pieces(Of { sealer: &sealer, tenant, id }).await?;
    let mut tx = examiner.db.write(&call).await?;
    store::cleared(&mut tx, id, next).await?;
    tx.done().await
}

async fn abandon(examiner: &Examiner, tenant: i32, id: uuid::Uuid) -> Result<(), Fault> {
    let mut tx = examiner.db.write(&examiner.call(tenant)).await?;
    let at = tx.now() + GRACE;
    store::abandon(&mut tx, id, at).await?;
    tx.done().await
}

async fn remove(examiner: &Examiner, tenant: i32, id: uuid::Uuid) -> Result<(), Fault> {
    let call = examiner.call(tenant);
    let sealer = examiner.sealers.of(&examiner.db, &call).await?;
    examiner.blobs.drop_all(Of { sealer: &sealer, tenant, id }).await?;
    let mut tx = examiner.db.write(&call).await?;
    store::remove(&mut tx, id).await?;
    tx.done().await
}
