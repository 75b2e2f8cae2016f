//! Joint consultations (会商): units are called to a time and a place, come, sign an opinion, and what is decided becomes tasks. Who did
//! not come is recorded and bound all the same.

use drumtower_runtime::Refusal;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    super::{
        Book, Clock, State, Ticket, Who,
        decide::{matter, signed_part},
    },
    Aside, Beside, Called, Consultation, Decision, Opinion, Task,
};
use crate::clock::rules::Name;

pub fn decide(ticket: &Ticket, command: &Beside, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    match command {
        Beside::Consult { units, meets_at, place } => open(ticket, units, (*meets_at, place), who, at, book),
        Beside::Attend => {
            let called = called(ticket, who)?;
            if called.arrived_at.is_some() {
                return Err(Refusal::state("ARRIVED_ALREADY", "本单位已报到", "this unit has arrived already"));
            }
            Ok(Aside::Attended { unit: called.unit, user: who.user })
        }
        Beside::Opine { stance, text } => {
            let called = called(ticket, who)?;
            if called.arrived_at.is_none() {
                return Err(Refusal::state("NOT_ARRIVED", "请先报到", "arrive first"));
            }
            if called.opinion.is_some() {
                return Err(Refusal::state("SIGNED_ALREADY", "本单位意见已签署", "this unit has signed its opinion"));
            }
            Ok(Aside::Opined { unit: called.unit, opinion: Opinion { stance: *stance, text: text.clone(), by: who.user, at } })
        }
        Beside::Conclude { minutes, decisions } => conclude(ticket, minutes, decisions, who, at, book),
        Beside::FinishTask { number } => {
            let task = ticket.side.tasks.iter().find(|task| task.number == *number && who.stands_for(task.unit));
            let task = task.ok_or_else(|| {
                Refusal::state("NO_SUCH_TASK", "本单位没有该任务", "this unit has no such task").fact("number", number.to_string())
            })?;
            if task.done_at.is_some() {
                return Err(Refusal::state("DONE_ALREADY", "该任务已完成", "this task is done already"));
            }
            Ok(Aside::TaskFinished { number: task.number, user: who.user })
        }
        _ => Err(Refusal::state("NOT_A_CONSULTATION", "不是会商操作", "this is no verb of a consultation")),
    }
}

/// Called by the lead unit, or by a dispatcher for it; with the convener at least two units.
fn open(
    ticket: &Ticket,
    units: &[Uuid],
    (meets_at, place): (Timestamp, &str),
    who: &Who,
    at: Timestamp,
    book: Book<'_>,
) -> Result<Aside, Refusal> {
    let unit = match (&who.units, ticket.lead) {
        (None, Some(lead)) => lead,
        _ => signed_part(ticket, who)?,
    };
    if ticket.side.hold.is_some() {
        return Err(Refusal::state("ON_HOLD", "已暂停计时，请先恢复", "it stands still: resume first"));
    }
    callable(units, unit, meets_at, at)?;
    let first = ticket.round(Name::C8);
    let clocks = (first + 1..)
        .zip(units)
        .map(|(round, called)| Clock { unit: Some(*called), ..book.promises.start(Name::C8, round, matter(ticket), at) });
    let part = |unit: &Uuid| ticket.assignments.iter().any(|part| part.unit == *unit && part.open());
    let called = units.iter().map(|unit| Called {
        unit: *unit,
        arrived_at: None,
        arrived_by: None,
        opinion: None,
        absent: false,
        added: !part(unit),
    });
    let consultation = Consultation {
        number: i32::try_from(ticket.side.consultations.len()).unwrap_or(i32::MAX).saturating_add(1),
        convener: unit,
        meets_at,
        place: place.to_owned(),
        called: called.collect(),
        opened_at: at,
        concluded_at: None,
        minutes: String::new(),
        from_site: ticket.state == State::OnSite,
    };
    let clocks = clocks.collect();
    Ok(Aside::Conferred { consultation, clocks })
}

/// Whether these units may be called by another to a time: at least one, each once, not the convener itself.
pub fn callable(units: &[Uuid], convener: Uuid, meets_at: Timestamp, at: Timestamp) -> Result<(), Refusal> {
    let twice = units.iter().enumerate().any(|(place, called)| units[..place].contains(called));
    if units.is_empty() || units.contains(&convener) || twice {
        let (zh, en) = ("请召集至少一个其他单位，且不重复", "calls at least one other unit, each once");
        return Err(Refusal::invalid("unit_ids", "UNITS", zh, en));
    }
    if meets_at < at {
        return Err(Refusal::invalid("meets_at", "PAST", "会商时间须在将来", "is in the future"));
    }
    Ok(())
}

/// Whether decisions bind only whom they may, until some time that is to come.
pub fn binding(decisions: &[Decision], bound: impl Fn(Uuid) -> bool, at: Timestamp) -> Result<(), Refusal> {
    for (place, decision) in decisions.iter().enumerate() {
        if !bound(decision.unit) {
            let (zh, en) = ("只能给参会单位分配任务", "binds the convener and units that were called only");
            return Err(Refusal::invalid(format!("decisions[{place}].unit_id"), "NOT_CALLED", zh, en));
        }
        if decision.due_at <= at {
            return Err(Refusal::invalid(format!("decisions[{place}].due_at"), "PAST", "期限须在将来", "is in the future"));
        }
    }
    Ok(())
}

/// The caller's unit among those called.
fn called<'a>(ticket: &'a Ticket, who: &Who) -> Result<&'a Called, Refusal> {
    let called = ticket.side.consultation().and_then(|consultation| consultation.called.iter().find(|called| who.stands_for(called.unit)));
    called.ok_or_else(|| Refusal::state("NOT_CALLED", "本单位未被召集", "this unit was not called"))
}

fn conclude(ticket: &Ticket, minutes: &str, decisions: &[Decision], who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let Some(consultation) = ticket.side.consultation().filter(|open| who.stands_for(open.convener)) else {
        return Err(Refusal::state("NOT_CONVENER", "仅召集单位可结束会商", "only the convener concludes"));
    };
    let silent: Vec<String> = consultation
        .called
        .iter()
        .filter(|called| called.arrived_at.is_some() && called.opinion.is_none())
        .map(|called| called.unit.to_string())
        .collect();
    if !silent.is_empty() {
        let (zh, en) = ("到会单位尚未签署意见", "units that came have not signed their opinion");
        return Err(Refusal::state("OPINIONS_MISSING", zh, en).fact("units", silent.join(", ")));
    }
    let bound = |unit| unit == consultation.convener || consultation.called.iter().any(|called| called.unit == unit);
    binding(decisions, bound, at)?;
    let mut tasks = Vec::with_capacity(decisions.len());
    for (place, decision) in decisions.iter().enumerate() {
        let number = ticket.side.tasks.len() + place + 1;
        tasks.push(Task {
            number: i32::try_from(number).unwrap_or(i32::MAX),
            consultation: consultation.number,
            unit: decision.unit,
            text: decision.text.clone(),
            due_at: decision.due_at,
            done_at: None,
            done_by: None,
        });
    }
    let first = ticket.round(Name::Task);
    let clocks = (first + 1..)
        .zip(&tasks)
        .map(|(round, task)| Clock { unit: Some(task.unit), ..book.promises.until(Name::Task, round, task.due_at, at) });
    let clocks = clocks.collect();
    Ok(Aside::Concluded { minutes: minutes.to_owned(), tasks, clocks })
}
