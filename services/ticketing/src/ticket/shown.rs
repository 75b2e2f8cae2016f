//! A request as the contract shows it.

use drumtower_proto::ticketing as wire;
use drumtower_runtime::{
    Fault,
    clock::to_proto,
    seal::{Place, Sealer},
};
use uuid::Uuid;

use super::{
    rules::{
        self, Seen, Ticket,
        side::{Ask, Asked, Called, Case, Consultation, Task},
    },
    store::{self, Matter},
};
use crate::{clock::rules::Clock, setting::Setting};

/// Where a sealed contact belongs.
pub fn place<'a>(column: &'a str, row: &'a str) -> Place<'a> {
    Place { table: "ticket", column, row }
}

fn text(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A request as the contract shows it to somebody: whole to those inside.
pub fn shown(sealer: &Sealer, setting: &Setting, inside: bool, matter: Matter, ticket: Ticket) -> Result<wire::Ticket, Fault> {
    let whole = whole(sealer, setting, matter, ticket)?;
    Ok(if inside { whole } else { outside(whole) })
}

fn whole(sealer: &Sealer, setting: &Setting, matter: Matter, ticket: Ticket) -> Result<wire::Ticket, Fault> {
    let side = &ticket.side;
    let id = matter.id.to_string();
    let assignments = ticket.assignments.iter().map(|part| wire::Assignment {
        unit_id: part.unit.to_string(),
        kind: part.kind as i32,
        state: part.state as i32,
        handler_id: text(part.handler),
    });
    let clocks = ticket.clocks.iter().map(clock);
    Ok(wire::Ticket {
        contact_name: sealer.open(place("contact_name", &id), &matter.contact_name)?,
        contact_phone: sealer.open(place("contact_phone", &id), &matter.contact_phone)?,
        id,
        state: ticket.state as i32,
        kind: ticket.kind as i32,
        urgency: ticket.urgency as i32,
        title: matter.title,
        description: matter.description,
        enterprise_id: text(ticket.enterprise),
        enterprise_name: matter.enterprise_name,
        building_id: text(matter.building),
        place: matter.place,
        requester_id: ticket.requester.to_string(),
        lead_unit_id: text(ticket.lead),
        assignments: assignments.collect(),
        clocks: clocks.collect(),
        result: ticket.result as i32,
        result_text: matter.result_text,
        score: ticket.score,
        return_count: ticket.return_count,
        redo_count: ticket.redo_count,
        danger: ticket.danger,
        source: matter.source,
        imported: matter.imported,
        refuse_reason: ticket.refuse_reason.map(|reason| reason.as_str_name().to_owned()).unwrap_or_default(),
        possible: rules::possible(&ticket, setting.book(&matter.machine).machine).into_iter().map(str::to_owned).collect(),
        etag: ticket.version.to_string(),
        submitted_at: Some(to_proto(ticket.submitted_at)),
        updated_at: Some(to_proto(ticket.updated_at)),
        due_at: ticket.due_at().map(to_proto),
        supervision: side.supervision,
        order_number: side.order.as_ref().map(|order| format!("DB-{}-{}", matter.number, order.number)).unwrap_or_default(),
        reply_due: side.order.as_ref().and_then(|order| order.reply_due).map(to_proto),
        hold_reason: side.hold.as_ref().map_or(0, |hold| hold.reason),
        withdrawal_asked: side.withdrawal_asked,
        merged_into_id: text(side.merged_into),
        reopened: side.reopened,
        excluded: side.excluded,
        asks: side.asks.iter().map(asked).collect(),
        consultations: side.consultations.iter().map(consultation).collect(),
        tasks: side.tasks.iter().map(task).collect(),
        ledger_owner_id: text(side.ledger.as_ref().map(|ledger| ledger.owner)),
        ledger_condition: side.ledger.as_ref().map(|ledger| ledger.condition.clone()).unwrap_or_default(),
        ledger_review_on: side.ledger.as_ref().map(|ledger| ledger.review_on.to_string()).unwrap_or_default(),
        rating_tags: side.tags.clone(),
        rating_case: side.case.as_ref().map(rating_case),
        parent_id: text(matter.parent),
        child_ids: side.children.iter().map(Uuid::to_string).collect(),
        number: matter.number,
        machine: matter.machine,
    })
}

/// A clock as the contract shows it.
pub fn clock(clock: &Clock) -> wire::Clock {
    wire::Clock {
        kind: clock.name.text().to_owned(),
        started_at: Some(to_proto(clock.started_at)),
        due_at: Some(to_proto(clock.due_at)),
        stopped_at: clock.stopped_at.map(to_proto),
        provisional: clock.provisional,
        breached_at: clock.breached_at.map(to_proto),
        unit_id: text(clock.unit),
        paused: clock.paused(),
        warns_at: clock.warns.iter().copied().map(to_proto).collect(),
        warned: i32::try_from(clock.warned).unwrap_or(i32::MAX),
    }
}

/// An event as units see it, with how much of it the company sees.
pub fn told(event: store::Told) -> wire::TicketEvent {
    let seen = rules::seen(&event.verb);
    wire::TicketEvent {
        internal: seen == Seen::Nothing,
        internal_words: seen != Seen::Whole,
        version: event.version,
        verb: event.verb,
        state: i32::from(event.state),
        actor_id: if Uuid::try_parse(&event.actor).is_ok() { event.actor } else { String::new() },
        unit_id: event.unit_id.map(|id| id.to_string()).unwrap_or_default(),
        text: event.text,
        at: Some(to_proto(event.at.to_jiff())),
        facts: event.facts,
    }
}

/// An event as somebody of the company sees it. What they said themselves they may read.
pub fn told_outside(event: store::Told, reader: &str) -> Option<wire::TicketEvent> {
    let own = event.actor == reader;
    let told = told(event);
    match (told.internal, told.internal_words) {
        (true, _) => None,
        (false, true) if !own => Some(wire::TicketEvent { text: String::new(), facts: String::new(), ..told }),
        _ => Some(told),
    }
}

/// A request as its company sees it, without what units say among themselves.
fn outside(ticket: wire::Ticket) -> wire::Ticket {
    let consultations = ticket.consultations.into_iter().map(|consultation| wire::Consultation {
        called: consultation
            .called
            .into_iter()
            .map(|called| wire::consultation::Called { unit_id: called.unit_id, ..wire::consultation::Called::default() })
            .collect(),
        minutes: String::new(),
        ..consultation
    });
    wire::Ticket { consultations: consultations.collect(), asks: Vec::new(), tasks: Vec::new(), excluded: false, ..ticket }
}

fn asked(ask: &Ask) -> wire::Ask {
    let shown = wire::Ask {
        number: ask.number,
        matter: ask.asked.sought() as i32,
        state: ask.state,
        asked_by_id: ask.by.to_string(),
        unit_id: text(ask.unit),
        asked_at: Some(to_proto(ask.at)),
        decided_by_ids: ask.decided_by.iter().map(Uuid::to_string).collect(),
        ..wire::Ask::default()
    };
    match &ask.asked {
        Asked::Extension { count } | Asked::Rectification { count } => {
            wire::Ask { count: i32::try_from(*count).unwrap_or(i32::MAX), ..shown }
        }
        Asked::Hold { reason } => wire::Ask { hold_reason: *reason, ..shown },
        Asked::Exclusion { reason } => wire::Ask { exclusion_reason: *reason, ..shown },
        Asked::Ledger { .. } => shown,
    }
}

fn consultation(consultation: &Consultation) -> wire::Consultation {
    wire::Consultation {
        number: consultation.number,
        convener_unit_id: consultation.convener.to_string(),
        meets_at: Some(to_proto(consultation.meets_at)),
        place: consultation.place.clone(),
        called: consultation.called.iter().map(called).collect(),
        opened_at: Some(to_proto(consultation.opened_at)),
        concluded_at: consultation.concluded_at.map(to_proto),
        minutes: consultation.minutes.clone(),
    }
}

fn called(called: &Called) -> wire::consultation::Called {
    let opinion = called.opinion.as_ref();
    wire::consultation::Called {
        unit_id: called.unit.to_string(),
        arrived_at: called.arrived_at.map(to_proto),
        arrived_by_id: text(called.arrived_by),
        stance: opinion.map_or(0, |opinion| opinion.stance),
        opinion: opinion.map(|opinion| opinion.text.clone()).unwrap_or_default(),
        signed_by_id: text(opinion.map(|opinion| opinion.by)),
        signed_at: opinion.map(|opinion| to_proto(opinion.at)),
        absent: called.absent,
    }
}

fn task(task: &Task) -> wire::Task {
    wire::Task {
        number: task.number,
        consultation: task.consultation,
        unit_id: task.unit.to_string(),
        text: task.text.clone(),
        due_at: Some(to_proto(task.due_at)),
        done_at: task.done_at.map(to_proto),
        done_by_id: text(task.done_by),
    }
}

fn rating_case(case: &Case) -> wire::RatingCase {
    wire::RatingCase {
        state: case.state,
        appeal: case.appeal,
        unfounded: case.unfounded,
        answer: case.answer.clone(),
        follow_up: case.follow_up,
    }
}
