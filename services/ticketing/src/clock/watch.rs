//! The watch: once a second it finds the districts with clocks that have something to say, and takes a few of each in turn, so that none
//! waits for another. Each clock speaks once, for its mark is set in the transaction that locks what it is of; a second watch changes nothing.

use std::{collections::VecDeque, time::Duration};

use drumtower_runtime::{Call, Clock as Time, Db, Fault};

use super::{rules::Name, store};
use crate::{
    setting::Settings,
    ticket::{by_itself, rules::Command, some_by_themselves},
};

/// Clocks taken of one district before it is the next one's turn.
pub const TURN: i64 = 50;

/// Clocks of one kind of thing.
pub trait Watched {
    /// Districts where some have something to say: a sweep.
    const DUE: &'static str;

    /// One turn of one district; whether more waits.
    fn turn(&self, tenant: i32) -> impl Future<Output = Result<bool, Fault>> + Send;
}

/// Runs until the process ends.
pub async fn watch<W: Watched + Send + Sync>(db: Db, time: Time, watched: W) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        match db.sweep_at_work(W::DUE, time.now()).await {
            Ok(found) => {
                let mut queue: VecDeque<i32> = found.into_iter().map(|(tenant, _)| tenant).collect();
                while let Some(tenant) = queue.pop_front() {
                    match watched.turn(tenant).await {
                        Ok(true) if !db.resting().rests(tenant) => queue.push_back(tenant),
                        Ok(_) => {}
                        Err(error) => tracing::warn!(tenant, ?error, "the watch comes back to this district"),
                    }
                }
            }
            Err(error) => tracing::warn!(?error, "the watch found no database"),
        }
    }
}

/// Clocks of requests.
#[derive(Debug)]
pub struct OfRequests {
    pub db: Db,
    pub time: Time,
    pub settings: Settings,
}

impl Watched for OfRequests {
    const DUE: &'static str = "select tenant_id, count(*) from clock where fires_at <= $1 group by tenant_id order by tenant_id";

    /// A request that fails keeps none of the others waiting: when all at once cannot be done, they are taken one by one.
    async fn turn(&self, tenant: i32) -> Result<bool, Fault> {
        let call = || Call::of_service("ticketing", tenant, self.time.now(), Duration::from_secs(10));
        let mut due = Vec::new();
        for (ticket, name, round) in store::speaking(&mut self.db.read(&call()).await?, TURN).await? {
            let name = Name::read(&name).ok_or_else(|| Fault::broken(format!("a clock is called {name}")))?;
            due.push((ticket, Command::Fire { name, round }));
        }
        let full = due.len() == usize::try_from(TURN).unwrap_or_default();
        // A request that another watch holds now is that one's.
        let heard = match some_by_themselves(&self.db, &self.settings, &call(), due.clone()).await {
            Ok(heard) => heard,
            Err(error) => {
                tracing::warn!(tenant, ?error, "the watch takes requests one by one");
                one_by_one(&self.db, &self.settings, call, due).await
            }
        };
        Ok(full && heard > 0)
    }
}

async fn one_by_one(db: &Db, settings: &Settings, call: impl Fn() -> Call, due: Vec<(uuid::Uuid, Command)>) -> usize {
    let mut heard = 0;
    for (ticket, command) in due {
        match by_itself(db, settings, &call(), ticket, command).await {
            Ok(()) => heard += 1,
            // Somebody stopped it meanwhile, or another watch was here first.
            Err(Fault::Refused(refusal)) if refusal.reason() == "NOT_DUE" => heard += 1,
            Err(error) => tracing::warn!(%ticket, ?error, "the watch comes back to this request"),
        }
    }
    heard
}
