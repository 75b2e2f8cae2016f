//! Working hours of one day: half-open intervals, to the second.

use std::fmt;

use super::{CalendarError, civil::DAY};

/// `from` belongs to it, `to` does not; both are seconds since 00:00, and 24:00 is a fair end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    pub from: u32,
    pub to: u32,
}

impl Interval {
    pub(super) fn seconds(self) -> i64 {
        i64::from(self.to) - i64::from(self.from)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |f: &mut fmt::Formatter<'_>, second: u32| match second % 60 {
            0 => write!(f, "{:02}:{:02}", second / 3_600, second / 60 % 60),
            s => write!(f, "{:02}:{:02}:{s:02}", second / 3_600, second / 60 % 60),
        };
        time(f, self.from)?;
        f.write_str("-")?;
        time(f, self.to)
    }
}

/// Reads `HH:MM[:SS]-HH:MM[:SS]` texts and puts them in order. `place` is the weekday or date they were written for.
pub(super) fn read(layer: &str, place: &str, texts: &[String]) -> Result<Vec<Interval>, CalendarError> {
    let mut hours = texts.iter().map(|text| interval(layer, place, text)).collect::<Result<Vec<_>, _>>()?;
    hours.sort();
    match hours.windows(2).find(|pair| pair[1].from < pair[0].to) {
        None => Ok(hours),
        Some(pair) => Err(CalendarError::Overlap {
            layer: layer.into(),
            place: place.into(),
            first: pair[0].to_string(),
            second: pair[1].to_string(),
        }),
    }
}

fn interval(layer: &str, place: &str, text: &str) -> Result<Interval, CalendarError> {
    let named = || (layer.to_owned(), place.to_owned(), text.to_owned());
    let Some((from, to)) = text.split_once('-').and_then(|(from, to)| Some((second_of_day(from)?, second_of_day(to)?))) else {
        let (layer, place, text) = named();
        return Err(CalendarError::Malformed { layer, place, text });
    };
    if i64::from(from.max(to)) > DAY {
        let (layer, place, text) = named();
        return Err(CalendarError::OutsideDay { layer, place, text });
    }
    if from >= to {
        let (layer, place, text) = named();
        return Err(CalendarError::Empty { layer, place, text });
    }
    Ok(Interval { from, to })
}

/// Two digits each; hours past 24 are read, so that the refusal can say they leave the day.
fn second_of_day(text: &str) -> Option<u32> {
    let mut parts = text.split(':').map(|part| {
        let two_digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if two_digits { part.parse::<u32>().ok() } else { None }
    });
    let hour = parts.next()??;
    let minute = parts.next()??;
    let second = parts.next().unwrap_or(Some(0))?;
    (parts.next().is_none() && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

pub(super) fn total(hours: &[Interval]) -> i64 {
    hours.iter().map(|i| i.seconds()).sum()
}

/// Working seconds of the day before `second_of_day`.
pub(super) fn worked_by(hours: &[Interval], second_of_day: i64) -> i64 {
    hours.iter().map(|i| (second_of_day - i64::from(i.from)).clamp(0, i.seconds())).sum()
}

/// The second of the day at which `worked` working seconds are done; `worked` is at least 1 and at most the day's total.
pub(super) fn done_at(hours: &[Interval], mut worked: i64) -> i64 {
    for interval in hours {
        if worked <= interval.seconds() {
            return i64::from(interval.from) + worked;
        }
        worked -= interval.seconds();
    }
    DAY
}
