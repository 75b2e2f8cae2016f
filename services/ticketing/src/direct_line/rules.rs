//! Who may be a contact, and the course of a call: opened, answered once, made a request of or closed.

pub use drumtower_proto::ticketing::direct_call::State;
use drumtower_runtime::Refusal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::rules::{Clock, Matter, Name, Promises, Word},
    outreach::{
        Noun,
        rules::{Course, fits, spoken},
    },
    ticket::rules::{Kind, Urgency, Who},
};

/// Verbs of a call.
const COURSE: &Course<State> =
    &[("answer", &[State::Open]), ("convert", &[State::Open, State::Answered]), ("close", &[State::Open, State::Answered])];

/// Letters of what was asked that make a title.
const TITLE: usize = 30;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub text: String,
    pub by: Uuid,
    pub at: Timestamp,
}

/// The request that was made of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub ticket: Uuid,
    pub number: String,
}

/// A call over a direct line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectCall {
    pub state: i32,
    pub enterprise: Uuid,
    pub enterprise_name: String,
    pub requester: Uuid,
    /// None when the contact had left and the unit was called.
    pub contact: Option<Uuid>,
    pub unit: Uuid,
    pub text: String,
    pub opened_at: Timestamp,
    pub clock: Clock,
    pub answer: Option<Answer>,
    pub made: Option<Made>,
}

impl Noun for DirectCall {
    const NAME: &'static str = "direct_call";

    fn state(&self) -> i32 {
        self.state
    }

    fn at(&self) -> Timestamp {
        self.opened_at
    }

    fn parties(&self) -> Vec<Uuid> {
        vec![self.enterprise, self.unit]
    }

    fn clocks(&self) -> Vec<(i32, &Clock)> {
        vec![(1, &self.clock)]
    }
}

/// A line belongs to a company or to a zone, never to both.
pub fn of_one(enterprise: Option<Uuid>, zone: Option<Uuid>) -> Result<(), Refusal> {
    if enterprise.is_some() != zone.is_some() {
        return Ok(());
    }
    Err(Refusal::invalid("enterprise_id", "ONE_OF_TWO", "请选择企业或片区之一", "names a company or a zone, one of the two"))
}

/// The unit of somebody who is to be a contact: they work there, may sign in, and hold a role there that lets them answer.
pub fn contact(active: bool, unit: Option<Uuid>, answers_at: &[Uuid]) -> Result<Uuid, Refusal> {
    let Some(unit) = unit.filter(|_| active) else {
        let (zh, en) = ("联系人须为单位在岗人员", "is somebody who works for a unit and may sign in");
        return Err(Refusal::invalid("contact_id", "CONTACT_NOT_OF_A_UNIT", zh, en));
    };
    if !answers_at.contains(&unit) {
        let (zh, en) = ("联系人在本单位没有可答复的角色", "holds no role of their unit that lets them answer");
        return Err(Refusal::invalid("contact_id", "CONTACT_CANNOT_ANSWER", zh, en));
    }
    Ok(unit)
}

/// Whom a call reaches: the contact while they may sign in and work for the line's unit, else nobody in person.
pub fn reached(contact: Uuid, active: bool, works_for: Option<Uuid>, unit: Uuid) -> Option<Uuid> {
    (active && works_for == Some(unit)).then_some(contact)
}

/// There is nobody to be called.
pub fn no_line() -> Refusal {
    let (zh, en) = ("贵企业暂无直通车联系人，请提交诉求", "this company has no direct line now: submit a request instead");
    Refusal::state("NO_DIRECT_LINE", zh, en).fact("instead", "CreateTicket")
}

/// The contact's clock (Zhuhai's 124: one working hour, as the district's policy has it).
pub fn clock(promises: Promises<'_>, unit: Uuid, at: Timestamp) -> Clock {
    let matter = Matter { kind: Kind::Unspecified, urgency: Urgency::Unspecified, danger: false };
    Clock { unit: Some(unit), ..promises.start(Name::D1, 1, matter, at) }
}

impl DirectCall {
    pub fn state(&self) -> State {
        State::try_from(self.state).unwrap_or_default()
    }

    fn fits(&self, verb: &str) -> Result<(), Refusal> {
        fits(COURSE, verb, self.state(), self.state().as_str_name())
    }

    /// The contact or somebody of their unit answers, once; late is better than never.
    pub fn answered(&self, text: &str, who: &Who, at: Timestamp) -> Result<Self, Refusal> {
        if !who.stands_for(self.unit) {
            return Err(Refusal::not_found(Self::NAME));
        }
        self.fits("answer")?;
        let answer = Some(Answer { text: text.to_owned(), by: who.user, at });
        Ok(Self { state: State::Answered as i32, answer, ..self.stopped(at) })
    }

    /// A request is made of it.
    pub fn converted(&self, made: Made, at: Timestamp) -> Result<Self, Refusal> {
        self.fits("convert")?;
        Ok(Self { state: State::Converted as i32, made: Some(made), ..self.stopped(at) })
    }

    /// The company closes it.
    pub fn closed(&self, at: Timestamp) -> Result<Self, Refusal> {
        self.fits("close")?;
        Ok(Self { state: State::Closed as i32, ..self.stopped(at) })
    }

    /// Its clock has said something.
    pub fn spoken(&self, at: Timestamp) -> Result<(Self, Word), Refusal> {
        let (clock, word) = spoken(&self.clock, at)?;
        Ok((Self { clock, ..self.clone() }, word))
    }

    /// As a new calendar moves its clock. What has run out stays late.
    pub fn reckoned(&self, promises: Promises<'_>, at: Timestamp) -> Option<Self> {
        promises.moved(&self.clock, at).map(|clock| Self { clock, ..self.clone() })
    }

    /// The title of the request that is made of it.
    pub fn title(&self, said: &str) -> String {
        if said.trim().is_empty() { self.text.chars().take(TITLE).collect() } else { said.to_owned() }
    }

    fn stopped(&self, at: Timestamp) -> Self {
        let clock = Clock { stopped_at: self.clock.stopped_at.or(Some(at)), ..self.clock.clone() };
        Self { clock, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use drumtower_runtime::calendar::Calendar;

    use super::*;
    use crate::clock::rules::Policy;

    const UNIT: Uuid = Uuid::from_u128(1);

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn call(opened_at: &str) -> DirectCall {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        let at = time(opened_at);
        DirectCall {
            state: State::Open as i32,
            enterprise: Uuid::from_u128(2),
            enterprise_name: "甲公司".into(),
            requester: Uuid::from_u128(3),
            contact: Some(Uuid::from_u128(4)),
            unit: UNIT,
            text: "贷款贴息如何申请，需要哪些材料，在哪里办理，多久可以拿到，有没有额度限制".into(),
            opened_at: at,
            clock: clock(Promises { policy: &policy, calendar: &calendar }, UNIT, at),
            answer: None,
            made: None,
        }
    }

    fn somebody(units: &[Uuid]) -> Who {
        Who { user: Uuid::from_u128(9), units: Some(units.to_vec()), ..Who::timer() }
    }

    #[test]
    fn a_contact_works_for_a_unit_and_may_answer_there() {
        assert_eq!(contact(true, Some(UNIT), &[UNIT]), Ok(UNIT));
        assert_eq!(contact(false, Some(UNIT), &[UNIT]).expect_err("disabled").reason(), "CONTACT_NOT_OF_A_UNIT");
        assert_eq!(contact(true, None, &[UNIT]).expect_err("of a company").reason(), "CONTACT_NOT_OF_A_UNIT");
        assert_eq!(contact(true, Some(UNIT), &[Uuid::from_u128(7)]).expect_err("elsewhere").reason(), "CONTACT_CANNOT_ANSWER");
        assert!(of_one(Some(UNIT), None).is_ok() && of_one(None, Some(UNIT)).is_ok());
        assert!(of_one(None, None).is_err() && of_one(Some(UNIT), Some(UNIT)).is_err());
    }

    #[test]
    fn who_has_left_is_passed_over() {
        let (contact, other) = (Uuid::from_u128(4), Uuid::from_u128(5));
        assert_eq!(reached(contact, true, Some(UNIT), UNIT), Some(contact));
        assert_eq!(reached(contact, false, Some(UNIT), UNIT), None);
        assert_eq!(reached(contact, true, Some(other), UNIT), None);
        assert_eq!(reached(contact, true, None, UNIT), None);
    }

    /// Friday 17:30 before the Spring Festival of 2026: the Saturday is a make-up workday.
    #[test]
    fn the_contact_has_one_working_hour() {
        let call = call("2026-02-13T17:30:00+08:00");
        assert_eq!(call.clock.due_at, time("2026-02-14T09:00:00+08:00"));
        assert_eq!(call.spoken(time("2026-02-14T08:40:00+08:00")).expect_err("early").reason(), "NOT_DUE");
        let (warned, word) = call.spoken(time("2026-02-14T08:48:00+08:00")).expect("warns");
        assert_eq!(word, Word::Warning);
        let (late, word) = warned.spoken(time("2026-02-14T09:00:00+08:00")).expect("runs out");
        assert_eq!((word, late.clock.breached_at), (Word::RanOut, Some(time("2026-02-14T09:00:00+08:00"))));
        assert_eq!(late.spoken(time("2026-02-14T10:00:00+08:00")).expect_err("once").reason(), "NOT_DUE");
        // Late is better than never, and stays late.
        let answered = late.answered("见附件", &somebody(&[UNIT]), time("2026-02-14T10:00:00+08:00")).expect("answered");
        assert!(answered.clock.breached_at.is_some() && answered.clock.stopped_at.is_some());
    }

    #[test]
    fn a_new_calendar_moves_a_clock_that_runs() {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        let layer = drumtower_runtime::calendar::Layer::from_json(r#"{"name":"区","days":[{"date":"2026-02-14","day":"off"}]}"#);
        let other = calendar.with(&layer.expect("a layer")).expect("a calendar");
        let (same, moved) = (Promises { policy: &policy, calendar: &calendar }, Promises { policy: &policy, calendar: &other });
        let (call, now) = (call("2026-02-13T17:30:00+08:00"), time("2026-02-13T17:40:00+08:00"));
        assert_eq!(call.reckoned(same, now), None);
        assert_eq!(call.reckoned(moved, now).expect("moved").clock.due_at, time("2026-02-24T09:00:00+08:00"));
        let (warned, _) = call.spoken(time("2026-02-14T08:48:00+08:00")).expect("warns");
        let (late, _) = warned.spoken(call.clock.due_at).expect("runs out");
        assert_eq!(late.reckoned(moved, now), None, "what has run out stays late");
        assert_eq!(call.closed(now).expect("closed").reckoned(moved, now), None);
    }

    #[test]
    fn a_call_is_answered_once_by_the_unit_called() {
        let (call, at) = (call("2026-03-02T09:00:00+08:00"), time("2026-03-02T09:20:00+08:00"));
        assert_eq!(call.answered("x", &somebody(&[Uuid::from_u128(8)]), at).expect_err("another unit").reason(), "NOT_FOUND");
        assert_eq!(call.answered("x", &somebody(&[]), at).expect_err("no unit").reason(), "NOT_FOUND");
        let answered = call.answered("可以", &somebody(&[UNIT]), at).expect("answered");
        assert_eq!((answered.state(), answered.clock.stopped_at), (State::Answered, Some(at)));
        assert_eq!(answered.spoken(answered.clock.due_at).expect_err("stopped").reason(), "NOT_DUE");
        let twice = answered.answered("再答", &somebody(&[UNIT]), at).expect_err("twice");
        assert_eq!((twice.reason(), twice.facts()["possible"].as_str()), ("ILLEGAL_TRANSITION", "convert, close"));
    }

    #[test]
    fn a_call_ends_once() {
        let (call, at) = (call("2026-03-02T09:00:00+08:00"), time("2026-03-02T09:20:00+08:00"));
        let made = || Made { ticket: Uuid::from_u128(6), number: "20260302-0001".into() };
        let converted = call.converted(made(), at).expect("converted");
        let closed = call.closed(at).expect("closed");
        for over in [&converted, &closed] {
            assert_eq!(over.clock.stopped_at, Some(at));
            assert!(over.converted(made(), at).is_err() && over.closed(at).is_err() && over.answered("x", &somebody(&[UNIT]), at).is_err());
        }
        let answered = call.answered("可以", &somebody(&[UNIT]), at).expect("answered");
        assert!(answered.converted(made(), at).is_ok() && answered.closed(at).is_ok());
    }

    #[test]
    fn a_title_is_what_was_said_or_the_beginning_of_what_was_asked() {
        let call = call("2026-03-02T09:00:00+08:00");
        assert_eq!(call.title("贴息"), "贴息");
        assert_eq!(call.title(" ").chars().count(), TITLE);
    }
}
