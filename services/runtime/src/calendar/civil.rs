//! Civil dates in China. Asia/Shanghai has been +08:00 without daylight saving since 1991-09-15, so every instant this system
//! meets converts with a constant and no time-zone table; a test compares the constant with the tz database.

use jiff::{SignedDuration, Span as CivilSpan, Timestamp, civil::Date, tz};

pub(super) const DAY: i64 = 86_400;
const OFFSET: i64 = 8 * 3_600;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// The civil date at an instant.
pub fn today(at: Timestamp) -> Date {
    tz::offset(8).to_datetime(at).date()
}

/// 00:00 of a date: where its day begins and the day before ends.
pub fn start_of(date: Date) -> Timestamp {
    instant(day_number(date) * DAY)
}

/// Last day of the natural month (`ME`, party.md §2).
pub fn month_end(date: Date) -> Date {
    date.last_of_month()
}

/// Last day of the natural quarter (`QE`, party.md §2).
pub fn quarter_end(date: Date) -> Date {
    let months_left = (12 - i32::from(date.month())) % 3;
    add_months(date.first_of_month(), months_left).last_of_month()
}

/// Last day of the natural year (`YE`, party.md §2).
pub fn year_end(date: Date) -> Date {
    date.last_of_year()
}

/// `n` calendar months from the anchor, clamped to the last day of a shorter month (`addm`, party.md §2). Always ask from the
/// anchor: a chain of single months loses days (31 Jan + 1 + 1 is 28 Mar, 31 Jan + 2 is 31 Mar).
pub fn add_months(anchor: Date, n: i32) -> Date {
    const WIDEST: i32 = 12 * 19_998;
    anchor.saturating_add(CivilSpan::new().months(n.clamp(-WIDEST, WIDEST)))
}

/// Whole seconds of Shanghai wall time since 1970-01-01 00:00 there. The engine counts in whole seconds: fractions are dropped.
pub(super) fn wall_second(at: Timestamp) -> i64 {
    let early = i64::from(at.subsec_nanosecond() < 0);
    at.as_second() - early + OFFSET
}

/// The instant of a wall second; beyond the last instant there is, that one.
pub(super) fn instant(wall_second: i64) -> Timestamp {
    Timestamp::from_second(wall_second - OFFSET).unwrap_or(if wall_second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Days since 1970-01-01.
pub(super) fn day_number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_secs() / DAY
}

pub(super) fn date(day: i64) -> Date {
    let day = day.clamp(day_number(Date::MIN), day_number(Date::MAX));
    EPOCH.saturating_add(SignedDuration::from_hours(24 * day))
}

/// Monday is 0. 1970-01-01 was a Thursday.
pub(super) fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}
