//! What an evaluation changes: what is owed against what is written down.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_proto::party::obligation::State;
use drumtower_runtime::calendar::{Calendar, today};
use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::{
    evaluate::Due,
    steps::{self, Audience},
};

/// An obligation as it is written down.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Identity.
    pub id: Uuid,
    /// The rule.
    pub rule: String,
    /// Who owes it.
    pub organisation: Uuid,
    /// Period or anchor.
    pub period: String,
    /// Last day to do it.
    pub due_on: Date,
    /// Where it stands.
    pub state: State,
    /// Day from which a waiver no longer holds.
    pub waived_until: Option<Date>,
    /// Version.
    pub version: i64,
    /// Steps of reminding sent.
    pub sent: BTreeSet<String>,
}

impl Stored {
    /// Whether nothing more can come of it by itself.
    pub fn finished(&self) -> bool {
        matches!(self.state, State::Fulfilled | State::Superseded)
    }
}

/// An obligation to write down.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identity.
    pub id: Uuid,
    /// What is owed.
    pub due: Due<'a>,
    /// Where it stands from the beginning.
    pub state: State,
}

/// An obligation that stands elsewhere now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Identity.
    pub id: Uuid,
    /// Where it stands now.
    pub state: State,
    /// Version after it.
    pub version: i64,
}

/// A reminder to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// Of which obligation.
    pub obligation: Uuid,
    /// Its version.
    pub version: i64,
    /// Who owes it.
    pub organisation: Uuid,
    /// The rule.
    pub rule: String,
    /// Last day to do it.
    pub due_on: Date,
    /// Which step.
    pub step: String,
    /// Who is told.
    pub audience: Audience,
}

/// What an evaluation changes.
#[derive(Debug, Clone, Default)]
pub struct Plan<'a> {
    /// To write down.
    pub new: Vec<New<'a>>,
    /// To move.
    pub moved: Vec<Moved>,
    /// To send.
    pub reminders: Vec<Reminder>,
}

/// Lays what is owed beside what is written down. What is owed and not known is new; what is known, not finished and no longer owed is
/// superseded; a waiver holds until its day unless the thing is done before. Only what is still owed is reminded of, of each the latest
/// step, once.
pub fn plan<'a>(dues: &[Due<'a>], stored: &[Stored], calendar: &Calendar, now: Timestamp, mut new_id: impl FnMut() -> Uuid) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut known: BTreeMap<(Uuid, &str, &str), &Stored> =
        stored.iter().map(|stored| ((stored.organisation, stored.rule.as_str(), stored.period.as_str()), stored)).collect();
    for due in dues {
        let mut row = match known.remove(&(due.organisation, due.rule.code.as_str(), due.period.as_str())) {
            Some(stored) => stored.clone(),
            None => first(due, new_id()),
        };
        let before = row.state;
        row.state = stands(&row, due.done, today(now));
        if before != State::Unspecified && before != row.state {
            row.version += 1;
            plan.moved.push(Moved { id: row.id, state: row.state, version: row.version });
        }
        remind(&row, due, calendar, now, &mut plan.reminders);
        if before == State::Unspecified {
            plan.new.push(New { id: row.id, due: due.clone(), state: row.state });
        }
    }
    let superseded = known.into_values().filter(|stored| !stored.finished());
    plan.moved.extend(superseded.map(|stored| Moved { id: stored.id, state: State::Superseded, version: stored.version + 1 }));
    plan
}

/// A row that is not written down yet.
fn first(due: &Due<'_>, id: Uuid) -> Stored {
    Stored {
        id,
        rule: due.rule.code.clone(),
        organisation: due.organisation,
        period: due.period.clone(),
        due_on: due.due_on,
        state: State::Unspecified,
        waived_until: None,
        version: 1,
        sent: BTreeSet::new(),
    }
}

fn stands(row: &Stored, done: bool, today: Date) -> State {
    if done {
        State::Fulfilled
    } else if row.state == State::Waived && row.waived_until.is_some_and(|until| today < until) {
        State::Waived
    } else if today > row.due_on {
        State::Overdue
    } else {
        State::Open
    }
}

fn remind(row: &Stored, due: &Due<'_>, calendar: &Calendar, now: Timestamp, reminders: &mut Vec<Reminder>) {
    if !matches!(row.state, State::Open | State::Overdue) {
        return;
    }
    for step in steps::latest(row.due_on, &due.rule.parameters, calendar, now) {
        if row.sent.contains(&step.name) {
            continue;
        }
        reminders.push(Reminder {
            obligation: row.id,
            version: row.version,
            organisation: row.organisation,
            rule: row.rule.clone(),
            due_on: row.due_on,
            step: step.name,
            audience: step.audience,
        });
    }
}
