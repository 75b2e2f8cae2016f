//! Requests of before facts were kept: their events are read again, and make the facts they would have made. Begun again after a crash it
//! finds what is left.

use std::time::Duration;

use drumtower_runtime::{Call, Clock as Time, Db, Fault};
use uuid::Uuid;

use super::store::{self, Happened};
use crate::ticket::{
    rules::{Change, Ticket},
    store as tickets,
};

/// Requests looked at before the next are asked for.
const PAGE: i64 = 200;

/// Runs until the process ends, beside the watch: no clock waits for it.
pub async fn keep_facts(db: Db, time: Time) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for tenant in districts(&db, &time).await.unwrap_or_default() {
            if let Err(error) = backfill(&db, &time, tenant).await {
                tracing::warn!(tenant, ?error, "facts are kept later");
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        }
    }
}

/// Districts with requests whose facts are not kept yet.
async fn districts(db: &Db, time: &Time) -> Result<Vec<i32>, Fault> {
    let found = db
        .sweep(
            "select tenant_id, count(*) from ticket where not counted and submitted_at <= $1 group by tenant_id order by tenant_id",
            time.now(),
        )
        .await?;
    Ok(found.into_iter().map(|(tenant, _)| tenant).collect())
}

/// Keeps the facts of a district's requests.
async fn backfill(db: &Db, time: &Time, tenant: i32) -> Result<(), Fault> {
    let call = || Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(30));
    let (mut after, mut failed) = (Uuid::nil(), 0u64);
    loop {
        let page = store::uncounted(&mut db.read(&call()).await?, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        for ticket in page {
            // The others are counted all the same; a report waits until this one is.
            if let Err(error) = count(db, &call(), ticket).await {
                failed += 1;
                tracing::warn!(tenant, %ticket, ?error, "its facts are not kept");
            }
        }
    }
    if failed > 0 { Err(Fault::broken(format!("the facts of {failed} requests are not kept"))) } else { Ok(()) }
}

async fn count(db: &Db, call: &Call, ticket: Uuid) -> Result<(), Fault> {
    let mut tx = db.write(call).await?;
    // Locked, so that no change comes between the events that are read and the mark.
    tickets::lock(&mut tx, ticket).await?;
    let history = tickets::events(&mut tx, ticket).await?;
    store::insert(&mut tx, &again(ticket, &history)?).await?;
    store::counted(&mut tx, ticket).await?;
    tx.done().await
}

/// All facts of a request, from its events alone.
fn again(id: Uuid, history: &[tickets::Told]) -> Result<Vec<Happened>, Fault> {
    let mut made = Vec::new();
    let mut ticket: Option<Ticket> = None;
    for told in history {
        let change: Change = serde_json::from_str(&told.facts).map_err(|error| Fault::broken(format!("{id}/{}: {error}", told.version)))?;
        let at = told.at.to_jiff();
        match &mut ticket {
            None => ticket = Ticket::begin(&change, at),
            Some(ticket) => {
                let before = ticket.clone();
                ticket.apply(&change, at);
                made.push(Happened::of(id, &before, ticket, &change));
            }
        }
    }
    Ok(made)
}
