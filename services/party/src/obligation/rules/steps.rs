//! When whom to remind. Nothing asks whether a step is due today: the latest step whose time has come is due until it was sent, so a day
//! without evaluation loses nothing and brings nothing twice.

use drumtower_runtime::calendar::{Calendar, add_months, start_of, today};
use jiff::{Timestamp, ToSpan as _, civil::Date};

use super::HOUR;
use crate::rule::rules::Parameters;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The organisation's secretary.
    Secretary,
    /// The committee above.
    Committee,
}

/// A step of reminding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, one of a kind within an obligation: `T-14`, `T-6m`, `T0`, `T+7`, `up T+7`.
    pub name: String,
    /// The day it belongs to.
    day: Date,
    /// When it goes out: nine in the morning of the day, or of the first working day after.
    pub at: Timestamp,
    /// Who is told.
    pub audience: Audience,
}

/// Every step around a due day.
pub fn steps(due_on: Date, parameters: &Parameters, calendar: &Calendar) -> Vec<Step> {
    let weekly = (1..=parameters.weekly).map(|week| week * 7);
    let mut days: Vec<(String, Date, Audience)> = Vec::new();
    for days_off in parameters.remind_days.iter().copied().chain(weekly) {
        days.push((name(days_off, ""), due_on.saturating_add(days_off.days()), Audience::Secretary));
    }
    for months_off in &parameters.remind_months {
        days.push((name(*months_off, "m"), add_months(due_on, *months_off), Audience::Secretary));
    }
    for days_off in &parameters.escalate_days {
        days.push((format!("up {}", name(*days_off, "")), due_on.saturating_add(days_off.days()), Audience::Committee));
    }
    let step = |(name, day, audience)| Step { name, day, at: start_of(calendar.nth_workday_counting_start(day, 1).date) + HOUR, audience };
    days.into_iter().map(step).collect()
}

fn name(off: i32, unit: &str) -> String {
    match off {
        0 => "T0".to_owned(),
        off => format!("T{off:+}{unit}"),
    }
}

/// First day on which anybody is reminded; an obligation without periods begins on it.
pub fn first_day(due_on: Date, parameters: &Parameters) -> Option<Date> {
    let by_days = parameters.remind_days.iter().map(|days| due_on.saturating_add(days.days()));
    let by_months = parameters.remind_months.iter().map(|months| add_months(due_on, *months));
    by_days.chain(by_months).min()
}

/// The latest step whose time has come, for each audience. A step before the due day says nothing new once that day is over.
pub fn latest(due_on: Date, parameters: &Parameters, calendar: &Calendar, now: Timestamp) -> Vec<Step> {
    let late = today(now) > due_on;
    let come: Vec<Step> =
        steps(due_on, parameters, calendar).into_iter().filter(|step| step.at <= now && !(late && step.day < due_on)).collect();
    [Audience::Secretary, Audience::Committee]
        .into_iter()
        .filter_map(|audience| come.iter().filter(|step| step.audience == audience).max_by_key(|step| step.day).cloned())
        .collect()
}
