//! The watch over clocks of calls and tasks. The due index says what may have something to say; whether it does, the facts say under lock.

use std::{collections::BTreeMap, time::Duration};

use drumtower_runtime::{Call, Clock as Time, Db, Fault};
use uuid::Uuid;

use super::{
    Clocked, Kept,
    store::{self, Said},
};
use crate::{
    clock::{
        rules::Word,
        watch::{TURN, Watched},
    },
    direct_line::rules::DirectCall,
    discussion::rules::Discussion,
};

/// Clocks of direct calls and of discussions' tasks.
#[derive(Debug)]
pub struct Dues {
    pub db: Db,
    pub time: Time,
}

impl Watched for Dues {
    const DUE: &'static str = "select tenant_id, count(*) from outreach_due where fires_at <= $1 group by tenant_id order by tenant_id";

    async fn turn(&self, tenant: i32) -> Result<bool, Fault> {
        let call = || Call::of_service("ticketing", tenant, self.time.now(), Duration::from_secs(10));
        let mut due: BTreeMap<String, Vec<(Uuid, i32)>> = BTreeMap::new();
        let mut found = 0;
        for (subject, number, noun) in store::speaking(&mut self.db.read(&call()).await?, TURN).await? {
            due.entry(noun).or_default().push((subject, number));
            found += 1;
        }
        let mut heard = 0;
        for (noun, due) in due {
            heard += match noun.as_str() {
                "direct_call" => self.hear::<DirectCall>(&call, due).await,
                "discussion" => self.hear::<Discussion>(&call, due).await,
                _ => return Err(Fault::broken(format!("a clock is of a {noun}"))),
            };
        }
        Ok(found == TURN && heard > 0)
    }
}

impl Dues {
    /// All in one transaction; when that cannot be done one by one, so that one which fails keeps none of the others waiting.
    async fn hear<T: Clocked>(&self, call: &(impl Fn() -> Call + Sync), due: Vec<(Uuid, i32)>) -> usize {
        match self.take::<T>(&call(), &due).await {
            Ok(heard) => heard,
            Err(error) => {
                tracing::warn!(noun = T::NAME, ?error, "the watch takes them one by one");
                let mut heard = 0;
                for one in due {
                    match self.take::<T>(&call(), &[one]).await {
                        Ok(taken) => heard += taken,
                        Err(error) => tracing::warn!(subject = %one.0, ?error, "the watch comes back to it"),
                    }
                }
                heard
            }
        }
    }

    /// What nobody else holds just now speaks; how many were looked at.
    async fn take<T: Clocked>(&self, call: &Call, due: &[(Uuid, i32)]) -> Result<usize, Fault> {
        let mut tx = self.db.write(call).await?;
        let ids: Vec<Uuid> = due.iter().map(|(id, _)| *id).collect();
        let free = store::lock_free::<T>(&mut tx, &ids).await?;
        let mut free: BTreeMap<Uuid, Kept<T>> = free.into_iter().map(|kept| (kept.id, kept)).collect();
        let mut seen = 0;
        for (id, number) in due {
            let Some(before) = free.remove(id) else { continue };
            seen += 1;
            let after = match before.thing.fired(*number, call.now) {
                Ok((after, word)) => {
                    let verb = if word == Word::Warning { "warn" } else { "breach" };
                    let said = Said { verb, by: &call.actor_name(), unit: before.thing.unit_of(*number), text: "" };
                    let after = store::save(&mut tx, &before, after, said).await?;
                    tx.emit(T::spoke(&after, *number, word));
                    after
                }
                // Somebody stopped it meanwhile, or another watch was here first.
                Err(refusal) if refusal.reason() == "NOT_DUE" => before,
                Err(refusal) => return Err(refusal.into()),
            };
            free.insert(*id, after);
        }
        tx.done().await?;
        Ok(seen)
    }
}
