//! A new calendar moves the clocks that run: one job, request by request and call by call, each with an event of its own. Begun again after a crash it
//! finds what is left, for a clock that was moved is not moved twice. What ran out stays late, what stands still is reckoned when it goes on.

use std::time::Duration;

use drumtower_runtime::{Call, Clock as Time, Db, Fault, log::NewEvent};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{FRESH, Settings, store};
use crate::{
    clock,
    direct_line::rules::DirectCall,
    outreach::{
        Noun as _,
        store::{self as outreach, Said},
    },
    ticket::{self, rules::Command},
};

/// Requests looked at before the next page is asked for.
const PAGE: i64 = 200;

/// After a failure, how long until it is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Runs until the process ends, beside the watch: no clock waits for it.
pub async fn follow_calendars(db: Db, time: Time, settings: Settings) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for tenant in districts(&db, &time).await.unwrap_or_default() {
            if let Err(error) = apply(&db, &time, &settings, tenant).await {
                tracing::warn!(tenant, ?error, "clocks follow the new calendar later");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Only a calendar that every process knows by now: a clock that one of them still started by the old one would be missed.
fn known_everywhere(time: &Time) -> jiff::Timestamp {
    time.now() - SignedDuration::try_from(2 * FRESH).unwrap_or(SignedDuration::from_secs(6))
}

/// Districts whose clocks have to follow a new calendar.
async fn districts(db: &Db, time: &Time) -> Result<Vec<i32>, Fault> {
    let found = db
        .sweep(
            "select tenant_id, count(*) from setting where kind = 3 and applied_at is null and published_at <= $1
             group by tenant_id order by tenant_id",
            known_everywhere(time),
        )
        .await?;
    Ok(found.into_iter().map(|(tenant, _)| tenant).collect())
}

/// Moves a district's clocks.
async fn apply(db: &Db, time: &Time, settings: &Settings, tenant: i32) -> Result<(), Fault> {
    let call = || Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(30));
    let Some(number) = store::to_apply(&mut db.read(&call()).await?, known_everywhere(time)).await? else { return Ok(()) };
    settings.changed(tenant).await;
    let (mut after, mut seen, mut moved, mut failed) = (Uuid::nil(), 0u64, 0u64, 0u64);
    loop {
        let page = clock::store::running_after(&mut db.read(&call()).await?, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        for id in page {
            seen += 1;
            match ticket::by_itself(db, settings, &call(), id, Command::Reckon).await {
                Ok(()) => moved += 1,
                Err(Fault::Refused(refusal)) if refusal.reason() == "NOT_DUE" => {}
                // The others follow all the same; the job is not done before this one does.
                Err(error) => {
                    failed += 1;
                    tracing::warn!(tenant, ticket = %id, ?error, "its clocks do not follow the new calendar");
                }
            }
        }
    }
    if failed > 0 {
        return Err(Fault::broken(format!("{failed} requests do not follow the new calendar")));
    }
    let calls = move_calls(db, settings, call).await?;
    let mut tx = db.write(&call()).await?;
    if store::applied(&mut tx, number).await? {
        let facts = serde_json::json!({ "number": number, "requests": seen, "moved": moved, "calls": calls });
        tx.emit(NewEvent::new("calendar.applied", format!("CALENDAR/{number}"), i64::from(number)).facts(facts));
    }
    tx.done().await
}

/// Moves the clocks of direct calls, one after the other; how many. Tasks of discussions are due at an instant that was said.
async fn move_calls(db: &Db, settings: &Settings, call: impl Fn() -> Call) -> Result<u64, Fault> {
    let (mut after, mut moved) = (Uuid::nil(), 0);
    loop {
        let page = outreach::running_after(&mut db.read(&call()).await?, DirectCall::NAME, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(moved) };
        after = *last;
        for id in page {
            let call = call();
            let setting = settings.of(&call).await?;
            let mut tx = db.write(&call).await?;
            let before = outreach::lock::<DirectCall>(&mut tx, id).await?;
            let Some(reckoned) = before.thing.reckoned(setting.promises(), call.now) else { continue };
            let said = Said { verb: "reckon", by: &call.actor_name(), unit: Some(before.thing.unit), text: "" };
            outreach::save(&mut tx, &before, reckoned, said).await?;
            tx.done().await?;
            moved += 1;
        }
    }
}
