//! What follows a bad rating (ticketing.md §2.6): verified by somebody independent, appealed against by the unit and decided by the rating
//! office, put right and answered within its own time, rated once more. The original rating is never edited.

use drumtower_proto::ticketing::{RatingTag, rating_case};
use drumtower_runtime::{Refusal, calendar::Span};
use jiff::Timestamp;

use super::{
    super::{
        Book, Clock, Ticket, Who,
        decide::{independent, lead_part, matter},
    },
    Aside, Beside, Case,
};
use crate::clock::rules::Name;

/// The worst rating that is no bad one.
const FAIR: i32 = 3;
/// Working days within which everything is put right, extensions included.
const RECTIFIED_WITHIN: u32 = 15;
/// Tags of good ratings begin here.
const GOOD_TAGS: i32 = RatingTag::Quick as i32;

/// Whether a rating is a bad one (差评).
pub fn bad(score: i32) -> bool {
    (1..FAIR).contains(&score)
}

/// A bad rating says why, and nothing that speaks for the unit; a good one nothing that speaks against it.
pub fn tags_fit(score: i32, tags: &[i32]) -> Result<(), Refusal> {
    let against = |tag: &i32| *tag < GOOD_TAGS;
    if bad(score) && tags.is_empty() {
        return Err(Refusal::invalid("tags", "REQUIRED", "差评请选择原因", "a bad rating says why"));
    }
    if tags.iter().any(|tag| *tag == 0 || against(tag) != bad(score)) {
        return Err(Refusal::invalid("tags", "TAG_DOES_NOT_FIT", "原因与评价等级不符", "does not fit this rating"));
    }
    Ok(())
}

pub fn decide(ticket: &Ticket, command: &Beside, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    use rating_case::{Appeal, State};
    let case = ticket.side.case.as_ref().ok_or_else(|| Refusal::state("NO_CASE", "没有差评", "there is no bad rating"))?;
    let start = |name| book.promises.start(name, ticket.round(name) + 1, matter(ticket), at);
    match command {
        Beside::VerifyRating { founded } => {
            independent(ticket, who)?;
            fits(case, &[State::Verifying])?;
            Ok(Aside::RatingVerified { founded: *founded, clocks: founded.then(|| start(Name::B4)).into_iter().collect() })
        }
        Beside::AppealRating => {
            lead_part(ticket, who)?;
            fits(case, &[State::Verifying, State::Rectifying])?;
            if case.appeal() != Appeal::Unspecified {
                return Err(Refusal::state("APPEALED", "只能申诉一次", "one appeal only"));
            }
            Ok(Aside::RatingAppealed)
        }
        Beside::DecideRatingAppeal { upheld } => {
            independent(ticket, who)?;
            if case.appeal() != Appeal::Pending {
                return Err(Refusal::state("NOT_APPEALED", "没有待裁定的申诉", "no appeal waits"));
            }
            let rectify = !upheld && case.state() == State::Verifying;
            Ok(Aside::RatingAppealDecided { upheld: *upheld, clocks: rectify.then(|| start(Name::B4)).into_iter().collect() })
        }
        Beside::RectifyRating { answer } => {
            lead_part(ticket, who)?;
            fits(case, &[State::Rectifying])?;
            Ok(Aside::Rectified { answer: answer.clone(), clocks: vec![start(Name::B6)] })
        }
        Beside::FollowUpRating { score } => {
            if case.state() == State::Closed && case.follow_up != 0 {
                return Err(Refusal::state("FOLLOWED_UP", "只能追评一次", "one further rating only"));
            }
            fits(case, &[State::Answered])?;
            Ok(Aside::FollowedUp { score: *score })
        }
        _ => Err(Refusal::state("NO_CASE", "不是差评操作", "this is no verb of a bad rating")),
    }
}

fn fits(case: &Case, states: &[rating_case::State]) -> Result<(), Refusal> {
    if states.contains(&case.state()) {
        return Ok(());
    }
    let state = case.state().as_str_name();
    let (zh, en) = (format!("差评当前状态不能执行该操作（{state}）"), format!("does not fit the case: {state}"));
    Err(Refusal::state("CASE_STATE", zh, en).fact("case", state))
}

/// The running time to put things right, with room for so many days more.
pub fn room_to_rectify(ticket: &Ticket, count: u32, at: Timestamp) -> Result<&Clock, Refusal> {
    let clock = ticket.running(Name::B4).ok_or_else(|| Refusal::state("NO_CLOCK", "没有整改时限", "nothing is being put right"))?;
    if clock.breached_at.is_some() || at >= clock.due_at {
        let (zh, en) = ("已超过整改时限，不能再申请", "the time has run out: too late to ask");
        return Err(Refusal::state("TOO_LATE", zh, en).fact("due_at", clock.due_at.to_string()));
    }
    let whole = match clock.span {
        Span::WorkDays(days) => days + clock.extended,
        _ => RECTIFIED_WITHIN,
    };
    if count == 0 || whole + count > RECTIFIED_WITHIN {
        let left = RECTIFIED_WITHIN.saturating_sub(whole);
        let (zh, en) = (
            format!("整改最长 {RECTIFIED_WITHIN} 个工作日，还可延长 {left}"),
            format!("{RECTIFIED_WITHIN} working days at most: {left} more"),
        );
        return Err(Refusal::invalid("count", "TOO_MUCH", zh, en).fact("left", left.to_string()));
    }
    Ok(clock)
}

impl Ticket {
    /// A bad rating begins a case.
    pub(in super::super) fn rated(&mut self, score: i32, tags: &[i32], clocks: &[Clock], at: Timestamp) {
        self.score = score;
        self.side.tags = tags.to_vec();
        self.stop(&[Name::C10], at);
        self.start(clocks);
        if bad(score) && !clocks.is_empty() {
            let state = rating_case::State::Verifying as i32;
            self.side.case = Some(Case { state, appeal: 0, unfounded: false, answer: String::new(), follow_up: 0 });
        }
    }

    pub(in super::super) fn apply_case(&mut self, change: &Aside, at: Timestamp) {
        use rating_case::{Appeal, State};
        let Some(case) = &mut self.side.case else { return };
        match change {
            Aside::RatingVerified { founded, clocks } => {
                case.state = if *founded { State::Rectifying } else { State::Closed } as i32;
                case.unfounded = !founded;
                if !founded && case.appeal() == Appeal::Pending {
                    case.appeal = Appeal::Upheld as i32;
                }
                self.stop(&[Name::B1], at);
                self.start(clocks);
            }
            Aside::RatingAppealed => case.appeal = Appeal::Pending as i32,
            Aside::RatingAppealDecided { upheld: true, .. } => {
                case.appeal = Appeal::Upheld as i32;
                case.unfounded = true;
                case.state = State::Closed as i32;
                self.stop(&[Name::B1, Name::B4, Name::B6], at);
            }
            Aside::RatingAppealDecided { upheld: false, clocks } => {
                case.appeal = Appeal::Denied as i32;
                if case.state() == State::Verifying {
                    case.state = State::Rectifying as i32;
                    self.stop(&[Name::B1], at);
                }
                self.start(clocks);
            }
            Aside::Rectified { answer, clocks } => {
                case.answer.clone_from(answer);
                case.state = State::Answered as i32;
                self.stop(&[Name::B4], at);
                self.start(clocks);
            }
            Aside::FollowedUp { score } => {
                case.follow_up = *score;
                case.state = State::Closed as i32;
                self.stop(&[Name::B6], at);
                if bad(*score) {
                    self.raise(self.side.supervision.max(super::ORDERED), None);
                }
            }
            Aside::RatingClosed => {
                case.state = State::Closed as i32;
                self.stop(&[Name::B6], at);
            }
            _ => {}
        }
        self.settle_ladder(at);
    }
}
