//! The registry of figures. Each is one question that lists its rows: request, unit, time, and whether it counts; numerator and
//! denominator are counts of these rows, with and without what is left out of assessment.
//!
//! In every question `$1` is the district, `$2` and `$3` the time (from, before), `$4` the instant as of which it is known. What happened is
//! taken as of then, and so is when a clock was due: more time that was granted later changes no earlier day.

use std::collections::BTreeMap;

use drumtower_runtime::{
    Refusal,
    calendar::{month_end, start_of, today},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::Deserialize;

/// A figure.
#[derive(Debug)]
pub struct Definition {
    pub code: &'static str,
    pub version: i32,
    pub zh: &'static str,
    pub en: &'static str,
    pub counted: &'static str,
    pub counts: &'static str,
    pub is_count: bool,
    /// Less of it is better.
    pub less: bool,
    pub rows: &'static str,
}

/// A rate of requests dispatched for the first time.
macro_rules! of_first_dispatch {
    ($counts:literal) => {
        concat!(
            "select f.ticket_id, f.unit_id, f.at, ",
            $counts,
            " as counts from fact f where f.tenant_id = $1 and f.name = 'DISPATCH' and f.value = 1 and f.at >= $2 and f.at < $3 and f.at <= $4"
        )
    };
}

/// A rate of requests archived, each by its last time.
macro_rules! of_archived {
    ($counts:literal) => {
        concat!(
            "select f.ticket_id, f.unit_id, f.at, ",
            $counts,
            " as counts from fact f where f.tenant_id = $1 and f.name = 'ARCHIVE' and f.at >= $2 and f.at < $3 and f.at <= $4
              and not exists (select 1 from fact n where n.tenant_id = $1 and n.ticket_id = f.ticket_id and n.name = 'ARCHIVE'
                and n.version > f.version and n.at < $3 and n.at <= $4)"
        )
    };
}

/// A rate of clocks due, as was known then: the first time that held beyond it, else the one that holds now. One that was stopped in time by
/// something else than what it is for (a withdrawal, a return) is not counted: nobody kept that promise, and nobody broke it; nor is one that
/// stands still. A clock of before clocks had units is the lead unit's.
macro_rules! of_clocks {
    ($name:literal, $done:literal, $counts:literal) => {
        concat!(
            "select d.ticket_id, d.unit_id, d.at, d.done and d.in_time and ",
            $counts,
            " as counts from (select c.ticket_id, coalesce(c.unit_id, l.lead_unit_id) as unit_id, c.due_at as at, c.due_at, c.stopped_at,
                coalesce(c.stopped_at <= c.due_at and c.stopped_at <= $4, false) as in_time,
                exists (select 1 from fact k where k.tenant_id = $1 and k.ticket_id = c.ticket_id and k.at <= $4 and ",
            $done,
            ") as done
              from (select o.ticket_id, o.unit_id, o.due_at, o.stopped_at from clock o where o.tenant_id = $1 and o.name = '",
            $name,
            "' and o.due_at >= $2 and o.due_at < $3 and o.due_at <= $4 and not o.still
                  and not exists (select 1 from clock_past p where p.tenant_id = $1 and p.ticket_id = o.ticket_id and p.name = o.name
                    and p.round = o.round and p.until > $4)
                union all
                select o.ticket_id, o.unit_id, p.due_at, o.stopped_at from clock_past p
                join clock o on o.tenant_id = $1 and o.ticket_id = p.ticket_id and o.name = p.name and o.round = p.round
                where p.tenant_id = $1 and p.name = '",
            $name,
            "' and p.due_at >= $2 and p.due_at < $3 and p.due_at <= $4 and p.until > $4
                  and not exists (select 1 from clock_past e where e.tenant_id = $1 and e.ticket_id = p.ticket_id and e.name = p.name
                    and e.round = p.round and e.until > $4 and e.until < p.until)) c
              join ticket l on l.tenant_id = $1 and l.id = c.ticket_id) d where d.done or not d.in_time"
        )
    };
}

/// A rate of ratings.
macro_rules! of_ratings {
    ($counts:literal, $more:literal) => {
        concat!(
            "select f.ticket_id, f.unit_id, f.at, ",
            $counts,
            " as counts from fact f where f.tenant_id = $1 and f.name = 'RATE' and f.at >= $2 and f.at < $3 and f.at <= $4 ",
            $more
        )
    };
}

const IN_TIME: &str = "在到期前做到 / done when it was due at the latest";

/// All figures, in the order in which they are shown.
pub const FIGURES: &[Definition] = &[
    Definition {
        code: "solved",
        version: 1,
        zh: "已解决诉求数",
        en: "Requests solved",
        counted: "期间归档、办理结果为已解决的诉求 / requests archived in the time with the result solved",
        counts: "全部 / all of them",
        is_count: true,
        less: false,
        rows: of_archived!("f.value = 1"),
    },
    Definition {
        code: "response",
        version: 1,
        zh: "响应率",
        en: "Response rate",
        counted: "期间首次派单的诉求 / requests dispatched for the first time in the time",
        counts: "在 C4 时限内联系诉求人 / whose requester was contacted within C4",
        is_count: false,
        less: false,
        rows: of_first_dispatch!(
            "exists (select 1 from fact k where k.tenant_id = $1 and k.ticket_id = f.ticket_id and k.name = 'CONTACT' and k.value = 1 and k.at <= $4)"
        ),
    },
    Definition {
        code: "sign_on_time",
        version: 1,
        zh: "按时签收率",
        en: "Signed on time",
        counted: "期间到期的签收时限 C3，不含到期前退单、撤回、并单的 / sign clocks due in the time, without those that a return, a withdrawal or a merger ended before",
        counts: IN_TIME,
        is_count: false,
        less: false,
        rows: of_clocks!("C3", "k.name = 'SIGN' and k.at = c.stopped_at and k.unit_id = coalesce(c.unit_id, l.lead_unit_id)", "true"),
    },
    Definition {
        code: "resolve_on_time",
        version: 2,
        zh: "按时办结率",
        en: "Resolved on time",
        counted: "期间到期的办理时限 C5，不含到期前撤回、并单、挂账的和暂停中的 / resolution clocks due in the time, without those that a withdrawal, a merger or the ledger ended before, or that stand still",
        counts: IN_TIME,
        is_count: false,
        less: false,
        rows: of_clocks!("C5", "k.name = 'SIGN_OFF' and k.at = c.stopped_at", "true"),
    },
    Definition {
        code: "resolve_early",
        version: 2,
        zh: "提前办结率",
        en: "Resolved early",
        counted: "期间到期的办理时限 C5，不含到期前撤回、并单、挂账的和暂停中的 / resolution clocks due in the time, without those that a withdrawal, a merger or the ledger ended before, or that stand still",
        counts: "至少提前一日停止 / stopped on an earlier day",
        is_count: false,
        less: false,
        rows: of_clocks!(
            "C5",
            "k.name = 'SIGN_OFF' and k.at = c.stopped_at",
            "(d.stopped_at at time zone 'Asia/Shanghai')::date < (d.due_at at time zone 'Asia/Shanghai')::date"
        ),
    },
    Definition {
        code: "resolution",
        version: 1,
        zh: "解决率",
        en: "Resolution rate",
        counted: "期间末次回访接通的诉求 / requests whose last callback of the time reached the requester",
        counts: "回访已解决且满意 / solved and satisfied",
        is_count: false,
        less: false,
        rows: "select f.ticket_id, f.unit_id, f.at, f.value = 1 as counts from fact f
               where f.tenant_id = $1 and f.name = 'CALLBACK' and f.value <> 4 and f.at >= $2 and f.at < $3 and f.at <= $4
                 and not exists (select 1 from fact n where n.tenant_id = $1 and n.ticket_id = f.ticket_id and n.name = 'CALLBACK'
                   and n.value <> 4 and n.version > f.version and n.at < $3 and n.at <= $4)",
    },
    Definition {
        code: "satisfaction",
        version: 1,
        zh: "满意率",
        en: "Satisfaction",
        counted: "期间的评价 / ratings of the time",
        counts: "基本满意及以上 / 3 or better",
        is_count: false,
        less: false,
        rows: of_ratings!("f.value >= 3", ""),
    },
    Definition {
        code: "satisfaction_after_appeal",
        version: 1,
        zh: "满意率（核实申诉后）",
        en: "Satisfaction after appeal",
        counted: "期间的评价，不含核实或申诉不属实的 / ratings of the time, without those found to be without ground",
        counts: "基本满意及以上 / 3 or better",
        is_count: false,
        less: false,
        rows: of_ratings!(
            "f.value >= 3",
            "and not exists (select 1 from fact u where u.tenant_id = $1 and u.ticket_id = f.ticket_id and u.name = 'UNFOUNDED' and u.at <= $4)"
        ),
    },
    Definition {
        code: "very_satisfied",
        version: 1,
        zh: "非常满意率",
        en: "Very satisfied",
        counted: "期间的评价 / ratings of the time",
        counts: "非常满意 / 5",
        is_count: false,
        less: false,
        rows: of_ratings!("f.value = 5", ""),
    },
    Definition {
        code: "rated",
        version: 1,
        zh: "主动评价率",
        en: "Rated",
        counted: "期间归档的诉求 / requests archived in the time",
        counts: "已评价（无默认好评）/ rated; there is no rating by default",
        is_count: false,
        less: false,
        rows: of_archived!("exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'RATE' and r.at <= $4)"),
    },
    Definition {
        code: "returned",
        version: 1,
        zh: "退单率",
        en: "Returned",
        counted: "期间首次派单的诉求 / requests dispatched for the first time in the time",
        counts: "被退单 / that were returned",
        is_count: false,
        less: true,
        rows: of_first_dispatch!("exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'RETURN' and r.at <= $4)"),
    },
    Definition {
        code: "first_dispatch_right",
        version: 1,
        zh: "首派准确率",
        en: "First dispatch right",
        counted: "期间首次派单的诉求 / requests dispatched for the first time in the time",
        counts: "从未被退单 / never returned",
        is_count: false,
        less: false,
        rows: of_first_dispatch!(
            "not exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'RETURN' and r.at <= $4)"
        ),
    },
    Definition {
        code: "redone",
        version: 1,
        zh: "重办率",
        en: "Redone",
        counted: "期间归档的诉求 / requests archived in the time",
        counts: "曾重办 / done again",
        is_count: false,
        less: true,
        rows: of_archived!("exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'REDO' and r.at <= $4)"),
    },
    Definition {
        code: "extended",
        version: 1,
        zh: "延期率",
        en: "Extended",
        counted: "期间归档的诉求 / requests archived in the time",
        counts: "曾延期 / given more time",
        is_count: false,
        less: true,
        rows: of_archived!("exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'EXTEND' and r.at <= $4)"),
    },
    Definition {
        code: "arrival_on_time",
        version: 1,
        zh: "到场及时率",
        en: "Arrived on time",
        counted: "期间到期的到场时限 C7，每单位一次，不含到期前因其他原因停止的 / arrival clocks due in the time, one a unit, without those ended otherwise before",
        counts: IN_TIME,
        is_count: false,
        less: false,
        rows: of_clocks!(
            "C7",
            "k.name = 'ARRIVE' and k.unit_id = coalesce(c.unit_id, l.lead_unit_id) and k.at >= c.stopped_at and k.at - k.value * interval '1 second' < c.stopped_at + interval '2 seconds'",
            "true"
        ),
    },
    Definition {
        code: "consultation_attended",
        version: 1,
        zh: "会商出席率",
        en: "Consultations attended",
        counted: "期间结束的会商所召集的单位 / units called to consultations that ended in the time",
        counts: "到会 / that came",
        is_count: false,
        less: false,
        rows: "select f.ticket_id, f.unit_id, f.at, f.value = 1 as counts from fact f
               where f.tenant_id = $1 and f.name = 'CALLED' and f.at >= $2 and f.at < $3 and f.at <= $4",
    },
    Definition {
        code: "rectified",
        version: 1,
        zh: "差评整改率",
        en: "Bad ratings put right",
        counted: "期间的差评，不含不属实的 / bad ratings of the time, without those found to be without ground",
        counts: "已整改反馈 / put right and answered",
        is_count: false,
        less: false,
        rows: of_ratings!(
            "exists (select 1 from fact r where r.tenant_id = $1 and r.ticket_id = f.ticket_id and r.name = 'RECTIFY' and r.at <= $4)",
            "and f.value < 3
             and not exists (select 1 from fact u where u.tenant_id = $1 and u.ticket_id = f.ticket_id and u.name = 'UNFOUNDED' and u.at <= $4)"
        ),
    },
];

/// Facts whose number in all is told live: each day that is over is added up once.
pub const ADDED_UP: [&str; 3] = ["ARCHIVE", "RATE", "UNSOLVE"];

/// How long after a day it is added up; longer than half an hour more than any transaction lasts, so that none of that day's is missed.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// How long after a day what is written of it counts as late. Half of the above: whatever is not late is there when the day is added up.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// The first day that must not be added up yet.
pub fn settled(now: Timestamp) -> Date {
    today(now - SETTLED)
}

/// Whether the day of something that is written now may have been added up.
pub fn late(at: Timestamp, now: Timestamp) -> bool {
    today(at) < today(now - LATE)
}

/// A figure by its code.
pub fn definition(code: &str) -> Result<&'static Definition, Refusal> {
    let found = FIGURES.iter().find(|figure| figure.code == code);
    found.ok_or_else(|| Refusal::invalid("code", "UNKNOWN_FIGURE", "没有该指标", "there is no such figure"))
}

/// The time that figures are of, and the instant as of which they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: Timestamp,
    pub before: Timestamp,
    pub as_of: Timestamp,
}

/// At most a year and a day.
const MOST_DAYS: i64 = 366;

impl Period {
    /// From the first day to the end of the last.
    pub fn read(from: &str, to: &str, as_of: &str, now: Timestamp) -> Result<Self, Refusal> {
        let (from, to) = (day("from", from)?, day("to", to)?);
        let days = to.duration_since(from).as_hours() / 24;
        if !(0..MOST_DAYS).contains(&days) {
            return Err(Refusal::invalid("to", "PERIOD", "期间须为 1 到 366 日", "is from 1 to 366 days after the first"));
        }
        let as_of = if as_of.is_empty() { now } else { after(day("as_of", as_of)?).min(now) };
        Ok(Self { from: start_of(from), before: after(to), as_of })
    }

    /// A month that is over.
    pub fn month(month: &str, now: Timestamp) -> Result<Self, Refusal> {
        let first = day("month", &format!("{month}-01"))?;
        let before = after(month_end(first));
        if now < before {
            return Err(Refusal::invalid("month", "NOT_OVER", "该月尚未结束", "the month is not over"));
        }
        Ok(Self { from: start_of(first), before, as_of: now })
    }
}

fn day(field: &'static str, text: &str) -> Result<Date, Refusal> {
    text.parse().map_err(|_| Refusal::invalid(field, "DATE", "须为日期", "is a day that exists"))
}

/// The first instant after a day.
fn after(day: Date) -> Timestamp {
    start_of(day.tomorrow().unwrap_or(day))
}

/// Counts of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    pub numerator: i64,
    pub denominator: i64,
    pub numerator_all: i64,
    pub denominator_all: i64,
}

/// What each figure weighs in the composite, and where the district wants each rate to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    weights: BTreeMap<String, u32>,
    /// Per cent.
    #[serde(default)]
    targets: BTreeMap<String, u32>,
}

impl Weights {
    /// Every figure is a rate that exists, and something weighs something.
    pub fn check(&self) -> Result<(), Refusal> {
        for (code, weight) in &self.weights {
            let figure = definition(code)?;
            if figure.is_count || *weight > 1000 {
                let (zh, en) = (format!("{code} 不能加权"), format!("{code} is no rate, or its weight is above 1,000"));
                return Err(Refusal::invalid("weights", "WEIGHT", zh, en));
            }
        }
        if self.weights.values().all(|weight| *weight == 0) {
            return Err(Refusal::invalid("weights", "WEIGHT", "权重不能全为零", "nothing weighs anything"));
        }
        for (code, target) in &self.targets {
            if definition(code)?.is_count || *target > 100 {
                let (zh, en) = (format!("{code} 不能设目标"), format!("{code} is no rate, or its target is above 100"));
                return Err(Refusal::invalid("targets", "TARGET", zh, en));
            }
        }
        Ok(())
    }

    /// Where each rate should be, per cent.
    pub fn targets(&self) -> impl Iterator<Item = (&str, u32)> {
        self.targets.iter().map(|(code, target)| (code.as_str(), *target))
    }

    /// The weighed mean of the rates that count something, per cent; of figures of which less is better what is missing to 100.
    pub fn composite<'a>(&self, counted: impl Iterator<Item = (&'a Definition, Counted)>) -> String {
        let (mut sum, mut weight) = (0i128, 0i128);
        for (figure, counted) in counted {
            let Some(own) = self.weights.get(figure.code).filter(|_| counted.denominator > 0) else { continue };
            let part = if figure.less { counted.denominator - counted.numerator } else { counted.numerator };
            // In millionths, so that a mean of few requests is as exact as one of many.
            sum += i128::from(*own) * i128::from(part) * 1_000_000 / i128::from(counted.denominator);
            weight += i128::from(*own);
        }
        if weight == 0 {
            return String::new();
        }
        percent(i64::try_from(sum / weight).unwrap_or_default(), 1_000_000)
    }
}

/// Per cent with two decimals, halves rounded up; empty when nothing is counted.
pub fn percent(numerator: i64, denominator: i64) -> String {
    if denominator <= 0 {
        return String::new();
    }
    let hundredths = (i128::from(numerator) * 20_000 + i128::from(denominator)) / (2 * i128::from(denominator));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_rates_come_out_of_their_counts() {
        // 高安 2023-11: 1,273 solved of 1,774 assessed, of 1,833 closed; 丰城: 3,112 of 3,456 (ticketing.md §2.1 M1).
        assert_eq!(percent(1273, 1774), "71.76");
        assert_eq!(percent(3112, 3456), "90.05");
        assert_eq!(
            (percent(0, 0), percent(0, 5), percent(5, 5), percent(1, 8)),
            (String::new(), "0.00".into(), "100.00".into(), "12.50".into())
        );
    }

    #[test]
    fn a_composite_weighs_rates_that_count_something() {
        let weights: Weights = serde_json::from_str(r#"{"weights":{"resolution":60,"returned":30,"rated":10}}"#).expect("weights");
        weights.check().expect("in order");
        let counted = |numerator, denominator| Counted { numerator, denominator, ..Counted::default() };
        let all = [("resolution", counted(3, 4)), ("returned", counted(1, 10)), ("rated", counted(0, 0))];
        let all = all.map(|(code, counted)| (definition(code).expect("known"), counted));
        // (60 × 75 + 30 × 90) ÷ 90: nobody could rate, so rating weighs nothing.
        assert_eq!(weights.composite(all.into_iter()), "80.00");
        for (text, reason) in [
            (r#"{"weights":{"solved":1}}"#, "WEIGHT"),
            (r#"{"weights":{"rated":0}}"#, "WEIGHT"),
            (r#"{"weights":{"luck":1}}"#, "UNKNOWN_FIGURE"),
            (r#"{"weights":{"rated":1},"targets":{"solved":90}}"#, "TARGET"),
            (r#"{"weights":{"rated":1},"targets":{"rated":101}}"#, "TARGET"),
        ] {
            let weights: Weights = serde_json::from_str(text).expect("weights");
            assert_eq!(weights.check().expect_err("refused").reason(), reason);
        }
    }

    #[test]
    fn a_period_is_days_of_china_and_a_month_is_over() {
        let now: Timestamp = "2026-04-01T00:00:00+08:00".parse().expect("a time");
        let march = Period::month("2026-03", now).expect("over");
        assert_eq!((march.from.to_string().as_str(), march.before), ("2026-02-28T16:00:00Z", now));
        assert_eq!(Period::month("2026-04", now).expect_err("not yet").reason(), "NOT_OVER");
        assert_eq!(Period::read("2026-03-02", "2026-03-01", "", now).expect_err("backwards").reason(), "PERIOD");
        assert_eq!(Period::read("2025-01-01", "2026-03-01", "", now).expect_err("too long").reason(), "PERIOD");
        assert_eq!(Period::read("2026-02-30", "2026-03-01", "", now).expect_err("no day").reason(), "DATE");
        let known = Period::read("2026-03-01", "2026-03-31", "2026-03-10", now).expect("read");
        assert_eq!(known.as_of.to_string(), "2026-03-10T16:00:00Z");
    }

    #[test]
    fn what_is_not_late_is_there_when_its_day_is_added_up() {
        let at = |text: &str| format!("2026-03-{text}+08:00").parse::<Timestamp>().expect("a time");
        let (end, long) = (at("10T23:59:59"), SignedDuration::from_mins(29));
        assert!(!late(end, at("11T00:29:59")) && late(end, at("11T00:30:00")) && !late(end, end));
        // Begun just before it would have been late, and half an hour on its way.
        let last = at("11T00:29:59") + long;
        assert!(settled(last) <= today(end), "the day is not added up while it is on its way");
        assert_eq!(settled(at("11T01:00:00")).to_string(), "2026-03-11");
        assert_eq!(settled(at("11T00:59:59")).to_string(), "2026-03-10");
    }

    #[test]
    fn every_figure_says_what_it_is_and_the_district_in_every_place() {
        for (place, figure) in FIGURES.iter().enumerate() {
            assert!(FIGURES[..place].iter().all(|other| other.code != figure.code), "{} twice", figure.code);
            let tables =
                figure.rows.matches("from ").count() - figure.rows.matches("from (").count() + figure.rows.matches("join ").count();
            assert_eq!(figure.rows.matches("tenant_id = $1").count(), tables, "{}", figure.code);
            assert!(["$2", "$3", "$4"].iter().all(|parameter| figure.rows.contains(parameter)), "{}", figure.code);
        }
    }
}
