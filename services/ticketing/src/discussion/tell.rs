//! Whom discussions concern. Never what they are about.

use drumtower_proto::log::Notify;
use drumtower_runtime::{
    Refusal,
    log::{NewEvent, to_company, to_role},
};
use jiff::Timestamp;
use uuid::Uuid;

use super::rules::Discussion;
use crate::{
    clock::rules::Word,
    outreach::{Clocked, Kept},
};

fn event(kind: &'static str, kept: &Kept<Discussion>) -> NewEvent {
    let facts = serde_json::json!({
        "state": kept.thing.state().as_str_name(),
        "enterprise": kept.thing.enterprise,
        "convener": kept.thing.convener,
    });
    NewEvent::new(kind, kept.id, kept.version).facts(facts)
}

fn liaisons(unit: Uuid, kind: &str, zh: &str, en: &str) -> Notify {
    to_role("LIAISON", Some(unit), kind, zh, en)
}

pub fn opened(kept: &Kept<Discussion>) -> NewEvent {
    let (kind, thing) = ("discussion.opened", &kept.thing);
    let company = to_company(thing.enterprise, kind, "有关贵企业的“一企一议”已召集", "a discussion of your company's matter was called");
    let units = thing.seats.iter().map(|seat| liaisons(seat.unit, kind, "召集“一企一议”，请按时到场", "calls you to a discussion"));
    units.fold(event(kind, kept).tell(company), NewEvent::tell)
}

pub fn attended(kept: &Kept<Discussion>) -> NewEvent {
    event("discussion.attended", kept)
}

pub fn concluded(kept: &Kept<Discussion>) -> NewEvent {
    let (kind, thing) = ("discussion.concluded", &kept.thing);
    let company = to_company(thing.enterprise, kind, "“一企一议”已形成纪要", "the discussion of your company's matter has its minutes");
    let mut units: Vec<Uuid> = thing.tasks.iter().map(|task| task.unit).collect();
    units.sort_unstable();
    units.dedup();
    let units = units.into_iter().map(|unit| liaisons(unit, kind, "“一企一议”已定，请落实任务", "was decided; carry out your tasks"));
    units.fold(event(kind, kept).tell(company), NewEvent::tell)
}

pub fn finished(kept: &Kept<Discussion>) -> NewEvent {
    let kind = "discussion.task_finished";
    event(kind, kept).tell(liaisons(kept.thing.convener, kind, "“一企一议”任务待确认", "a task waits to be confirmed"))
}

pub fn judged(kept: &Kept<Discussion>, unit: Uuid, confirmed: bool) -> NewEvent {
    let (kind, zh, en) = if confirmed {
        ("discussion.task_confirmed", "“一企一议”任务已确认", "a task was confirmed")
    } else {
        ("discussion.task_sent_back", "“一企一议”任务被退回，请继续落实", "a task was sent back; go on")
    };
    event(kind, kept).tell(liaisons(unit, kind, zh, en))
}

pub fn closed(kept: &Kept<Discussion>) -> NewEvent {
    let kind = "discussion.closed";
    let (zh, en) = ("“一企一议”已全部落实", "everything decided in the discussion is done");
    event(kind, kept).tell(to_company(kept.thing.enterprise, kind, zh, en))
}

impl Clocked for Discussion {
    fn fired(&self, number: i32, at: Timestamp) -> Result<(Self, Word), Refusal> {
        self.spoken(number, at)
    }

    fn unit_of(&self, number: i32) -> Option<Uuid> {
        self.tasks.iter().find(|task| task.number == number).map(|task| task.unit)
    }

    /// A warning is the unit's affair; a broken promise also its head's and the supervisor's.
    fn spoke(kept: &Kept<Self>, number: i32, word: Word) -> NewEvent {
        let (kind, zh, en) = match word {
            Word::Warning => ("discussion.warned", "“一企一议”任务即将到期", "a task of a discussion is nearly due"),
            Word::RanOut => ("discussion.breached", "“一企一议”任务已超期", "a task of a discussion is overdue"),
        };
        let told = event(kind, kept);
        let Some(unit) = kept.thing.unit_of(number) else { return told };
        let told = told.tell(liaisons(unit, kind, zh, en));
        if word == Word::Warning {
            return told;
        }
        told.tell(to_role("UNIT_LEAD", Some(unit), kind, zh, en)).tell(to_role("SUPERVISOR", None, kind, zh, en))
    }
}
