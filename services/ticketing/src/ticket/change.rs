//! One change of one request, whoever brings it about: decide, apply, save, count, tell.

use drumtower_runtime::{Call, Fault, TenantTx};
use uuid::Uuid;

use super::{
    rules::{self, Aside, Change, Command, Event, Position, Ticket, Who},
    store::{self, History, Matter},
    tell,
};
use crate::{
    attachment,
    figure::{self, store::Happened},
    setting::Setting,
};

/// The words that go with a change, and who the history says said them.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub by: &'a str,
    pub text: &'a str,
}

/// One change of one request within a transaction: decide, apply, save, tell.
pub async fn change(
    tx: &mut TenantTx,
    call: &Call,
    setting: &Setting,
    who: &Who,
    (mut matter, mut ticket): (Matter, Ticket),
    command: Command,
    said: Said<'_>,
) -> Result<(Matter, Ticket), Fault> {
    let mut command = placed(command, &matter);
    if let Command::ReportDone { parts_open, evidence, .. } = &mut command {
        if !ticket.side.children.is_empty() {
            *parts_open = store::parts_open(tx, matter.id).await?;
        }
        if let Some(lead) = ticket.lead.filter(|lead| who.stands_for(*lead)) {
            *evidence = attachment::store::use_of_unit(tx, matter.id, lead).await?;
        }
    }
    if !command.attachments().is_empty() {
        let photo = matches!(command, Command::CheckIn { .. });
        attachment::api::rest_on(tx, matter.id, who.user, command.attachments(), photo).await?;
    }
    let change = rules::decide(&ticket, &command, who, call.now, setting.book(&matter.machine))?;
    let before = ticket.clone();
    ticket.apply(&change, call.now);
    if words_of_the_result(&change, &ticket) {
        said.text.clone_into(&mut matter.result_text);
    }
    let verb = verb_of(&command, &change);
    let event = Event { version: ticket.version, verb, at: call.now, unit: unit_of(&change, &ticket), change };
    let history = History { event: &event, actor: said.by, text: said.text };
    store::save(tx, &matter, &before, &ticket, &history, setting.policy_version()).await?;
    if let (Command::CheckIn { at, .. }, Change::CheckedIn { unit, user, distance_m, clock_skewed, how, offline, arrived_at, photo }) =
        (&command, &event.change)
    {
        let arrival = store::Arrival {
            visit: ticket.side.visits,
            user: *user,
            unit: *unit,
            latitude: at.latitude,
            longitude: at.longitude,
            distance_m: distance_m.and_then(|distance| i32::try_from(distance).ok()),
            clock_skewed: *clock_skewed,
            how,
            offline: *offline,
            arrived_at: *arrived_at,
            photo: *photo,
        };
        store::check_in(tx, matter.id, &arrival, call.now).await?;
    }
    figure::store::insert(tx, &[Happened::of(matter.id, &before, &ticket, &event.change)]).await?;
    tx.emit(tell::event(&matter, &before, &ticket, &event));
    Ok((matter, ticket))
}

/// A check-in is measured against the building of the request.
fn placed(command: Command, matter: &Matter) -> Command {
    match (command, matter.latitude, matter.longitude) {
        (Command::CheckIn { at, device_time, proof, .. }, Some(latitude), Some(longitude)) => {
            Command::CheckIn { at, building: Some(Position { latitude, longitude }), device_time, proof }
        }
        (command, ..) => command,
    }
}

/// The lead unit's report, or an answer on the spot, is what the requester reads.
fn words_of_the_result(change: &Change, ticket: &Ticket) -> bool {
    match change {
        Change::Reported { unit, .. } => ticket.lead == Some(*unit),
        Change::Beside(Aside::Answered { .. }) => true,
        _ => false,
    }
}

/// The unit that an event was done for.
fn unit_of(change: &Change, ticket: &Ticket) -> Option<Uuid> {
    match change {
        Change::Signed { unit, .. }
        | Change::Returned { unit, .. }
        | Change::Transferred { unit, .. }
        | Change::Contacted { unit, .. }
        | Change::SetOut { unit, .. }
        | Change::CheckedIn { unit, .. }
        | Change::Reported { unit, .. } => Some(*unit),
        Change::SignedOff { .. } | Change::SentBack => ticket.lead,
        Change::Breached { .. } | Change::Warned { .. } | Change::Reckoned { .. } => ticket.lead,
        Change::Beside(aside) => aside.unit(ticket),
        _ => None,
    }
}

/// What the history calls it: what a clock did, where a clock did it.
fn verb_of(command: &Command, change: &Change) -> &'static str {
    match (command, change) {
        (Command::Fire { .. }, Change::Breached { .. }) => "breach",
        (Command::Fire { .. }, Change::Warned { .. }) => "warn",
        (Command::Fire { .. }, Change::Beside(Aside::Resumed { .. })) => "resume",
        (Command::Fire { .. }, Change::Beside(Aside::RatingClosed)) => "closeRating",
        _ => command.verb(),
    }
}
