//! The working calendar: when something is due, given office hours, official holidays and make-up workdays.
//! Layers (national, tenant, unit) make a calendar; a calendar turns a start and a span into an instant in O(log n).
//! A year whose notice is not loaded is not covered, and what crosses it is provisional (ticketing.md §3, DESIGN.md §6).

mod civil;
mod hours;
mod layer;
mod span;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use serde::Deserialize;

use civil::{DAY, date, day_number, instant, wall_second, weekday};
use sums::{FIRST, LAST, Sums};

pub use civil::{add_months, month_end, quarter_end, start_of, today, year_end};
pub use hours::Interval;
pub use layer::{CalendarError, DayOverride, DayRule, EndOfDay, Layer, Week};
pub use span::{Due, DueDate, Pause, Span, Unit};

/// Never changes: keep it behind an `Arc` and swap it when a layer changes. All instants are counted in whole seconds of
/// Asia/Shanghai. From 2018-12-31 to 2035-12-31 the table knows overrides; elsewhere the bare week is assumed.
#[derive(Clone, Debug)]
pub struct Calendar {
    week: [Vec<Interval>; 7],
    overrides: BTreeMap<i64, Override>,
    covered: BTreeSet<i16>,
    end_of_day: EndOfDay,
    seconds: Sums,
    workdays: Sums,
}

#[derive(Clone, Debug)]
enum Override {
    Off,
    Work,
    Hours(Vec<Interval>),
}

impl Calendar {
    /// The State Council's days for the years we have notices of, with the usual hours of an office in Fujian, to be overlaid by
    /// each tenant's own.
    pub fn national() -> Self {
        Self::bare().with(&national_layer()).expect("the embedded layer is valid: a test builds it")
    }

    /// This calendar with a layer laid over it: its weekdays, dates and end of day win, its covered years are added.
    pub fn with(&self, layer: &Layer) -> Result<Self, CalendarError> {
        let mut week = self.week.clone();
        for (hours, (name, texts)) in week.iter_mut().zip(layer.week.named()) {
            if let Some(texts) = texts {
                *hours = hours::read(&layer.name, name, texts)?;
            }
        }
        if week.iter().all(Vec::is_empty) {
            return Err(CalendarError::NoWorkingWeek { layer: layer.name.clone() });
        }
        let mut overrides = self.overrides.clone();
        overrides.extend(read_overrides(layer)?);
        let mut covered = self.covered.clone();
        for year in &layer.covers {
            if !(FIRST.year() + 1..=LAST.year()).contains(year) {
                return Err(CalendarError::YearOutOfRange { layer: layer.name.clone(), year: *year });
            }
            covered.insert(*year);
        }
        Ok(Self::computed(week, overrides, covered, layer.end_of_day.unwrap_or(self.end_of_day)))
    }

    /// When a span that starts now is over. Monotone in both; never before the start.
    pub fn due(&self, start: Timestamp, span: Span) -> Due {
        self.land(start, span.unit(), origin(start, span.unit()), i64::from(span.count()))
    }

    /// As `due`, with the clock standing still during the pauses; `None` while it stands still, for nothing is due until it runs
    /// again. A pause takes a day from a day unit when it holds the moment the day closes, so that ten minutes cost nobody a day.
    pub fn due_with_pauses(&self, start: Timestamp, pauses: &[Pause], span: Span) -> Option<Due> {
        let unit = span.unit();
        let mut from = origin(start, unit);
        let mut left = i64::from(span.count());
        for (paused, resumed) in span::union(pauses) {
            let run = self.measure(unit, wall_second(paused).max(from)) - self.measure(unit, from);
            if run >= left {
                break;
            }
            left -= run;
            from = wall_second(resumed?).max(from);
        }
        Some(self.land(start, unit, from, left))
    }

    /// What the clock has run at `until`, in the unit asked for: day units count the days that have closed. A pause without an
    /// end lasts until then.
    pub fn elapsed(&self, start: Timestamp, pauses: &[Pause], until: Timestamp, unit: Unit) -> u64 {
        let (from, until) = (origin(start, unit), wall_second(until));
        let between = |a: i64, b: i64| (self.measure(unit, b) - self.measure(unit, a)).max(0);
        let paused = span::union(pauses).into_iter().map(|(paused, resumed)| {
            let end = resumed.map_or(until, |at| wall_second(at).min(until));
            between(wall_second(paused).max(from), end.max(from))
        });
        (between(from, until) - paused.sum::<i64>()).max(0).unsigned_abs()
    }

    /// Zero when `b` is not after `a`.
    pub fn working_seconds_between(&self, a: Timestamp, b: Timestamp) -> u64 {
        self.elapsed(a, &[], b, Unit::WorkSeconds)
    }

    /// The hours of a date, in order; none on a day off.
    pub fn hours(&self, date: Date) -> &[Interval] {
        self.hours_of(day_number(date))
    }

    pub fn is_workday(&self, date: Date) -> bool {
        !self.hours(date).is_empty()
    }

    /// The first working day after a date.
    pub fn next_workday(&self, date: Date) -> DueDate {
        let day = day_number(date);
        self.workday_at(day, self.workdays.before(day + 1) + 1)
    }

    /// `wd(start, n)` of party.md §2: the nth working day, the start being the first if it is one. There is no zeroth: 0 is 1.
    pub fn nth_workday_counting_start(&self, start: Date, n: u32) -> DueDate {
        let day = day_number(start);
        self.workday_at(day, self.workdays.before(day) + i64::from(n.max(1)))
    }

    /// When a date is over for a deadline in working days: at its close or at 24:00, as the calendar is set. A day without hours
    /// has only 24:00.
    pub fn end_of(&self, date: Date) -> Timestamp {
        instant(self.end_of_day_second(day_number(date)))
    }

    pub fn end_of_day(&self) -> EndOfDay {
        self.end_of_day
    }

    /// Years whose notice is loaded.
    pub fn covered_years(&self) -> impl Iterator<Item = i16> + '_ {
        self.covered.iter().copied()
    }

    pub fn covers(&self, year: i16) -> bool {
        self.covered.contains(&year)
    }

    fn bare() -> Self {
        let open = [(8, 30, 12), (15, 0, 18)].map(|(h, m, to)| Interval { from: h * 3_600 + m * 60, to: to * 3_600 });
        let week = std::array::from_fn(|weekday| if weekday < 5 { open.to_vec() } else { Vec::new() });
        Self::computed(week, BTreeMap::new(), BTreeSet::new(), EndOfDay::default())
    }

    fn computed(week: [Vec<Interval>; 7], overrides: BTreeMap<i64, Override>, covered: BTreeSet<i16>, end_of_day: EndOfDay) -> Self {
        let day_seconds = week.each_ref().map(|hours| hours::total(hours));
        let seconds = Sums::new(day_seconds, |day| hours::total(hours_of(&week, &overrides, day)));
        let workdays = Sums::new(day_seconds.map(|s| s.min(1)), |day| i64::from(!hours_of(&week, &overrides, day).is_empty()));
        Self { week, overrides, covered, end_of_day, seconds, workdays }
    }

    /// Units gone by at a wall second since the calendar's own zero; only differences mean anything.
    fn measure(&self, unit: Unit, second: i64) -> i64 {
        let (day, second_of_day) = (second.div_euclid(DAY), second.rem_euclid(DAY));
        match unit {
            Unit::WorkSeconds => self.seconds.before(day) + hours::worked_by(self.hours_of(day), second_of_day),
            Unit::WorkDays => {
                let closed = self.hours_of(day).last().is_some_and(|last| i64::from(last.to) <= second_of_day);
                self.workdays.before(day) + i64::from(closed)
            }
            Unit::Natural => second,
            Unit::NaturalDays => day,
        }
    }

    /// The deadline when `left` units remain at the wall second `from`.
    fn land(&self, start: Timestamp, unit: Unit, from: i64, left: i64) -> Due {
        let start_day = wall_second(start).div_euclid(DAY);
        if left == 0 {
            return Due { at: start, provisional: unit.is_work() && self.crosses_uncovered(start_day, start_day) };
        }
        let target = self.measure(unit, from) + left;
        let (day, second) = match unit {
            Unit::WorkSeconds => {
                let (day, worked) = self.seconds.locate(target);
                (day, day * DAY + hours::done_at(self.hours_of(day), worked))
            }
            Unit::WorkDays => {
                let (day, _) = self.workdays.locate(target);
                (day, self.end_of_day_second(day))
            }
            Unit::Natural => (target.div_euclid(DAY), target),
            Unit::NaturalDays => (target - 1, target * DAY),
        };
        Due {
            // A start with a fraction of a second counts from its whole second: never answer an instant before it.
            at: instant(second).max(start),
            provisional: unit.is_work() && self.crosses_uncovered(start_day, day),
        }
    }

    fn workday_at(&self, start_day: i64, ordinal: i64) -> DueDate {
        let (day, _) = self.workdays.locate(ordinal);
        DueDate { date: date(day), provisional: self.crosses_uncovered(start_day, day) }
    }

    fn end_of_day_second(&self, day: i64) -> i64 {
        match (self.end_of_day, self.hours_of(day).last()) {
            (EndOfDay::Close, Some(last)) => day * DAY + i64::from(last.to),
            (EndOfDay::Close, None) | (EndOfDay::Midnight, _) => (day + 1) * DAY,
        }
    }

    fn crosses_uncovered(&self, from_day: i64, to_day: i64) -> bool {
        !(date(from_day).year()..=date(to_day).year()).all(|year| self.covers(year))
    }

    fn hours_of(&self, day: i64) -> &[Interval] {
        hours_of(&self.week, &self.overrides, day)
    }
}

/// Where a clock begins to count: at once, or for day units at the end of the start day, which is not counted (Civil Code
/// art. 201; ticketing.md §2.5 [L1]).
fn origin(start: Timestamp, unit: Unit) -> i64 {
    let second = wall_second(start);
    match unit {
        Unit::WorkSeconds | Unit::Natural => second,
        Unit::WorkDays | Unit::NaturalDays => (second.div_euclid(DAY) + 1) * DAY,
    }
}

/// An override beats the weekday. 班 has Monday's hours whatever day it falls on; where Mondays are closed, those of the first
/// weekday that is open, or the make-up day would be no working day.
fn hours_of<'a>(week: &'a [Vec<Interval>; 7], overrides: &'a BTreeMap<i64, Override>, day: i64) -> &'a [Interval] {
    match overrides.get(&day) {
        None => &week[weekday(day)],
        Some(Override::Off) => &[],
        Some(Override::Work) => week.iter().find(|hours| !hours.is_empty()).map_or(&[], Vec::as_slice),
        Some(Override::Hours(hours)) => hours,
    }
}

fn read_overrides(layer: &Layer) -> Result<BTreeMap<i64, Override>, CalendarError> {
    let mut read = BTreeMap::new();
    for DayOverride { date: text, day: rule } in &layer.days {
        // jiff also reads 20260214 and 2026-02-14T10:00; here a date has one spelling.
        let Some(date) = text.parse::<Date>().ok().filter(|date| date.to_string() == *text) else {
            return Err(CalendarError::BadDate { layer: layer.name.clone(), text: text.clone() });
        };
        let refused = || (layer.name.clone(), text.clone());
        if !(FIRST..=LAST).contains(&date) {
            let (layer, date) = refused();
            return Err(CalendarError::DateOutOfRange { layer, date });
        }
        let value = match rule {
            DayRule::Off => Override::Off,
            DayRule::Work => Override::Work,
            DayRule::Hours(texts) if texts.is_empty() => {
                let (layer, date) = refused();
                return Err(CalendarError::NoHours { layer, date });
            }
            DayRule::Hours(texts) => Override::Hours(hours::read(&layer.name, text, texts)?),
        };
        if read.insert(day_number(date), value).is_some() {
            let (layer, date) = refused();
            return Err(CalendarError::OverriddenTwice { layer, date });
        }
    }
    Ok(read)
}

/// The days of `data/cn_calendar.json` as a layer.
fn national_layer() -> Layer {
    #[derive(Deserialize)]
    struct Notice {
        off: Vec<String>,
        makeup: Vec<String>,
    }
    let notices: BTreeMap<i16, Notice> = serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_calendar.json")))
        .expect("the embedded notices are valid: a test reads them");
    let covers = notices.keys().copied().collect();
    let days = notices.into_values().flat_map(|Notice { off, makeup }| {
        let off = off.into_iter().map(|date| DayOverride { date, day: DayRule::Off });
        off.chain(makeup.into_iter().map(|date| DayOverride { date, day: DayRule::Work }))
    });
    Layer { name: "national".into(), days: days.collect(), covers, ..Layer::default() }
}
