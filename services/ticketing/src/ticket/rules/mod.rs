//! The state machine of a request (ticketing.md §2.3, §2.4). [`decide`] says what a command changes or why it is refused; [`Ticket::apply`]
//! makes the change. Neither reads a clock nor a database.

mod apply;
mod decide;
mod facts;
mod machine;
mod seen;
pub mod side;
#[cfg(test)]
mod tests;

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::rules::{Clock, Name, Promises};

pub use decide::{decide, distance_m, independent, possible};
pub use drumtower_proto::ticketing::ticket::{Kind, State, Urgency};
pub use facts::{Fact, Moved, facts, moved};
pub use machine::Machine;
pub use seen::{Seen, named_outside, seen};
pub use side::{Aside, Asked, Beside, Decision, Side, Sought};

/// What a decision rests on: the version of the machine that the request began under, and how promises are reckoned.
#[derive(Debug, Clone, Copy)]
pub struct Book<'a> {
    pub machine: &'a Machine,
    pub promises: Promises<'a>,
}

/// A unit's part in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub unit: Uuid,
    pub kind: assignment::Kind,
    pub state: assignment::State,
    pub handler: Option<Uuid>,
}

impl Assignment {
    /// Still has work to do.
    pub fn open(&self) -> bool {
        !matches!(self.state, assignment::State::Reported | assignment::State::Closed)
    }
}

/// What the machine knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub state: State,
    pub kind: Kind,
    pub urgency: Urgency,
    pub danger: bool,
    pub requester: Uuid,
    /// None for what concerns no company.
    pub enterprise: Option<Uuid>,
    pub submitted_at: Timestamp,
    pub lead: Option<Uuid>,
    pub assignments: Vec<Assignment>,
    pub clocks: Vec<Clock>,
    pub result: ticket::Result,
    pub score: i32,
    pub return_count: i32,
    pub redo_count: i32,
    pub arbitrated: bool,
    pub refuse_reason: Option<Reason>,
    /// People who worked on it: none of them calls back.
    pub handled_by: Vec<Uuid>,
    /// Half-days on which the requester was not reached.
    pub unreached: Vec<String>,
    pub last_callback: Option<Outcome>,
    pub urged_at: Option<Timestamp>,
    pub side: Side,
    pub version: i64,
    pub updated_at: Timestamp,
}

impl Ticket {
    /// The clock of a name that runs.
    pub fn running(&self, name: Name) -> Option<&Clock> {
        self.clocks.iter().rev().find(|clock| clock.name == name && clock.runs())
    }

    /// How many clocks of a name there were.
    pub fn round(&self, name: Name) -> i32 {
        i32::try_from(self.clocks.iter().filter(|clock| clock.name == name).count()).unwrap_or(i32::MAX)
    }

    /// When it is due to be resolved.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.running(Name::C5).map(|clock| clock.due_at)
    }

    /// Nothing more happens by itself, but a rating.
    pub fn closed(&self) -> bool {
        matches!(self.state, State::Archived | State::Refused | State::Withdrawn | State::Merged)
    }
}

/// Where a building stands, degrees WGS 84.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    pub latitude: f64,
    pub longitude: f64,
}

/// What an arrival is proved by beside the position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// A building's code was sent, and it is this building's.
    pub code: Option<bool>,
    /// Why nothing proves it.
    pub reason: String,
    /// When it happened, if it is told later.
    pub taken_at: Option<Timestamp>,
    /// A photo of the site.
    pub photo: Option<Uuid>,
}

/// What somebody wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Accept {
        kind: Option<Kind>,
        urgency: Urgency,
    },
    Refuse {
        reason: Reason,
    },
    Dispatch {
        lead: Uuid,
        support: Vec<Uuid>,
    },
    Sign,
    Return {
        clause: String,
        suggested: Uuid,
        attachments: Vec<Uuid>,
    },
    Transfer {
        handler: Uuid,
        handler_units: Vec<Uuid>,
    },
    Contact,
    Visit {
        planned_at: Option<Timestamp>,
    },
    CheckIn {
        at: Position,
        building: Option<Position>,
        device_time: Option<Timestamp>,
        proof: Proof,
    },
    ReportDone {
        result: ticket::Result,
        waive_support: bool,
        /// Parts that were split off and are not over.
        parts_open: i64,
        /// Attachments of the lead unit.
        evidence: u64,
    },
    SignOff,
    SendBack,
    CallBack {
        outcome: Outcome,
    },
    Redo,
    Rate {
        score: i32,
        tags: Vec<i32>,
        attachments: Vec<Uuid>,
    },
    Withdraw,
    Urge,
    /// The watch found that a clock has something to say.
    Fire {
        name: Name,
        round: i32,
    },
    /// A new calendar: its clocks are reckoned anew.
    Reckon,
    CallUp {
        lead: Uuid,
        support: Vec<Uuid>,
    },
    /// Beside the main course.
    Beside(Beside),
}

impl Command {
    /// Units that are named: they must be there and open.
    pub fn units(&self) -> Vec<Uuid> {
        match self {
            Self::Dispatch { lead, support } | Self::CallUp { lead, support } => {
                std::iter::once(*lead).chain(support.iter().copied()).collect()
            }
            Self::Return { suggested, .. } => vec![*suggested],
            Self::Beside(Beside::Consult { units, .. }) => units.clone(),
            Self::Beside(Beside::Ask(Asked::Ledger { owner, .. })) => owner.iter().copied().collect(),
            Self::Beside(Beside::Conclude { decisions, .. }) => decisions.iter().map(|decision| decision.unit).collect(),
            _ => Vec::new(),
        }
    }

    /// Attachments that it rests on.
    pub fn attachments(&self) -> &[Uuid] {
        match self {
            Self::Return { attachments, .. } | Self::Rate { attachments, .. } => attachments,
            Self::CheckIn { proof, .. } => proof.photo.as_slice(),
            _ => &[],
        }
    }

    /// The verb, as in the path.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "accept",
            Self::Refuse { .. } => "refuse",
            Self::Dispatch { .. } => "dispatch",
            Self::Sign => "sign",
            Self::Return { .. } => "return",
            Self::Transfer { .. } => "transfer",
            Self::Contact => "contact",
            Self::Visit { .. } => "visit",
            Self::CheckIn { .. } => "checkIn",
            Self::ReportDone { .. } => "reportDone",
            Self::SignOff => "signOff",
            Self::SendBack => "sendBack",
            Self::CallBack { .. } => "callBack",
            Self::Redo => "redo",
            Self::Rate { .. } => "rate",
            Self::Withdraw => "withdraw",
            Self::Urge => "urge",
            Self::Fire { .. } => "fire",
            Self::Reckon => "reckon",
            Self::CallUp { .. } => "callUp",
            Self::Beside(beside) => beside.verb(),
        }
    }
}

/// Who wants it, with what the permission reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub user: Uuid,
    /// Units the person may stand for; `None` for all of them.
    pub units: Option<Vec<Uuid>>,
    /// May bind units after the second return.
    pub arbiter: bool,
    /// Leads the district: a second extension, the ledger, instructions.
    pub chief: bool,
    /// Supervises: may lower a level too.
    pub supervisor: bool,
    /// Loads past requests: facts that others did, with their own times.
    pub importing: bool,
}

impl Who {
    /// The clock, which stands for every unit and for nobody's rights.
    pub fn timer() -> Self {
        Self { user: Uuid::nil(), units: None, arbiter: false, chief: false, supervisor: false, importing: false }
    }

    /// Whether the person may stand for a unit.
    pub fn stands_for(&self, unit: Uuid) -> bool {
        self.units.as_ref().is_none_or(|units| units.contains(&unit))
    }
}

/// What changed. Kept with the event as JSON; reading all of them again makes the row again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    Submitted {
        kind: i32,
        danger: bool,
        requester: Uuid,
        #[serde(default)]
        enterprise: Option<Uuid>,
        clocks: Vec<Clock>,
    },
    Accepted {
        kind: i32,
        urgency: i32,
        clocks: Vec<Clock>,
    },
    Refused {
        reason: i32,
        #[serde(default)]
        by: Option<Uuid>,
    },
    Dispatched {
        lead: Uuid,
        support: Vec<Uuid>,
        arbitrated: bool,
        clocks: Vec<Clock>,
    },
    Signed {
        /// Who did it: they handled the request.
        #[serde(default)]
        user: Option<Uuid>,
        unit: Uuid,
        clocks: Vec<Clock>,
    },
    Returned {
        unit: Uuid,
        clause: String,
        suggested: Uuid,
        clocks: Vec<Clock>,
        #[serde(default)]
        attachments: Vec<Uuid>,
    },
    Transferred {
        unit: Uuid,
        handler: Uuid,
    },
    Contacted {
        /// Who did it: they handled the request.
        #[serde(default)]
        user: Option<Uuid>,
        unit: Uuid,
    },
    SetOut {
        /// Who did it: they handled the request.
        #[serde(default)]
        user: Option<Uuid>,
        unit: Uuid,
        planned_at: Option<Timestamp>,
        clocks: Vec<Clock>,
    },
    CheckedIn {
        unit: Uuid,
        user: Uuid,
        distance_m: Option<u32>,
        clock_skewed: bool,
        /// `GPS`, `CODE` or `STATED`.
        #[serde(default)]
        how: String,
        #[serde(default)]
        offline: bool,
        /// When it happened, if earlier than it was told.
        #[serde(default)]
        arrived_at: Option<Timestamp>,
        #[serde(default)]
        photo: Option<Uuid>,
    },
    Reported {
        unit: Uuid,
        user: Uuid,
        result: i32,
        waived: Vec<Uuid>,
    },
    SignedOff {
        /// Who did it: they handled the request.
        #[serde(default)]
        user: Option<Uuid>,
        clocks: Vec<Clock>,
    },
    SentBack,
    CalledBack {
        outcome: i32,
        half_day: Option<String>,
        archived: bool,
    },
    Redone {
        clocks: Vec<Clock>,
        #[serde(default)]
        supervised: bool,
    },
    Rated {
        score: i32,
        #[serde(default)]
        tags: Vec<i32>,
        /// A bad rating begins a case with its own clock.
        #[serde(default)]
        clocks: Vec<Clock>,
        #[serde(default)]
        attachments: Vec<Uuid>,
    },
    Withdrawn,
    Urged {
        by_requester: bool,
    },
    Breached {
        name: Name,
        round: i32,
        /// The level of supervision that follows; 0 when none does.
        #[serde(default)]
        level: i32,
        #[serde(default)]
        clocks: Vec<Clock>,
    },
    Warned {
        name: Name,
        round: i32,
    },
    Reckoned {
        clocks: Vec<Clock>,
    },
    Beside(Aside),
}

/// An event as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub version: i64,
    pub verb: &'static str,
    pub at: Timestamp,
    pub unit: Option<Uuid>,
    pub change: Change,
}
