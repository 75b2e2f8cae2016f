//! What happens to requests by themselves: a clock has something to say, or a new calendar moves their clocks.

use drumtower_runtime::{Call, Db, Fault, TenantTx};
use uuid::Uuid;

use super::{
    change::{Said, change},
    rules::{Command, Ticket, Who},
    store::{self, Matter},
};
use crate::setting::{Setting, Settings};

/// One change of one request that nobody asked for, in a transaction of its own.
pub async fn by_itself(db: &Db, settings: &Settings, call: &Call, id: Uuid, command: Command) -> Result<(), Fault> {
    let setting = settings.of(call).await?;
    let mut tx = db.write(call).await?;
    let found = store::lock(&mut tx, id).await?;
    unasked(&mut tx, call, &setting, found, command).await?;
    tx.done().await
}

/// Some changes of some requests, in one transaction: those that nobody else holds just now. How many were looked at; what a rule refuses,
/// which it does before anything is written, is left as it is.
pub async fn some_by_themselves(db: &Db, settings: &Settings, call: &Call, all: Vec<(Uuid, Command)>) -> Result<usize, Fault> {
    let setting = settings.of(call).await?;
    let mut tx = db.write(call).await?;
    let ids: Vec<Uuid> = all.iter().map(|(id, _)| *id).collect();
    let free = store::lock_free(&mut tx, &ids).await?;
    let mut seen = 0;
    for (id, command) in all.into_iter().filter(|(id, _)| free.contains(id)) {
        let found = store::by_id(&mut tx, id).await?;
        match unasked(&mut tx, call, &setting, found, command).await {
            Ok(()) => {}
            Err(Fault::Refused(refusal)) if refusal.reason() == "NOT_DUE" => {}
            Err(fault) => return Err(fault),
        }
        seen += 1;
    }
    tx.done().await?;
    Ok(seen)
}

async fn unasked(tx: &mut TenantTx, call: &Call, setting: &Setting, found: (Matter, Ticket), command: Command) -> Result<(), Fault> {
    let text = if let Command::Fire { name, .. } = &command { name.text() } else { "" };
    change(tx, call, setting, &Who::timer(), found, command, Said { by: &call.actor_name(), text }).await.map(drop)
}
