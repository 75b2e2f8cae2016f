//! The watch: once a second it finds the districts with clocks that have something to say, and takes a few of each in turn, so that none waits for
//! another. Each clock is found once, for its mark is set in the transaction that locks its request; a second watch changes nothing.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use drumtower_runtime::{Call, Clock as Time, Db, Fault};
use uuid::Uuid;

use super::{rules::Name, store};
use crate::ticket::{
    self,
    rules::{Command, Who},
};

/// Clocks taken of one district before it is the next one's turn.
const TURN: i64 = 50;

/// Runs until the process ends.
pub async fn watch(db: Db, time: Time, setting: Arc<crate::Setting>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        match districts(&db, &time).await {
            Ok(mut queue) => {
                while let Some(tenant) = queue.pop_front() {
                    match turn(&db, &time, &setting, tenant).await {
                        Ok(true) => queue.push_back(tenant),
                        Ok(false) => {}
                        Err(error) => tracing::warn!(tenant, ?error, "the watch comes back to this district"),
                    }
                }
            }
            Err(error) => tracing::warn!(?error, "the watch found no database"),
        }
    }
}

async fn districts(db: &Db, time: &Time) -> Result<VecDeque<i32>, Fault> {
    let found = db
        .sweep(
            "select tenant_id, count(*) from clock where fires_at <= $1
             group by tenant_id order by tenant_id",
            time.now(),
        )
        .await?;
    Ok(found.into_iter().map(|(tenant, _)| tenant).collect())
}

/// One turn of one district; whether more waits.
async fn turn(db: &Db, time: &Time, setting: &crate::Setting, tenant: i32) -> Result<bool, Fault> {
    let call = Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(10));
    let due = store::speaking(&mut db.read(&call).await?, TURN).await?;
    for (ticket, name, round) in &due {
        let name = Name::read(name).ok_or_else(|| Fault::broken(format!("a clock is called {name}")))?;
        if let Err(fault) = found(db, setting, tenant, time, *ticket, name, *round).await {
            // Somebody stopped it meanwhile, or another watch was here first.
            if !matches!(&fault, Fault::Refused(refusal) if refusal.reason() == "NOT_DUE") {
                return Err(fault);
            }
        }
    }
    Ok(due.len() == usize::try_from(TURN).unwrap_or_default())
}

/// Lets one clock say what it has to say and tells those it concerns.
async fn found(db: &Db, setting: &crate::Setting, tenant: i32, time: &Time, id: Uuid, name: Name, round: i32) -> Result<(), Fault> {
    let call = Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(10));
    let mut tx = db.write(&call).await?;
    let (matter, mut request) = ticket::store::lock(&mut tx, id).await?;
    let command = Command::Fire { name, round };
    let change = ticket::rules::decide(&request, &command, &Who::timer(), call.now, setting.book())?;
    let before = request.clone();
    request.apply(&change, call.now);
    let event = ticket::rules::Event { version: request.version, verb: command.verb(), at: call.now, unit: request.lead, change };
    let history = ticket::store::History { event: &event, actor: "service:ticketing", text: name.text() };
    ticket::store::save(&mut tx, &matter, &before, &request, &history, &setting.policy.version).await?;
    tx.emit(ticket::tell::fired(&matter, &before, &request, &event));
    tx.done().await
}
