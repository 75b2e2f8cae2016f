//! What happens to requests by themselves: a clock has something to say, or a new calendar moves their clocks.

use drumtower_runtime::{Call, Db, Fault, Refusal, TenantTx};
use uuid::Uuid;

use super::{
    rules::{self, Command, Event, Ticket, Who},
    store::{self, Matter},
    tell,
};
use crate::{
    figure,
    setting::{Setting, Settings},
};

/// One change of one request that nobody asked for, in a transaction of its own.
pub async fn by_itself(db: &Db, settings: &Settings, call: &Call, id: Uuid, command: Command) -> Result<(), Fault> {
    let setting = settings.of(call).await?;
    let mut tx = db.write(call).await?;
    let found = store::lock(&mut tx, id).await?;
    change(&mut tx, call, &setting, found, &command).await??;
    tx.done().await
}

/// Some changes of some requests, in one transaction: those that nobody else holds just now. How many were looked at; what a rule refuses
/// is left as it is.
pub async fn some_by_themselves(db: &Db, settings: &Settings, call: &Call, all: Vec<(Uuid, Command)>) -> Result<usize, Fault> {
    let setting = settings.of(call).await?;
    let mut tx = db.write(call).await?;
    let ids: Vec<Uuid> = all.iter().map(|(id, _)| *id).collect();
    let free = store::lock_free(&mut tx, &ids).await?;
    let mut seen = 0;
    for (id, command) in all.into_iter().filter(|(id, _)| free.contains(id)) {
        let found = store::by_id(&mut tx, id).await?;
        let _changed_or_not = change(&mut tx, call, &setting, found, &command).await?;
        seen += 1;
    }
    tx.done().await?;
    Ok(seen)
}

/// One change within a transaction; the inner answer is the rules'.
async fn change(
    tx: &mut TenantTx,
    call: &Call,
    setting: &Setting,
    (matter, mut ticket): (Matter, Ticket),
    command: &Command,
) -> Result<Result<(), Refusal>, Fault> {
    let change = match rules::decide(&ticket, command, &Who::timer(), call.now, setting.book(&matter.machine)) {
        Ok(change) => change,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = ticket.clone();
    ticket.apply(&change, call.now);
    let event = Event { version: ticket.version, verb: command.verb(), at: call.now, unit: ticket.lead, change };
    let history = store::History { event: &event, actor: &call.actor_name(), text: "" };
    store::save(tx, &matter, &before, &ticket, &history, setting.policy_version()).await?;
    let facts = rules::facts(&before, &ticket, &event.change);
    let happened = figure::store::Happened { ticket: matter.id, version: event.version, at: event.at, facts };
    figure::store::insert(tx, &[happened]).await?;
    tx.emit(tell::fired(&matter, &before, &ticket, &event));
    Ok(Ok(()))
}
