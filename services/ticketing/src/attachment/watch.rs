//! The watch over attachments: once a second it finds the districts with some whose time has come. What was not looked at to the end is
//! looked at again; pieces that are not needed go; what nobody wants goes after a day, its objects first and its row last, so that nothing
//! is left behind whenever a process dies.

use std::{collections::VecDeque, time::Duration};

use drumtower_runtime::Fault;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Examiner,
    blob::Of,
    examine::ROOM,
    rules::{KEPT_LOOSE, Step, step},
    store::{self, Due},
};

/// Attachments taken of one district before it is the next one's turn.
const TURN: i64 = 20;
/// How long after an attachment is gone its objects go: longer than any call that may still bring a piece.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Runs until the process ends. Two processes at once do no harm. Looking takes a while, so tidying does not wait for it.
pub async fn watch(examiner: Examiner) {
    let looks = async {
        let mut beat = beat();
        loop {
            beat.tick().await;
            if let Err(error) = look_again(&examiner).await {
                tracing::warn!(?error, "what waits to be looked at waits on");
            }
        }
    };
    let tidies = async {
        let mut beat = beat();
        loop {
            beat.tick().await;
            if let Err(error) = tidy(&examiner).await {
                tracing::warn!(?error, "the watch over attachments found no database");
            }
        }
    };
    let ((), ()) = tokio::join!(looks, tidies);
}

fn beat() -> tokio::time::Interval {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat
}

/// Districts with attachments whose time has come.
async fn districts(examiner: &Examiner) -> Result<Vec<i32>, Fault> {
    let due = "select tenant_id, count(*) from attachment where due_at <= $1 group by tenant_id order by tenant_id";
    Ok(examiner.db.sweep(due, examiner.clock.now()).await?.into_iter().map(|(tenant, _)| tenant).collect())
}

/// Looks at everything in every district that nobody looked at to the end, district by district in turns.
async fn look_again(examiner: &Examiner) -> Result<(), Fault> {
    let mut queue = VecDeque::from(districts(examiner).await?);
    while let Some(tenant) = queue.pop_front() {
        let some = store::waiting(&mut examiner.db.read(&examiner.call(tenant)).await?, TURN).await?;
        if some.is_empty() {
            continue;
        }
        if !examiner.is_able().await {
            return Ok(());
        }
        let full = some.len() == usize::try_from(TURN).unwrap_or_default();
        let all = futures::stream::iter(some);
        all.for_each_concurrent(ROOM, async |id| {
            if let Err(error) = examiner.take_over(tenant, id).await {
                tracing::warn!(%id, ?error, "the watch looks at this attachment again");
            }
        })
        .await;
        if full {
            queue.push_back(tenant);
        }
    }
    Ok(())
}

/// Clears and gives up what there is in every district.
async fn tidy(examiner: &Examiner) -> Result<(), Fault> {
    for tenant in districts(examiner).await? {
        if let Err(error) = turn(examiner, tenant).await {
            tracing::warn!(tenant, ?error, "the watch over attachments comes back to this district");
        }
    }
    Ok(())
}

/// One turn of one district. One that fails keeps none of the others waiting.
async fn turn(examiner: &Examiner, tenant: i32) -> Result<(), Fault> {
    let now = examiner.clock.now();
    for Due { id, state, loose, created_at } in store::due(&mut examiner.db.read(&examiner.call(tenant)).await?, TURN).await? {
        let done = match state.map(|state| step(state, loose, created_at, now)) {
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

async fn clear(examiner: &Examiner, tenant: i32, id: Uuid, next: Timestamp) -> Result<(), Fault> {
    let call = examiner.call(tenant);
    let sealer = examiner.sealers.of(&examiner.db, &call).await?;
    examiner.blobs.drop_pieces(Of { sealer: &sealer, tenant, id }).await?;
    let mut tx = examiner.db.write(&call).await?;
    store::cleared(&mut tx, id, next).await?;
    tx.done().await
}

async fn abandon(examiner: &Examiner, tenant: i32, id: Uuid) -> Result<(), Fault> {
    let mut tx = examiner.db.write(&examiner.call(tenant)).await?;
    let at = tx.now() + GRACE;
    store::abandon(&mut tx, id, at).await?;
    tx.done().await
}

async fn remove(examiner: &Examiner, tenant: i32, id: Uuid) -> Result<(), Fault> {
    let call = examiner.call(tenant);
    let sealer = examiner.sealers.of(&examiner.db, &call).await?;
    examiner.blobs.drop_all(Of { sealer: &sealer, tenant, id }).await?;
    let mut tx = examiner.db.write(&call).await?;
    store::remove(&mut tx, id).await?;
    tx.done().await
}
