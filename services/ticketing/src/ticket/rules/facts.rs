//! What figures count, as it happens: a pure function of a change, so that a request's events alone make all its facts again.

use drumtower_proto::ticketing::ticket;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Aside, Change, State, Ticket};
use crate::clock::rules::Name;

/// Something that figures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    pub unit: Option<Uuid>,
    /// What more there is to say: an outcome, a score, how often.
    pub value: i32,
}

/// A clock that a change moved: when it was due until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub name: Name,
    pub round: i32,
    /// None while it stood still.
    pub due_at: Option<Timestamp>,
}

/// The clocks that a change moved, made to stand still or set going again.
pub fn moved(before: &Ticket, after: &Ticket) -> Vec<Moved> {
    let now = |name, round| after.clocks.iter().find(|clock| clock.name == name && clock.round == round);
    let was = before.clocks.iter().filter(|was| now(was.name, was.round).is_some_and(|now| now.owed_at() != was.owed_at()));
    was.map(|was| Moved { name: was.name, round: was.round, due_at: was.owed_at() }).collect()
}

/// The facts of a change, in a steady order.
pub fn facts(before: &Ticket, after: &Ticket, change: &Change) -> Vec<Fact> {
    let lead = after.lead.or(before.lead);
    let of_lead = |name, value| Fact { name, unit: lead, value };
    let mut facts = match change {
        Change::Accepted { .. } => vec![Fact { name: "ACCEPT", unit: None, value: 1 }],
        Change::Dispatched { lead, .. } => vec![Fact { name: "DISPATCH", unit: Some(*lead), value: before.return_count + 1 }],
        Change::Signed { unit, .. } => vec![Fact { name: "SIGN", unit: Some(*unit), value: 1 }],
        Change::Contacted { unit, .. } => contacted(before, after, *unit),
        Change::CheckedIn { unit, arrived_at, .. } => {
            // How long before it was told it happened: a clock stops at the former.
            let earlier = arrived_at.map_or(0, |arrived| after.updated_at.duration_since(arrived).as_secs());
            vec![Fact { name: "ARRIVE", unit: Some(*unit), value: i32::try_from(earlier).unwrap_or(i32::MAX) }]
        }
        Change::SignedOff { .. } => vec![of_lead("SIGN_OFF", 1)],
        Change::Returned { unit, .. } => vec![Fact { name: "RETURN", unit: Some(*unit), value: after.return_count }],
        Change::CalledBack { outcome, .. } => vec![of_lead("CALLBACK", *outcome)],
        Change::Rated { score, .. } => vec![of_lead("RATE", *score)],
        Change::Redone { .. } => vec![of_lead("REDO", after.redo_count)],
        Change::Beside(aside) => of_aside(before, aside, lead),
        _ => Vec::new(),
    };
    if after.state == State::Archived && before.state != State::Archived {
        facts.push(of_lead("ARCHIVE", if after.result == ticket::Result::Unspecified { 0 } else { after.result as i32 }));
    }
    facts
}

/// The first contact since the unit signed, and whether it kept the promise.
fn contacted(before: &Ticket, after: &Ticket, unit: Uuid) -> Vec<Fact> {
    if before.running(Name::C4).is_none() {
        return Vec::new();
    }
    let last = after.clocks.iter().rev().find(|clock| clock.name == Name::C4);
    let in_time = last.is_some_and(|clock| clock.stopped_at.is_some_and(|stopped| stopped <= clock.due_at));
    vec![Fact { name: "CONTACT", unit: Some(unit), value: i32::from(in_time) }]
}

fn of_aside(before: &Ticket, change: &Aside, lead: Option<Uuid>) -> Vec<Fact> {
    let of_lead = |name, value| vec![Fact { name, unit: lead, value }];
    match change {
        Aside::Extended { clocks, .. } if clocks.iter().any(|clock| clock.name == Name::C5) => of_lead("EXTEND", 1),
        Aside::Excluded { .. } => of_lead("EXCLUDE", 1),
        Aside::Reopened { .. } => {
            let mut facts = of_lead("REOPEN", 1);
            if before.result == ticket::Result::Resolved {
                facts.extend(of_lead("UNSOLVE", 1));
            }
            facts
        }
        Aside::RatingVerified { founded: false, .. } | Aside::RatingAppealDecided { upheld: true, .. } => {
            of_lead("UNFOUNDED", before.score)
        }
        Aside::Rectified { .. } => {
            let in_time = before.running(Name::B4).is_some_and(|clock| clock.breached_at.is_none());
            of_lead("RECTIFY", i32::from(in_time))
        }
        Aside::Concluded { .. } => {
            let called = before.side.consultation().map_or(&[][..], |consultation| &consultation.called);
            called
                .iter()
                .map(|called| Fact { name: "CALLED", unit: Some(called.unit), value: i32::from(called.arrived_at.is_some()) })
                .collect()
        }
        _ => Vec::new(),
    }
}
