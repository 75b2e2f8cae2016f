//! The course of a discussion: called, attended, concluded with tasks, each done and confirmed or sent back, closed.

pub use drumtower_proto::ticketing::discussion::{State, task};
use drumtower_runtime::Refusal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::rules::{Clock, Name, Promises, Word},
    outreach::{
        Noun,
        rules::{Course, fits, spoken},
    },
    ticket::rules::{
        Decision, Who,
        side::consult::{binding, callable},
    },
};

/// Verbs of a discussion.
const COURSE: &Course<State> = &[
    ("attend", &[State::Called]),
    ("conclude", &[State::Called]),
    ("finishTask", &[State::FollowUp]),
    ("confirmTask", &[State::FollowUp]),
    ("close", &[State::FollowUp]),
];

/// An invited unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub unit: Uuid,
    pub arrived_at: Option<Timestamp>,
    pub arrived_by: Option<Uuid>,
    pub absent: bool,
}

/// A decision to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub number: i32,
    pub unit: Uuid,
    pub text: String,
    pub state: i32,
    pub clock: Clock,
    pub report: String,
    pub done_at: Option<Timestamp>,
    pub sent_back: i32,
}

impl Task {
    pub fn state(&self) -> task::State {
        task::State::try_from(self.state).unwrap_or_default()
    }
}

/// A discussion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discussion {
    pub state: i32,
    pub enterprise: Uuid,
    pub enterprise_name: String,
    pub topic: String,
    pub convener: Uuid,
    pub seats: Vec<Seat>,
    pub meets_at: Timestamp,
    pub place: String,
    pub minutes: String,
    pub tasks: Vec<Task>,
    pub concluded_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}

impl Noun for Discussion {
    const NAME: &'static str = "discussion";

    fn state(&self) -> i32 {
        self.state
    }

    fn at(&self) -> Timestamp {
        self.meets_at
    }

    fn parties(&self) -> Vec<Uuid> {
        [self.enterprise, self.convener].into_iter().chain(self.seats.iter().map(|seat| seat.unit)).collect()
    }

    fn clocks(&self) -> Vec<(i32, &Clock)> {
        self.tasks.iter().map(|task| (task.number, &task.clock)).collect()
    }
}

/// What is called for.
#[derive(Debug)]
pub struct Calling {
    pub enterprise: Uuid,
    pub enterprise_name: String,
    pub topic: String,
    pub convener: Uuid,
    pub units: Vec<Uuid>,
    pub meets_at: Timestamp,
    pub place: String,
}

/// Calls units together, in the name of a unit that the caller stands for.
pub fn called(calling: Calling, who: &Who, at: Timestamp) -> Result<Discussion, Refusal> {
    if !who.stands_for(calling.convener) {
        let (zh, en) = ("只能以本单位名义召集", "is a unit that the caller stands for");
        return Err(Refusal::invalid("convener_unit_id", "NOT_OWN_UNIT", zh, en));
    }
    callable(&calling.units, calling.convener, calling.meets_at, at)?;
    let seat = |unit| Seat { unit, arrived_at: None, arrived_by: None, absent: false };
    Ok(Discussion {
        state: State::Called as i32,
        enterprise: calling.enterprise,
        enterprise_name: calling.enterprise_name,
        topic: calling.topic,
        convener: calling.convener,
        seats: calling.units.into_iter().map(seat).collect(),
        meets_at: calling.meets_at,
        place: calling.place,
        minutes: String::new(),
        tasks: Vec::new(),
        concluded_at: None,
        closed_at: None,
    })
}

impl Discussion {
    pub fn state(&self) -> State {
        State::try_from(self.state).unwrap_or_default()
    }

    fn fits(&self, verb: &str) -> Result<(), Refusal> {
        fits(COURSE, verb, self.state(), self.state().as_str_name())
    }

    fn of_convener(&self, who: &Who) -> Result<(), Refusal> {
        if who.stands_for(self.convener) {
            return Ok(());
        }
        Err(Refusal::state("NOT_CONVENER", "仅召集单位可执行该操作", "only the convener does this"))
    }

    /// A unit's person arrives; the unit whose seat is taken.
    pub fn attended(&self, who: &Who, at: Timestamp) -> Result<(Self, Uuid), Refusal> {
        self.fits("attend")?;
        let mut after = self.clone();
        let mut own = after.seats.iter_mut().filter(|seat| who.stands_for(seat.unit)).peekable();
        if own.peek().is_none() {
            return Err(Refusal::state("NOT_CALLED", "本单位未被召集", "this unit was not called"));
        }
        let Some(seat) = own.find(|seat| seat.arrived_at.is_none()) else {
            return Err(Refusal::state("ARRIVED_ALREADY", "本单位已报到", "this unit has arrived already"));
        };
        (seat.arrived_at, seat.arrived_by) = (Some(at), Some(who.user));
        let unit = seat.unit;
        Ok((after, unit))
    }

    /// Minutes and decisions. Who did not come is recorded, and bound all the same.
    pub fn concluded(
        &self,
        minutes: &str,
        decisions: &[Decision],
        who: &Who,
        at: Timestamp,
        promises: Promises<'_>,
    ) -> Result<Self, Refusal> {
        self.of_convener(who)?;
        self.fits("conclude")?;
        binding(decisions, |unit| unit == self.convener || self.seats.iter().any(|seat| seat.unit == unit), at)?;
        let tasks = (1..).zip(decisions).map(|(number, decision)| Task {
            number,
            unit: decision.unit,
            text: decision.text.clone(),
            state: task::State::ToDo as i32,
            clock: Clock { unit: Some(decision.unit), ..promises.until(Name::Task, number, decision.due_at, at) },
            report: String::new(),
            done_at: None,
            sent_back: 0,
        });
        let seats = self.seats.iter().map(|seat| Seat { absent: seat.arrived_at.is_none(), ..seat.clone() });
        Ok(Self {
            state: State::FollowUp as i32,
            minutes: minutes.to_owned(),
            tasks: tasks.collect(),
            seats: seats.collect(),
            concluded_at: Some(at),
            ..self.clone()
        })
    }

    /// The unit that a task binds reports it done; its clock stops.
    pub fn finished(&self, number: i32, report: &str, who: &Who, at: Timestamp) -> Result<(Self, Uuid), Refusal> {
        self.fits("finishTask")?;
        let mut after = self.clone();
        let task = after.tasks.iter_mut().find(|task| task.number == number && who.stands_for(task.unit)).ok_or_else(|| {
            Refusal::state("NO_SUCH_TASK", "本单位没有该任务", "this unit has no such task").fact("number", number.to_string())
        })?;
        if task.state() != task::State::ToDo {
            return Err(Refusal::state("DONE_ALREADY", "该任务已完成", "this task is done already"));
        }
        task.state = task::State::Done as i32;
        report.clone_into(&mut task.report);
        task.done_at = Some(at);
        task.clock.stopped_at = Some(at);
        let unit = task.unit;
        Ok((after, unit))
    }

    /// The convener confirms a task that is done, or sends it back with a reason; then its clock goes on to the same instant.
    pub fn judged(&self, number: i32, confirmed: bool, text: &str, who: &Who) -> Result<(Self, Uuid), Refusal> {
        self.of_convener(who)?;
        self.fits("confirmTask")?;
        let mut after = self.clone();
        let task = after
            .tasks
            .iter_mut()
            .find(|task| task.number == number)
            .ok_or_else(|| Refusal::state("NO_SUCH_TASK", "没有该任务", "there is no such task").fact("number", number.to_string()))?;
        if task.state() != task::State::Done {
            let (zh, en) = ("该任务不在待确认状态", "this task does not wait to be confirmed");
            return Err(Refusal::state("NOT_DONE", zh, en));
        }
        if !confirmed && text.trim().is_empty() {
            return Err(Refusal::invalid("text", "REQUIRED", "退回须说明原因", "says why it is sent back"));
        }
        if confirmed {
            task.state = task::State::Confirmed as i32;
        } else {
            task.state = task::State::ToDo as i32;
            task.sent_back += 1;
            task.done_at = None;
            task.clock.stopped_at = None;
        }
        let unit = task.unit;
        Ok((after, unit))
    }

    /// Closed when nothing is left to do or to confirm.
    pub fn closed(&self, who: &Who, at: Timestamp) -> Result<Self, Refusal> {
        self.of_convener(who)?;
        self.fits("close")?;
        let open = self.tasks.iter().filter(|task| task.state() != task::State::Confirmed);
        let open: Vec<String> = open.map(|task| task.number.to_string()).collect();
        if !open.is_empty() {
            let (zh, en) = ("尚有任务未完成或未确认", "tasks are not done, or not confirmed");
            return Err(Refusal::state("TASKS_OPEN", zh, en).fact("tasks", open.join(", ")));
        }
        Ok(Self { state: State::Closed as i32, closed_at: Some(at), ..self.clone() })
    }

    /// The clock of a task has said something.
    pub fn spoken(&self, number: i32, at: Timestamp) -> Result<(Self, Word), Refusal> {
        let mut after = self.clone();
        let task = after.tasks.iter_mut().find(|task| task.number == number);
        let task = task.ok_or_else(|| Refusal::state("NOT_DUE", "时限未到", "there is no such clock"))?;
        let (clock, word) = spoken(&task.clock, at)?;
        task.clock = clock;
        Ok((after, word))
    }
}

#[cfg(test)]
mod tests {
    use drumtower_runtime::calendar::Calendar;
    use jiff::SignedDuration;

    use super::*;
    use crate::clock::rules::Policy;

    const CONVENER: Uuid = Uuid::from_u128(1);
    const INVITED: Uuid = Uuid::from_u128(2);
    const OTHER: Uuid = Uuid::from_u128(3);

    fn hour(hours: i64) -> Timestamp {
        "2026-03-02T01:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_hours(hours)
    }

    fn of(unit: Uuid) -> Who {
        Who { user: Uuid::from_u128(9), units: Some(vec![unit]), ..Who::timer() }
    }

    fn calling(units: Vec<Uuid>) -> Calling {
        Calling {
            enterprise: Uuid::from_u128(5),
            enterprise_name: "甲公司".into(),
            topic: "扩产用地".into(),
            convener: CONVENER,
            units,
            meets_at: hour(2),
            place: "三楼会议室".into(),
        }
    }

    fn discussion() -> Discussion {
        called(calling(vec![INVITED]), &of(CONVENER), hour(0)).expect("called")
    }

    fn decision(unit: Uuid, due: i64) -> Decision {
        Decision { unit, text: "落实".into(), due_at: hour(due) }
    }

    fn concluded(decisions: &[Decision]) -> Result<Discussion, Refusal> {
        conclude(&discussion(), decisions, &of(CONVENER))
    }

    fn conclude(discussion: &Discussion, decisions: &[Decision], who: &Who) -> Result<Discussion, Refusal> {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        discussion.concluded("纪要", decisions, who, hour(3), Promises { policy: &policy, calendar: &calendar })
    }

    #[test]
    fn a_unit_calls_others_in_its_own_name() {
        let refused = |units: Vec<Uuid>, who: &Who, at| called(calling(units), who, at).expect_err("refused").reason();
        assert_eq!(refused(vec![INVITED], &of(OTHER), hour(0)), "NOT_OWN_UNIT");
        assert_eq!(refused(vec![], &of(CONVENER), hour(0)), "UNITS");
        assert_eq!(refused(vec![CONVENER], &of(CONVENER), hour(0)), "UNITS");
        assert_eq!(refused(vec![INVITED, INVITED], &of(CONVENER), hour(0)), "UNITS");
        assert_eq!(refused(vec![INVITED], &of(CONVENER), hour(3)), "PAST");
        let all = Who { units: None, ..of(OTHER) };
        assert!(called(calling(vec![INVITED]), &all, hour(0)).is_ok(), "whoever stands for all calls for any");
        assert_eq!(discussion().parties(), [Uuid::from_u128(5), CONVENER, INVITED]);
    }

    #[test]
    fn an_invited_unit_arrives_once() {
        let called = discussion();
        assert_eq!(called.attended(&of(OTHER), hour(2)).expect_err("not invited").reason(), "NOT_CALLED");
        assert_eq!(called.attended(&of(CONVENER), hour(2)).expect_err("the convener").reason(), "NOT_CALLED");
        let (attended, unit) = called.attended(&of(INVITED), hour(2)).expect("attends");
        assert_eq!((unit, attended.seats[0].arrived_at), (INVITED, Some(hour(2))));
        assert_eq!(attended.attended(&of(INVITED), hour(2)).expect_err("twice").reason(), "ARRIVED_ALREADY");
        assert!(!conclude(&attended, &[], &of(CONVENER)).expect("concluded").seats[0].absent);
    }

    #[test]
    fn the_convener_concludes_and_binds_who_was_called() {
        assert_eq!(conclude(&discussion(), &[], &of(INVITED)).expect_err("invited").reason(), "NOT_CONVENER");
        assert_eq!(concluded(&[decision(OTHER, 9)]).expect_err("not called").reason(), "NOT_CALLED");
        assert_eq!(concluded(&[decision(INVITED, 3)]).expect_err("now").reason(), "PAST");
        let concluded = concluded(&[decision(INVITED, 9), decision(CONVENER, 10)]).expect("concluded");
        assert!(concluded.seats[0].absent, "who did not come is recorded");
        assert_eq!(concluded.tasks.iter().map(|task| (task.number, task.unit)).collect::<Vec<_>>(), [(1, INVITED), (2, CONVENER)]);
        assert_eq!(conclude(&concluded, &[], &of(CONVENER)).expect_err("twice").reason(), "ILLEGAL_TRANSITION");
        assert_eq!(concluded.attended(&of(INVITED), hour(4)).expect_err("late").reason(), "ILLEGAL_TRANSITION");
    }

    #[test]
    fn a_task_is_done_judged_sent_back_and_done_again() {
        let follow = concluded(&[decision(INVITED, 9)]).expect("concluded");
        assert_eq!(follow.judged(1, true, "", &of(CONVENER)).expect_err("not done").reason(), "NOT_DONE");
        assert_eq!(follow.finished(1, "好", &of(CONVENER), hour(4)).expect_err("another's").reason(), "NO_SUCH_TASK");
        assert_eq!(follow.finished(2, "好", &of(INVITED), hour(4)).expect_err("none").reason(), "NO_SUCH_TASK");
        let (done, unit) = follow.finished(1, "已办", &of(INVITED), hour(4)).expect("done");
        assert_eq!((unit, done.tasks[0].clock.stopped_at), (INVITED, Some(hour(4))));
        assert_eq!(done.spoken(1, hour(20)).expect_err("stopped").reason(), "NOT_DUE");
        assert_eq!(done.finished(1, "又", &of(INVITED), hour(4)).expect_err("twice").reason(), "DONE_ALREADY");
        assert_eq!(done.judged(1, true, "", &of(INVITED)).expect_err("its own work").reason(), "NOT_CONVENER");
        assert_eq!(done.judged(1, false, " ", &of(CONVENER)).expect_err("no reason").reason(), "REQUIRED");
        assert_eq!(done.closed(&of(CONVENER), hour(5)).expect_err("not confirmed").facts()["tasks"], "1");
        let (back, _) = done.judged(1, false, "缺验收", &of(CONVENER)).expect("sent back");
        assert_eq!((back.tasks[0].sent_back, back.tasks[0].state(), back.tasks[0].done_at), (1, task::State::ToDo, None));
        let (late, word) = back.spoken(1, hour(9)).expect("its clock went on");
        assert_eq!((word, late.tasks[0].clock.breached_at), (Word::RanOut, Some(hour(9))));
        assert_eq!(late.spoken(1, hour(10)).expect_err("once").reason(), "NOT_DUE");
        let (again, _) = late.finished(1, "已验收", &of(INVITED), hour(10)).expect("done");
        let (confirmed, _) = again.judged(1, true, "", &of(CONVENER)).expect("confirmed");
        assert_eq!(confirmed.judged(1, true, "", &of(CONVENER)).expect_err("twice").reason(), "NOT_DONE");
        assert_eq!(confirmed.closed(&of(INVITED), hour(11)).expect_err("not the convener").reason(), "NOT_CONVENER");
        let closed = confirmed.closed(&of(CONVENER), hour(11)).expect("closed");
        assert!(closed.tasks[0].clock.breached_at.is_some(), "what was late stays late");
        assert_eq!(closed.closed(&of(CONVENER), hour(12)).expect_err("twice").reason(), "ILLEGAL_TRANSITION");
    }

    #[test]
    fn nothing_to_do_is_closed_at_once_but_not_before_it_is_concluded() {
        assert_eq!(discussion().closed(&of(CONVENER), hour(5)).expect_err("open").reason(), "ILLEGAL_TRANSITION");
        assert!(concluded(&[]).expect("concluded").closed(&of(CONVENER), hour(5)).is_ok());
    }
}
