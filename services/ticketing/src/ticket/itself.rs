//! What happens to a request by itself: a clock has something to say, or a new calendar moves its clocks.

use drumtower_runtime::{Call, Db, Fault};
use uuid::Uuid;

use super::{
    rules::{self, Command, Event, Who},
    store, tell,
};
use crate::{figure, setting::Settings};

/// One change of one request that nobody asked for, in a transaction of its own.
pub async fn by_itself(db: &Db, settings: &Settings, call: &Call, id: Uuid, command: Command) -> Result<(), Fault> {
    let setting = settings.of(call).await?;
    let mut tx = db.write(call).await?;
    let (matter, mut ticket) = store::lock(&mut tx, id).await?;
    let change = rules::decide(&ticket, &command, &Who::timer(), call.now, setting.book(&matter.machine))?;
    let before = ticket.clone();
    ticket.apply(&change, call.now);
    let event = Event { version: ticket.version, verb: command.verb(), at: call.now, unit: ticket.lead, change };
    let history = store::History { event: &event, actor: &call.actor_name(), text: "" };
    store::save(&mut tx, &matter, &before, &ticket, &history, setting.policy_version()).await?;
    let facts = rules::facts(&before, &ticket, &event.change);
    let happened = figure::store::Happened { ticket: matter.id, version: event.version, at: event.at, facts };
    figure::store::insert(&mut tx, &[happened]).await?;
    tx.emit(tell::fired(&matter, &before, &ticket, &event));
    tx.done().await
}
