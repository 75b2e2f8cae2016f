//! Policies and clocks. A policy is data with its sources; a clock keeps the version it began under.

use drumtower_proto::ticketing::ticket::{Kind, Urgency};
use drumtower_runtime::calendar::{Calendar, Span};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The clocks of a request (ticketing.md §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Name {
    /// Accept.
    C1,
    /// Dispatch.
    C2,
    /// Sign.
    C3,
    /// Contact the requester.
    C4,
    /// Resolve.
    C5,
    /// Window for a return.
    C6,
    /// Arrive on site.
    C7,
    /// Call back.
    C9,
    /// Rate.
    C10,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 9] = [Self::C1, Self::C2, Self::C3, Self::C4, Self::C5, Self::C6, Self::C7, Self::C9, Self::C10];

    /// As in the contract and the table.
    pub fn text(self) -> &'static str {
        match self {
            Self::C1 => "C1",
            Self::C2 => "C2",
            Self::C3 => "C3",
            Self::C4 => "C4",
            Self::C5 => "C5",
            Self::C6 => "C6",
            Self::C7 => "C7",
            Self::C9 => "C9",
            Self::C10 => "C10",
        }
    }

    /// From the table.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.text() == text)
    }

    /// Whether running out is somebody's failure. The return window and the rating merely close.
    pub fn is_duty(self) -> bool {
        !matches!(self, Self::C6 | Self::C10)
    }
}

/// A clock of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub name: Name,
    /// Counts the clocks of one name: a second dispatch starts a second C3.
    pub round: i32,
    pub started_at: Timestamp,
    pub due_at: Timestamp,
    pub provisional: bool,
    pub stopped_at: Option<Timestamp>,
    pub breached_at: Option<Timestamp>,
}

impl Clock {
    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.stopped_at.is_none()
    }
}

/// How a promise is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Minutes,
    Days,
    WorkMinutes,
    WorkDays,
}

/// One promise: the first that fits decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    clock: Name,
    kind: Option<String>,
    urgency: Option<String>,
    danger: Option<bool>,
    unit: Unit,
    count: u32,
    #[expect(dead_code, reason = "read by people; every promise says where it comes from")]
    source: String,
}

/// All promises of a version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub version: String,
    promises: Vec<Promise>,
}

/// What a promise depends on.
#[derive(Debug, Clone, Copy)]
pub struct Matter {
    pub kind: Kind,
    pub urgency: Urgency,
    pub danger: bool,
}

impl Policy {
    /// The policy that districts begin with.
    pub fn standard() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../data/clock_policy.json"))
    }

    /// How long a clock runs.
    fn span(&self, clock: Name, matter: Matter) -> Span {
        let fits = |promise: &&Promise| {
            promise.clock == clock
                && promise.kind.as_deref().is_none_or(|kind| kind == matter.kind.as_str_name())
                && promise.urgency.as_deref().is_none_or(|urgency| urgency == matter.urgency.as_str_name())
                && promise.danger.is_none_or(|danger| danger == matter.danger)
        };
        self.promises.iter().find(fits).map_or(Span::WorkDays(5), |promise| match promise.unit {
            Unit::Minutes => Span::minutes(promise.count),
            Unit::Days => Span::NaturalDays(promise.count),
            Unit::WorkMinutes => Span::work_minutes(promise.count),
            Unit::WorkDays => Span::WorkDays(promise.count),
        })
    }
}

/// Policy and calendar together start clocks.
#[derive(Debug, Clone, Copy)]
pub struct Promises<'a> {
    pub policy: &'a Policy,
    pub calendar: &'a Calendar,
}

impl Promises<'_> {
    /// A clock that starts now.
    pub fn start(&self, name: Name, round: i32, matter: Matter, at: Timestamp) -> Clock {
        self.begin(name, round, self.policy.span(name, matter), at)
    }

    /// The resolution clock of work done again: half the time, at most three working days (ticketing.md, transition 23).
    pub fn start_again(&self, round: i32, matter: Matter, at: Timestamp) -> Clock {
        let span = match self.policy.span(Name::C5, matter) {
            Span::WorkDays(days) => Span::WorkDays(days.div_ceil(2).clamp(1, 3)),
            Span::NaturalDays(days) => Span::NaturalDays(days.div_ceil(2).max(1)),
            Span::WorkSeconds(seconds) => Span::WorkSeconds(seconds / 2),
            Span::Natural(seconds) => Span::Natural(seconds / 2),
        };
        self.begin(Name::C5, round, span, at)
    }

    fn begin(&self, name: Name, round: i32, span: Span, at: Timestamp) -> Clock {
        let due = self.calendar.due(at, span);
        Clock { name, round, started_at: at, due_at: due.at, provisional: due.provisional, stopped_at: None, breached_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(name: Name, kind: Kind, urgency: Urgency, at: &str) -> String {
        let policy = Policy::standard().expect("valid");
        let calendar = Calendar::national();
        let promises = Promises { policy: &policy, calendar: &calendar };
        let matter = Matter { kind, urgency, danger: false };
        let clock = promises.start(name, 1, matter, at.parse().expect("a time"));
        clock.due_at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).strftime("%m-%d %H:%M").to_string()
    }

    #[test]
    fn the_first_promise_that_fits_decides() {
        use Kind::{Consult, Help};
        let start = "2026-02-13T17:30:00+08:00";
        assert_eq!(due(Name::C5, Help, Urgency::Emergency, start), "02-13 19:30");
        assert_eq!(due(Name::C5, Help, Urgency::Livelihood, start), "02-14 17:30");
        // 2026-02-14 is a make-up workday and 02-15 to 02-23 are off.
        assert_eq!(due(Name::C5, Consult, Urgency::Normal, start), "02-24 18:00");
        assert_eq!(due(Name::C5, Help, Urgency::Normal, start), "02-27 18:00");
        assert_eq!(due(Name::C3, Help, Urgency::Normal, start), "02-14 09:00");
        assert_eq!(due(Name::C9, Help, Urgency::Normal, start), "02-14 18:00");
    }

    #[test]
    fn every_clock_has_a_promise_for_every_matter() {
        let policy = Policy::standard().expect("valid");
        for clock in Name::ALL {
            assert!(policy.promises.iter().any(|promise| promise.clock == clock && promise.kind.is_none() && promise.urgency.is_none()));
        }
    }
}
