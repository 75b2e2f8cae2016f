//! What is owed, what changes, who is told.

pub mod evaluate;
pub mod period;
pub mod plan;
pub mod steps;
#[cfg(test)]
mod tests;

pub use evaluate::{Facts, TermFact, evaluate};
pub use period::Period;
pub use plan::{Moved, New, Plan, Reminder, Stored, plan};
pub use steps::Audience;

use drumtower_proto::party::obligation::State;
use drumtower_runtime::{
    Refusal,
    calendar::{start_of, today},
};
use jiff::{SignedDuration, Timestamp, civil::Date};

/// The hour of the day at which reminders go out.
pub const HOUR: SignedDuration = SignedDuration::from_hours(9);

/// When a district must have been evaluated again, changes or not: since midnight, for days pass; since nine, for reminders go out then.
pub fn turn(now: Timestamp) -> Timestamp {
    let midnight = start_of(today(now));
    if now >= midnight + HOUR { midnight + HOUR } else { midnight }
}

/// An obligation not yet done may be lifted until a day to come.
pub fn waive(state: State, until: Date, today: Date) -> Result<(), Refusal> {
    if until <= today {
        return Err(Refusal::invalid("until", "NOT_IN_FUTURE", "豁免截止日须晚于今天", "must be after today"));
    }
    match state {
        State::Open | State::Overdue | State::Waived => Ok(()),
        State::Fulfilled | State::Superseded | State::Unspecified => {
            Err(Refusal::state("NOT_OWED", "该事项已完成或已失效，无需豁免", "is done or replaced: there is nothing to waive"))
        }
    }
}
