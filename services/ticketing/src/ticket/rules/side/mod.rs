//! What runs beside the main state, so that states do not multiply (ticketing.md §2.3): what was asked for and decided, a pause,
//! supervision, consultations with the tasks they left, where the request went.

mod apply;
pub mod consult;
mod decide;
mod rating;

use drumtower_proto::ticketing::{ask, rating_case};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use ask::Matter as Sought;
pub(super) use decide::{decide, independent_of_refusal, resumed};
pub use rating::bad;
pub(super) use rating::tags_fit;

/// A promise is nearly broken.
pub const YELLOW: i32 = 1;
/// A broken promise.
pub const RED: i32 = 2;
/// From this level on there is an order with a number (督办).
pub const ORDERED: i32 = 3;
/// The highest level (通报).
pub const CIRCULAR: i32 = 4;

/// Everything beside the main state. Kept as JSON in the request's row; what lists and figures ask for has columns of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Side {
    /// Visits so far.
    pub visits: i32,
    /// People who checked in on the latest visit.
    pub checked_in: Vec<Uuid>,
    /// 0 none, 1 yellow, 2 red, 3 督办, 4 通报.
    pub supervision: i32,
    pub order: Option<Order>,
    pub hold: Option<Hold>,
    pub asks: Vec<Ask>,
    /// The requester wants to take back what a unit has signed.
    pub withdrawal_asked: bool,
    /// Who refused it: an appeal goes to somebody else.
    pub refused_by: Option<Uuid>,
    pub appealed: bool,
    pub reopened: bool,
    pub merged_into: Option<Uuid>,
    /// What was split off it.
    pub children: Vec<Uuid>,
    /// Requesters of what was merged into this one: they are told like its own.
    pub followers: Vec<Uuid>,
    pub consultations: Vec<Consultation>,
    pub tasks: Vec<Task>,
    pub ledger: Option<Ledger>,
    pub first_closed_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
    /// Left out of assessment (剔除).
    pub excluded: bool,
    /// Why the rating is what it is.
    pub tags: Vec<i32>,
    /// What follows a bad rating.
    pub case: Option<Case>,
}

impl Side {
    /// The consultation that is on.
    pub fn consultation(&self) -> Option<&Consultation> {
        self.consultations.last().filter(|consultation| consultation.concluded_at.is_none())
    }

    /// What was asked for and waits.
    pub fn waiting(&self) -> impl Iterator<Item = &Ask> {
        self.asks.iter().filter(|ask| ask.open())
    }
}

/// A supervision order (督办单).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub number: i32,
    pub reply_due: Option<Timestamp>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub reason: i32,
    pub since: Timestamp,
}

/// Something that needs somebody else's word: more time, a pause, the ledger, to be left out of assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub number: i32,
    pub asked: Asked,
    pub by: Uuid,
    pub unit: Option<Uuid>,
    pub at: Timestamp,
    pub state: i32,
    pub decided_by: Vec<Uuid>,
}

impl Ask {
    /// Waits for a word.
    pub fn open(&self) -> bool {
        matches!(self.state(), ask::State::Asked | ask::State::Endorsed)
    }

    pub fn state(&self) -> ask::State {
        ask::State::try_from(self.state).unwrap_or_default()
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "matter", rename_all = "snake_case")]
pub enum Asked {
    /// More time, counted as the resolution clock counts.
    Extension {
        count: u32,
    },
    Hold {
        reason: i32,
    },
    /// The lead unit keeps it unless another is named.
    Ledger {
        owner: Option<Uuid>,
        condition: String,
        review_on: Date,
    },
    Exclusion {
        reason: i32,
    },
    /// More days to put right what a bad rating named.
    Rectification {
        count: u32,
    },
}

impl Asked {
    pub fn sought(&self) -> Sought {
        match self {
            Self::Extension { .. } => Sought::Extension,
            Self::Hold { .. } => Sought::Hold,
            Self::Ledger { .. } => Sought::Ledger,
            Self::Exclusion { .. } => Sought::Exclusion,
            Self::Rectification { .. } => Sought::Rectification,
        }
    }
}

/// What follows a bad rating.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub state: i32,
    pub appeal: i32,
    pub unfounded: bool,
    pub answer: String,
    pub follow_up: i32,
}

impl Case {
    pub fn state(&self) -> rating_case::State {
        rating_case::State::try_from(self.state).unwrap_or_default()
    }

    pub fn appeal(&self) -> rating_case::Appeal {
        rating_case::Appeal::try_from(self.appeal).unwrap_or_default()
    }
}

/// On the ledger (挂账).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub owner: Uuid,
    pub condition: String,
    pub review_on: Date,
}

/// A joint consultation (会商).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consultation {
    pub number: i32,
    pub convener: Uuid,
    pub meets_at: Timestamp,
    pub place: String,
    pub called: Vec<Called>,
    pub opened_at: Timestamp,
    pub concluded_at: Option<Timestamp>,
    pub minutes: String,
    /// It was called from the site.
    pub from_site: bool,
}

/// A unit that was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    pub unit: Uuid,
    pub arrived_at: Option<Timestamp>,
    pub arrived_by: Option<Uuid>,
    pub opinion: Option<Opinion>,
    /// It was over and the unit had not come: what was decided binds it all the same.
    pub absent: bool,
    /// It was no part of the request before.
    pub added: bool,
}

/// A signed opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    pub stance: i32,
    pub text: String,
    pub by: Uuid,
    pub at: Timestamp,
}

/// A decision for one unit to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub unit: Uuid,
    pub text: String,
    pub due_at: Timestamp,
}

/// A decision on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub number: i32,
    pub consultation: i32,
    pub unit: Uuid,
    pub text: String,
    pub due_at: Timestamp,
    pub done_at: Option<Timestamp>,
    pub done_by: Option<Uuid>,
}

/// What somebody wants done beside the main course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// Answered on the spot, from the article.
    Answer,
    Appeal,
    Merge {
        into: Uuid,
    },
    /// Another request was merged into this one.
    Absorb {
        ticket: Uuid,
        requester: Uuid,
        followers: Vec<Uuid>,
    },
    /// Parts become requests of their own.
    Split {
        children: Vec<Uuid>,
    },
    Ask(Asked),
    Decide {
        number: i32,
        granted: bool,
    },
    Consent {
        agreed: bool,
    },
    Supervise {
        level: i32,
        reply_due: Option<Timestamp>,
    },
    Instruct {
        due_at: Option<Timestamp>,
    },
    Reopen,
    Resume,
    Consult {
        units: Vec<Uuid>,
        meets_at: Timestamp,
        place: String,
    },
    Attend,
    Opine {
        stance: i32,
        text: String,
    },
    Conclude {
        minutes: String,
        decisions: Vec<Decision>,
    },
    FinishTask {
        number: i32,
    },
    VerifyRating {
        founded: bool,
    },
    AppealRating,
    DecideRatingAppeal {
        upheld: bool,
    },
    RectifyRating {
        answer: String,
    },
    FollowUpRating {
        score: i32,
    },
}

impl Beside {
    /// The verb, as in the path.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Appeal => "appeal",
            Self::Merge { .. } => "merge",
            Self::Absorb { .. } => "absorb",
            Self::Split { .. } => "split",
            Self::Ask(_) => "ask",
            Self::Decide { .. } => "decide",
            Self::Consent { .. } => "consent",
            Self::Supervise { .. } => "supervise",
            Self::Instruct { .. } => "instruct",
            Self::Reopen => "reopen",
            Self::Resume => "resume",
            Self::Consult { .. } => "consult",
            Self::Attend => "attend",
            Self::Opine { .. } => "opine",
            Self::Conclude { .. } => "conclude",
            Self::FinishTask { .. } => "finishTask",
            Self::VerifyRating { .. } => "verifyRating",
            Self::AppealRating => "appealRating",
            Self::DecideRatingAppeal { .. } => "decideRatingAppeal",
            Self::RectifyRating { .. } => "rectifyRating",
            Self::FollowUpRating { .. } => "followUpRating",
        }
    }
}

impl Aside {
    /// The unit that it was done for.
    pub fn unit(&self, ticket: &super::Ticket) -> Option<Uuid> {
        match self {
            Self::Asked { ask } => ask.unit,
            Self::Attended { unit, .. } | Self::Opined { unit, .. } => Some(*unit),
            Self::Conferred { consultation, .. } => Some(consultation.convener),
            Self::Concluded { .. } => ticket.side.consultations.last().map(|consultation| consultation.convener),
            Self::TaskFinished { number, .. } => ticket.side.tasks.iter().find(|task| task.number == *number).map(|task| task.unit),
            Self::WithdrawalAnswered { .. } | Self::Resumed { .. } | Self::RatingAppealed | Self::Rectified { .. } => ticket.lead,
            _ => None,
        }
    }
}

/// What changed beside the main course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "beside", rename_all = "snake_case")]
pub enum Aside {
    Answered {
        #[serde(default)]
        user: Option<Uuid>,
        clocks: Vec<super::Clock>,
    },
    Appealed {
        clocks: Vec<super::Clock>,
    },
    Merged {
        into: Uuid,
    },
    Absorbed {
        #[serde(default)]
        followers: Vec<Uuid>,
        ticket: Uuid,
        requester: Uuid,
    },
    Split {
        children: Vec<Uuid>,
    },
    Asked {
        ask: Ask,
    },
    Endorsed {
        number: i32,
        by: Uuid,
    },
    Declined {
        number: i32,
        by: Uuid,
    },
    /// More time: the clock as it now is.
    Extended {
        number: i32,
        by: Uuid,
        clocks: Vec<super::Clock>,
    },
    /// The clocks that stand still, as they now are, and the one that ends the pause.
    Held {
        number: i32,
        by: Uuid,
        hold: Hold,
        clocks: Vec<super::Clock>,
    },
    Entered {
        number: i32,
        by: Uuid,
        ledger: Ledger,
        clocks: Vec<super::Clock>,
    },
    Excluded {
        number: i32,
        by: Uuid,
    },
    WithdrawalAsked,
    WithdrawalAnswered {
        agreed: bool,
    },
    Supervised {
        level: i32,
        order: Option<Order>,
    },
    Instructed {
        clocks: Vec<super::Clock>,
    },
    Reopened {
        clocks: Vec<super::Clock>,
    },
    Resumed {
        clocks: Vec<super::Clock>,
    },
    Conferred {
        consultation: Consultation,
        clocks: Vec<super::Clock>,
    },
    Attended {
        unit: Uuid,
        user: Uuid,
    },
    Opined {
        unit: Uuid,
        opinion: Opinion,
    },
    Concluded {
        minutes: String,
        tasks: Vec<Task>,
        clocks: Vec<super::Clock>,
    },
    TaskFinished {
        number: i32,
        user: Uuid,
    },
    RatingVerified {
        founded: bool,
        clocks: Vec<super::Clock>,
    },
    RatingAppealed,
    RatingAppealDecided {
        upheld: bool,
        clocks: Vec<super::Clock>,
    },
    Rectified {
        answer: String,
        clocks: Vec<super::Clock>,
    },
    FollowedUp {
        score: i32,
    },
    /// The time for a further rating has passed.
    RatingClosed,
}
