//! The course of a service day: planned, published, held from its first demand on, closed when the demands are over; or cancelled in time.
//! Its date is that of Asia/Shanghai.

pub use drumtower_proto::ticketing::{invitation::Reply, service_day::State};
use drumtower_runtime::{Refusal, calendar::today};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::rules::Clock,
    outreach::{
        Noun,
        rules::{Course, fits},
    },
    ticket::rules::Who,
};

/// Verbs of a day.
const COURSE: &Course<State> = &[
    ("invite", &[State::Planned, State::Published]),
    ("publish", &[State::Planned]),
    ("reply", &[State::Published, State::Held]),
    ("take", &[State::Published, State::Held]),
    ("close", &[State::Published, State::Held]),
    ("cancel", &[State::Planned, State::Published]),
];

/// A unit's desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    pub number: i32,
    pub unit: Uuid,
    pub covers: String,
}

/// A service day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDay {
    pub state: i32,
    pub title: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub building: Option<Uuid>,
    pub place: String,
    pub desks: Vec<Desk>,
    /// Companies that are invited know of it.
    pub published: bool,
    pub reason: String,
}

impl Noun for ServiceDay {
    const NAME: &'static str = "service_day";

    fn state(&self) -> i32 {
        self.state
    }

    fn at(&self) -> Timestamp {
        self.starts_at
    }

    /// The units with desks; companies when it is published.
    fn parties(&self) -> Vec<Uuid> {
        self.desks.iter().map(|desk| desk.unit).collect()
    }

    fn clocks(&self) -> Vec<(i32, &Clock)> {
        Vec::new()
    }
}

impl ServiceDay {
    /// Within one day that is not over, at some place.
    pub fn check(&self, at: Timestamp) -> Result<(), Refusal> {
        if self.starts_at >= self.ends_at || today(self.starts_at) != today(self.ends_at) {
            let (zh, en) = ("结束时间须晚于开始时间且在同一天", "is after its beginning, on the same day");
            return Err(Refusal::invalid("ends_at", "NOT_ONE_DAY", zh, en));
        }
        if self.ends_at <= at {
            return Err(Refusal::invalid("ends_at", "PAST", "须在将来", "is in the future"));
        }
        if self.building.is_none() && self.place.trim().is_empty() {
            return Err(Refusal::invalid("place", "REQUIRED", "请选择楼宇或填写地点", "where? a building or words"));
        }
        Ok(())
    }

    pub fn state(&self) -> State {
        State::try_from(self.state).unwrap_or_default()
    }

    /// Its date.
    pub fn date(&self) -> Date {
        today(self.starts_at)
    }

    fn fits(&self, verb: &str) -> Result<(), Refusal> {
        fits(COURSE, verb, self.state(), self.state().as_str_name())
    }

    fn not_over(&self, at: Timestamp) -> Result<(), Refusal> {
        if today(at) <= self.date() {
            return Ok(());
        }
        Err(Refusal::state("DAY_OVER", "服务日已结束", "the day is over").fact("date", self.date().to_string()))
    }

    /// More companies are invited, until the day is over.
    pub fn may_invite(&self, at: Timestamp) -> Result<(), Refusal> {
        self.fits("invite")?;
        self.not_over(at)
    }

    /// Those invited are told.
    pub fn publish(&self, invited: usize, at: Timestamp) -> Result<Self, Refusal> {
        self.fits("publish")?;
        self.not_over(at)?;
        if invited == 0 {
            return Err(Refusal::state("NOBODY_INVITED", "请先邀请企业", "invite companies first"));
        }
        Ok(Self { state: State::Published as i32, published: true, ..self.clone() })
    }

    /// What a company says to its invitation; it may change its mind until the day is over.
    pub fn reply(&self, coming: bool, people: i32, at: Timestamp) -> Result<Reply, Refusal> {
        self.fits("reply")?;
        self.not_over(at)?;
        if coming != (people > 0) {
            let (zh, en) = ("参加须填写人数，不参加则为 0", "is at least 1 when somebody comes, else 0");
            return Err(Refusal::invalid("people", "PEOPLE", zh, en));
        }
        Ok(if coming { Reply::Coming } else { Reply::NotComing })
    }

    /// The desk that takes a demand, on the day, in the hands of its unit. The first demand makes the day held.
    pub fn take(&self, desk: i32, who: &Who, at: Timestamp) -> Result<(&Desk, Option<Self>), Refusal> {
        self.fits("take")?;
        if today(at) != self.date() {
            let (zh, en) = ("只能在服务日当天收件，请提交诉求", "is taken on the day only: submit a request instead");
            return Err(Refusal::state("NOT_THE_DAY", zh, en).fact("date", self.date().to_string()));
        }
        let number = desk;
        let desk = self.desks.iter().find(|desk| desk.number == number);
        let desk = desk.ok_or_else(|| Refusal::invalid("desk", "NO_SUCH_DESK", "没有该服务台", "is no desk of this day"))?;
        if !who.stands_for(desk.unit) {
            let (zh, en) = ("该服务台由其他单位值守", "this desk is another unit's");
            return Err(Refusal::state("NOT_OWN_DESK", zh, en).fact("unit", desk.unit.to_string()));
        }
        let held = (self.state() == State::Published).then(|| Self { state: State::Held as i32, ..self.clone() });
        Ok((desk, held))
    }

    /// Closed when every demand's request is over, or with a reason, which is kept. Nobody may have brought anything.
    pub fn close(&self, open: i64, reason: &str, at: Timestamp) -> Result<Self, Refusal> {
        self.fits("close")?;
        if today(at) < self.date() {
            let (zh, en) = ("服务日尚未举办，可取消", "the day is to come: cancel it instead");
            return Err(Refusal::state("NOT_HELD_YET", zh, en).fact("date", self.date().to_string()));
        }
        if open > 0 && reason.trim().is_empty() {
            let (zh, en) = ("尚有诉求未办结，提前闭环须说明原因", "requests are not over: say why it is closed all the same");
            return Err(Refusal::state("DEMANDS_OPEN", zh, en).fact("open", open.to_string()));
        }
        Ok(Self { state: State::Closed as i32, reason: reason.to_owned(), ..self.clone() })
    }

    /// Called off before its date.
    pub fn cancel(&self, reason: &str, at: Timestamp) -> Result<Self, Refusal> {
        self.fits("cancel")?;
        if today(at) >= self.date() {
            let (zh, en) = ("服务日当天起不能取消", "is called off before its date only");
            return Err(Refusal::state("TOO_LATE", zh, en).fact("date", self.date().to_string()));
        }
        Ok(Self { state: State::Cancelled as i32, reason: reason.to_owned(), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Uuid = Uuid::from_u128(1);

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// The last day of February by UTC, the first of March in Fuzhou: the date is Fuzhou's.
    fn planned() -> ServiceDay {
        ServiceDay {
            state: State::Planned as i32,
            title: "企业服务日".into(),
            starts_at: time("2026-03-03T00:30:00+08:00"),
            ends_at: time("2026-03-03T12:00:00+08:00"),
            building: None,
            place: "一楼大厅".into(),
            desks: vec![Desk { number: 1, unit: UNIT, covers: "登记".into() }],
            published: false,
            reason: String::new(),
        }
    }

    fn published() -> ServiceDay {
        planned().publish(2, before()).expect("published")
    }

    fn before() -> Timestamp {
        time("2026-03-02T23:59:59+08:00")
    }

    fn on_the_day() -> Timestamp {
        time("2026-03-03T00:00:00+08:00")
    }

    fn after() -> Timestamp {
        time("2026-03-04T00:00:00+08:00")
    }

    fn of(unit: Uuid) -> Who {
        Who { units: Some(vec![unit]), ..Who::timer() }
    }

    fn reason<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> &'static str {
        refused.expect_err("refused").reason()
    }

    #[test]
    fn a_day_is_one_day_to_come_at_some_place() {
        assert!(planned().check(before()).is_ok());
        assert_eq!(reason(planned().check(time("2026-03-03T12:00:00+08:00"))), "PAST");
        let into_the_next = ServiceDay { ends_at: after(), ..planned() };
        assert_eq!(reason(into_the_next.check(before())), "NOT_ONE_DAY");
        let backwards = ServiceDay { ends_at: planned().starts_at, ..planned() };
        assert_eq!(reason(backwards.check(before())), "NOT_ONE_DAY");
        assert_eq!(reason(ServiceDay { place: " ".into(), ..planned() }.check(before())), "REQUIRED");
        assert!(ServiceDay { place: String::new(), building: Some(UNIT), ..planned() }.check(before()).is_ok());
    }

    #[test]
    fn it_is_published_once_to_somebody_before_it_is_over() {
        assert_eq!(reason(planned().publish(0, before())), "NOBODY_INVITED");
        assert_eq!(reason(planned().publish(1, after())), "DAY_OVER");
        assert!(planned().publish(1, on_the_day()).is_ok());
        assert!(published().published && !planned().published);
        assert_eq!(reason(published().publish(1, before())), "ILLEGAL_TRANSITION");
        assert!(published().may_invite(before()).is_ok() && planned().may_invite(before()).is_ok());
        assert_eq!(reason(published().may_invite(after())), "DAY_OVER");
    }

    #[test]
    fn a_company_replies_until_the_day_is_over() {
        assert_eq!(reason(planned().reply(true, 1, before())), "ILLEGAL_TRANSITION");
        assert_eq!(published().reply(true, 3, on_the_day()), Ok(Reply::Coming));
        assert_eq!(published().reply(false, 0, before()), Ok(Reply::NotComing));
        assert_eq!(reason(published().reply(true, 0, before())), "PEOPLE");
        assert_eq!(reason(published().reply(false, 1, before())), "PEOPLE");
        assert_eq!(reason(published().reply(true, 1, after())), "DAY_OVER");
    }

    #[test]
    fn a_demand_is_taken_on_the_day_at_a_units_own_desk() {
        assert_eq!(reason(planned().take(1, &of(UNIT), on_the_day())), "ILLEGAL_TRANSITION");
        assert_eq!(reason(published().take(1, &of(UNIT), before())), "NOT_THE_DAY");
        assert_eq!(reason(published().take(1, &of(UNIT), after())), "NOT_THE_DAY");
        assert_eq!(reason(published().take(2, &of(UNIT), on_the_day())), "NO_SUCH_DESK");
        assert_eq!(reason(published().take(1, &of(Uuid::from_u128(2)), on_the_day())), "NOT_OWN_DESK");
        let day = published();
        let (desk, held) = day.take(1, &of(UNIT), on_the_day()).expect("taken");
        let held = held.expect("the first makes it held");
        assert_eq!((desk.unit, held.state()), (UNIT, State::Held));
        assert!(held.take(1, &Who { units: None, ..of(UNIT) }, on_the_day()).expect("taken").1.is_none(), "the second does not");
    }

    #[test]
    fn it_is_closed_when_demands_are_over_or_with_a_reason() {
        assert_eq!(reason(published().close(0, "", before())), "NOT_HELD_YET");
        assert!(published().close(0, "", on_the_day()).is_ok(), "nobody brought anything");
        let held = ServiceDay { state: State::Held as i32, ..published() };
        let refused = held.close(2, " ", after()).expect_err("open");
        assert_eq!((refused.reason(), refused.facts()["open"].as_str()), ("DEMANDS_OPEN", "2"));
        assert_eq!(held.close(2, "转入月度督办", after()).expect("closed").reason, "转入月度督办");
        let closed = held.close(0, "", after()).expect("closed");
        assert_eq!(reason(closed.close(0, "", after())), "ILLEGAL_TRANSITION");
        assert_eq!(reason(closed.reply(true, 1, on_the_day())), "ILLEGAL_TRANSITION");
    }

    #[test]
    fn it_is_called_off_before_its_date_only() {
        assert_eq!(planned().cancel("台风", before()).expect("cancelled").state(), State::Cancelled);
        let cancelled = published().cancel("台风", before()).expect("cancelled");
        assert!(cancelled.published, "those who were told of it still see it");
        assert_eq!(reason(published().cancel("台风", on_the_day())), "TOO_LATE");
        let held = ServiceDay { state: State::Held as i32, ..published() };
        assert_eq!(reason(held.cancel("台风", before())), "ILLEGAL_TRANSITION");
        assert_eq!(reason(cancelled.take(1, &of(UNIT), on_the_day())), "ILLEGAL_TRANSITION");
    }
}
