//! Policies and clocks. A policy is data with its sources; a clock keeps the version it began under.

use drumtower_proto::ticketing::ticket::{Kind, Urgency};
use drumtower_runtime::{
    Refusal,
    calendar::{Calendar, Pause, Span, Unit as Counted},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// Join a consultation.
    C8,
    /// Call back.
    C9,
    /// Rate.
    C10,
    /// The next step of supervision after the resolution clock ran out.
    C11,
    /// Verify a bad rating.
    B1,
    /// Put right what it named.
    B4,
    /// Rate once more.
    B6,
    /// A decision of a consultation is to be carried out.
    Task,
    /// The longest that a pause may last.
    Hold,
    /// A request on the ledger is looked at again.
    Ledger,
    /// A direct call is answered.
    D1,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::C1,
        Self::C2,
        Self::C3,
        Self::C4,
        Self::C5,
        Self::C6,
        Self::C7,
        Self::C8,
        Self::C9,
        Self::C10,
        Self::C11,
        Self::B1,
        Self::B4,
        Self::B6,
        Self::Task,
        Self::Hold,
        Self::Ledger,
        Self::D1,
    ];

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
            Self::C8 => "C8",
            Self::C9 => "C9",
            Self::C10 => "C10",
            Self::C11 => "C11",
            Self::B1 => "B1",
            Self::B4 => "B4",
            Self::B6 => "B6",
            Self::Task => "TASK",
            Self::Hold => "HOLD",
            Self::Ledger => "LEDGER",
            Self::D1 => "D1",
        }
    }

    /// From the table.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.text() == text)
    }

    /// Whether running out is somebody's failure. The return window and the rating merely close, a pause and a stay on the ledger end,
    /// and the ladder climbs.
    pub fn is_duty(self) -> bool {
        !matches!(self, Self::C6 | Self::C10 | Self::C11 | Self::B6 | Self::Hold | Self::Ledger)
    }

    /// Whether the policy says how long it runs. A task says its day, the ledger its review, a pause ends by the machine's limit.
    pub fn is_promised(self) -> bool {
        !matches!(self, Self::Task | Self::Hold | Self::Ledger)
    }

    /// Whether it runs on when the request itself is over.
    pub fn outlives(self) -> bool {
        matches!(self, Self::B1 | Self::B4 | Self::B6)
    }

    /// Whether it stands still while the request is paused: only the promise to resolve does.
    pub fn pauses(self) -> bool {
        matches!(self, Self::C5 | Self::C11)
    }
}

/// A clock of one request. Facts and not remainders: what it was given, when it stood still; its due time follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub name: Name,
    /// Counts the clocks of one name: a second dispatch starts a second C3.
    pub round: i32,
    /// The unit whose promise it is, when several have one beside each other.
    #[serde(default)]
    pub unit: Option<Uuid>,
    pub started_at: Timestamp,
    /// Time allowed.
    #[serde(default = "unsaid")]
    pub span: Span,
    /// Granted beyond it, counted like it.
    #[serde(default)]
    pub extended: u32,
    /// When it stood still.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// A leader's word: due then at the latest.
    #[serde(default)]
    pub latest: Option<Timestamp>,
    /// Shares of its time after which it warns, per cent, and the instants they make.
    #[serde(default)]
    pub percents: Vec<u8>,
    #[serde(default)]
    pub warns: Vec<Timestamp>,
    /// How many warnings were given.
    #[serde(default)]
    pub warned: usize,
    pub due_at: Timestamp,
    pub provisional: bool,
    pub stopped_at: Option<Timestamp>,
    pub breached_at: Option<Timestamp>,
}

/// Events of before spans were kept with their clocks.
fn unsaid() -> Span {
    Span::WorkDays(5)
}

impl Clock {
    /// Whether it runs, or stands still for a while.
    pub fn runs(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// All of it, as the table keeps it beside the columns that questions are asked of.
    pub fn facts(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it stands still.
    pub fn paused(&self) -> bool {
        self.pauses.last().is_some_and(|(_, to)| to.is_none())
    }

    /// When it is due; nothing is while it stands still, or when it was stopped so.
    pub fn owed_at(&self) -> Option<Timestamp> {
        (!self.paused()).then_some(self.due_at)
    }

    /// When it next has something to say: a warning, or that it ran out.
    pub fn fires_at(&self) -> Option<Timestamp> {
        let silent = !self.runs() || self.paused() || self.breached_at.is_some();
        (!silent).then(|| self.warns.get(self.warned).copied().unwrap_or(self.due_at))
    }

    /// What it has to say when its time has come.
    pub fn says(&self, at: Timestamp) -> Result<Word, Refusal> {
        if self.fires_at().is_none_or(|fires| fires > at) {
            return Err(Refusal::state("NOT_DUE", "时限未到", "this clock is not due"));
        }
        Ok(if at < self.due_at { Word::Warning } else { Word::RanOut })
    }
}

/// What a clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Warning,
    RanOut,
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
    /// The clocks of a name from this one on; the first when not said.
    round: Option<i32>,
    unit: Unit,
    count: u32,
    /// When to warn, per cent of the time.
    #[serde(default)]
    warn: Vec<u8>,
    #[expect(dead_code, reason = "read by people; every promise says where it comes from")]
    source: String,
}

/// The longest time that may be promised: a year of minutes.
const MOST: u32 = 525_600;

/// All promises of a version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub version: String,
    promises: Vec<Promise>,
}

/// What a district promises otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
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

    /// This policy with a district's promises before its own, or what is wrong with them.
    pub fn with(&self, version: String, overlay: Overlay) -> Result<Self, Refusal> {
        let policy = Self { version, promises: overlay.promises.into_iter().chain(self.promises.iter().cloned()).collect() };
        policy.check()?;
        Ok(policy)
    }

    /// Says what is wrong with a version: a clock without a promise that fits every request, a kind or an urgency that is none, times
    /// or warnings that make no sense.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |place: usize, reason: &'static str, zh: &str, en: &str| {
            Refusal::invalid(
                format!("promises[{place}]"),
                reason,
                format!("第 {} 条{zh}", place + 1),
                format!("promise {}: {en}", place + 1),
            )
        };
        for (place, promise) in self.promises.iter().enumerate() {
            if promise.kind.as_deref().is_some_and(|kind| Kind::from_str_name(kind).is_none()) {
                return Err(wrong(place, "KIND", "诉求类型不存在", "there is no such kind"));
            }
            if promise.urgency.as_deref().is_some_and(|urgency| Urgency::from_str_name(urgency).is_none()) {
                return Err(wrong(place, "URGENCY", "紧急程度不存在", "there is no such urgency"));
            }
            if !(1..=MOST).contains(&promise.count) {
                return Err(wrong(place, "COUNT", "时限超出范围", "the time is from 1 to 525,600"));
            }
            let rising = promise.warn.windows(2).all(|two| two[0] < two[1]);
            if !rising || promise.warn.iter().any(|percent| !(1..=99).contains(percent)) {
                return Err(wrong(place, "WARN", "预警比例须为 1 到 99 且递增", "warnings are from 1 to 99 per cent, rising"));
            }
        }
        for clock in Name::ALL.into_iter().filter(|name| name.is_promised()) {
            let always = |promise: &Promise| {
                promise.clock == clock
                    && promise.kind.is_none()
                    && promise.urgency.is_none()
                    && promise.danger.is_none()
                    && promise.round.is_none()
            };
            if !self.promises.iter().any(always) {
                let name = clock.text();
                let (zh, en) = (format!("{name} 缺少适用于所有诉求的时限"), format!("{name} has no promise that fits every request"));
                return Err(Refusal::invalid("promises", "NO_PROMISE", zh, en).fact("clock", name));
            }
        }
        Ok(())
    }

    /// How long a clock runs, and when it warns.
    fn promise(&self, clock: Name, round: i32, matter: Matter) -> (Span, Vec<u8>) {
        let fits = |promise: &&Promise| {
            promise.clock == clock
                && promise.round.is_none_or(|from| round >= from)
                && promise.kind.as_deref().is_none_or(|kind| kind == matter.kind.as_str_name())
                && promise.urgency.as_deref().is_none_or(|urgency| urgency == matter.urgency.as_str_name())
                && promise.danger.is_none_or(|danger| danger == matter.danger)
        };
        let Some(promise) = self.promises.iter().find(fits) else { return (Span::WorkDays(5), Vec::new()) };
        let span = match promise.unit {
            Unit::Minutes => Span::minutes(promise.count),
            Unit::Days => Span::NaturalDays(promise.count),
            Unit::WorkMinutes => Span::work_minutes(promise.count),
            Unit::WorkDays => Span::WorkDays(promise.count),
        };
        (span, promise.warn.clone())
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
        let (span, percents) = self.policy.promise(name, round, matter);
        self.begin(name, round, span, percents, at)
    }

    /// What a request that is submitted now is promised at the latest: to be accepted, contacted about, resolved. Each step begins when the
    /// one before it has to be over.
    pub fn foreseen(&self, matter: Matter, at: Timestamp) -> [Clock; 3] {
        let accept = self.start(Name::C1, 1, matter, at);
        let dispatch = self.start(Name::C2, 1, matter, accept.due_at);
        let sign = self.start(Name::C3, 1, matter, dispatch.due_at);
        let contact = self.start(Name::C4, 1, matter, sign.due_at);
        let resolve = self.start(Name::C5, 1, matter, dispatch.due_at);
        [accept, contact, resolve]
    }

    /// The resolution clock of work done again: half the time, at most three working days (ticketing.md, transition 23).
    pub fn start_again(&self, round: i32, matter: Matter, at: Timestamp) -> Clock {
        let (span, percents) = self.policy.promise(Name::C5, round, matter);
        let span = match span {
            Span::WorkDays(days) => Span::WorkDays(days.div_ceil(2).clamp(1, 3)),
            Span::NaturalDays(days) => Span::NaturalDays(days.div_ceil(2).max(1)),
            Span::WorkSeconds(seconds) => Span::WorkSeconds(seconds / 2),
            Span::Natural(seconds) => Span::Natural(seconds / 2),
        };
        self.begin(Name::C5, round, span, percents, at)
    }

    /// A clock that runs for a given time.
    pub fn lasting(&self, name: Name, round: i32, span: Span, at: Timestamp) -> Clock {
        self.begin(name, round, span, Vec::new(), at)
    }

    /// A clock that is due at a given instant.
    pub fn until(&self, name: Name, round: i32, due: Timestamp, at: Timestamp) -> Clock {
        let seconds = u32::try_from(due.duration_since(at).as_secs().max(0)).unwrap_or(u32::MAX);
        self.begin(name, round, Span::Natural(seconds), vec![80], at)
    }

    fn begin(&self, name: Name, round: i32, span: Span, percents: Vec<u8>, at: Timestamp) -> Clock {
        let clock = Clock {
            name,
            round,
            unit: None,
            started_at: at,
            span,
            extended: 0,
            pauses: Vec::new(),
            latest: None,
            percents,
            warns: Vec::new(),
            warned: 0,
            due_at: at,
            provisional: false,
            stopped_at: None,
            breached_at: None,
        };
        self.reckoned(clock, at)
    }

    /// A clock that runs as a new calendar moves it; `None` when it stays.
    pub fn moved(&self, clock: &Clock, now: Timestamp) -> Option<Clock> {
        clock.fires_at()?;
        let after = self.reckoned(clock.clone(), now);
        (after.due_at != clock.due_at || after.provisional != clock.provisional).then_some(after)
    }

    /// A clock with its due time and its warnings as its facts now make them. One that stands still keeps what it had; warnings whose
    /// time has passed are not given any more.
    pub fn reckoned(&self, mut clock: Clock, now: Timestamp) -> Clock {
        let span = plus(clock.span, clock.extended);
        let Some(due) = self.calendar.due_with_pauses(clock.started_at, &clock.pauses, span) else { return clock };
        clock.due_at = clock.latest.map_or(due.at, |latest| latest.min(due.at));
        clock.provisional = due.provisional;
        let counted = match span.unit() {
            Counted::WorkSeconds | Counted::WorkDays => Counted::WorkSeconds,
            Counted::Natural | Counted::NaturalDays => Counted::Natural,
        };
        let whole = self.calendar.elapsed(clock.started_at, &clock.pauses, clock.due_at, counted);
        let instant = |percent: &u8| {
            let seconds = u32::try_from(whole * u64::from(*percent) / 100).unwrap_or(u32::MAX);
            let part = if counted == Counted::Natural { Span::Natural(seconds) } else { Span::WorkSeconds(seconds) };
            self.calendar.due_with_pauses(clock.started_at, &clock.pauses, part).map_or(clock.due_at, |warn| warn.at.min(clock.due_at))
        };
        clock.warns = clock.percents.iter().map(instant).collect();
        clock.warned = clock.warns.iter().filter(|warn| **warn <= now).count();
        clock
    }
}

/// More of the same.
pub fn plus(span: Span, more: u32) -> Span {
    match span {
        Span::WorkSeconds(count) => Span::WorkSeconds(count.saturating_add(more)),
        Span::WorkDays(count) => Span::WorkDays(count.saturating_add(more)),
        Span::Natural(count) => Span::Natural(count.saturating_add(more)),
        Span::NaturalDays(count) => Span::NaturalDays(count.saturating_add(more)),
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
    fn a_callback_is_warned_of_before_it_is_late() {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        let promises = Promises { policy: &policy, calendar: &calendar };
        let matter = Matter { kind: Kind::Help, urgency: Urgency::Normal, danger: false };
        let clock = promises.start(Name::C9, 1, matter, "2026-03-02T09:00:00+08:00".parse().expect("a time"));
        assert_eq!(clock.fires_at(), clock.warns.first().copied());
        assert!(clock.warns[0] > clock.started_at && clock.warns[0] < clock.due_at && clock.warned == 0, "{clock:?}");
    }

    #[test]
    fn what_is_foreseen_is_each_step_at_its_latest() {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        let promises = Promises { policy: &policy, calendar: &calendar };
        let at = "2026-03-02T09:00:00+08:00".parse().expect("a time");
        let said = |kind, urgency, danger| {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
            let clocks = promises.foreseen(Matter { kind, urgency, danger }, at);
            clocks.map(|clock| clock.due_at.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string())
        };
        assert_eq!(said(Kind::Help, Urgency::Normal, false), ["03-02 09:10", "03-02 11:40", "03-09 18:00"]);
        assert_eq!(said(Kind::Help, Urgency::Emergency, true), ["03-02 09:10", "03-02 12:40", "03-02 11:40"]);
    }

    #[test]
    fn a_policy_promises_every_clock_to_every_request() {
        let standard = Policy::standard().expect("valid");
        standard.check().expect("in order");
        let bent = |from: &str, to: &str| {
            let text = include_str!("../../data/clock_policy.json").replace(from, to);
            serde_json::from_str::<Policy>(&text).expect("a policy").check().expect_err("refused").reason()
        };
        assert_eq!(bent("\"clock\": \"C9\"", "\"clock\": \"C8\""), "NO_PROMISE");
        assert_eq!(bent("\"urgency\": \"HARD\"", "\"urgency\": \"SLOW\""), "URGENCY");
        assert_eq!(bent("\"kind\": \"CONSULT\"", "\"kind\": \"GOSSIP\""), "KIND");
        assert_eq!(bent("\"count\": 15", "\"count\": 0"), "COUNT");
        assert_eq!(bent("[50, 80]", "[80, 50]"), "WARN");
    }
}
