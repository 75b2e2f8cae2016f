//! A new calendar moves the clocks that run: one job, request by request, each with an event of its own. Begun again after a crash it
//! finds what is left, for a clock that was moved is not moved twice. What ran out stays late, what stands still is reckoned when it goes on.

use std::time::Duration;

use drumtower_runtime::{Call, Clock as Time, Db, Fault, log::NewEvent};
use uuid::Uuid;

use super::{Settings, store};
use crate::{
    clock,
    ticket::{self, rules::Command},
};

/// Requests looked at before the next page is asked for.
const PAGE: i64 = 200;

/// Districts whose clocks have to follow a new calendar.
pub async fn districts(db: &Db, time: &Time) -> Result<Vec<i32>, Fault> {
    let found = db
        .sweep(
            "select tenant_id, count(*) from setting where kind = 3 and applied_at is null and published_at <= $1
             group by tenant_id order by tenant_id",
            time.now(),
        )
        .await?;
    Ok(found.into_iter().map(|(tenant, _)| tenant).collect())
}

/// Moves a district's clocks.
pub async fn apply(db: &Db, time: &Time, settings: &Settings, tenant: i32) -> Result<(), Fault> {
    let call = || Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(30));
    let Some(number) = store::to_apply(&mut db.read(&call()).await?).await? else { return Ok(()) };
    settings.changed(tenant).await;
    let (mut after, mut seen, mut moved) = (Uuid::nil(), 0u64, 0u64);
    loop {
        let page = clock::store::running_after(&mut db.read(&call()).await?, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        for id in page {
            seen += 1;
            match ticket::by_itself(db, settings, &call(), id, Command::Reckon).await {
                Ok(()) => moved += 1,
                Err(Fault::Refused(refusal)) if refusal.reason() == "NOT_DUE" => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    let mut tx = db.write(&call()).await?;
    if store::applied(&mut tx, number).await? {
        let facts = serde_json::json!({ "number": number, "requests": seen, "moved": moved });
        tx.emit(NewEvent::new("calendar.applied", format!("CALENDAR/{number}"), i64::from(number)).facts(facts));
    }
    tx.done().await
}
