//! How long something may take, and what a clock that was paused has run.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// Time allowed. Zero of anything is due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    WorkSeconds(u32),
    /// Working days counted from the day after the start day; ends by the calendar's `EndOfDay`.
    WorkDays(u32),
    /// Seconds around the clock.
    Natural(u32),
    /// Calendar days counted from the day after the start day; ends at 24:00, for natural days know no office hours.
    NaturalDays(u32),
}

impl Span {
    pub const fn work_minutes(n: u32) -> Self {
        Self::WorkSeconds(n.saturating_mul(60))
    }

    pub const fn work_hours(n: u32) -> Self {
        Self::WorkSeconds(n.saturating_mul(3_600))
    }

    pub const fn minutes(n: u32) -> Self {
        Self::Natural(n.saturating_mul(60))
    }

    pub const fn hours(n: u32) -> Self {
        Self::Natural(n.saturating_mul(3_600))
    }

    pub const fn unit(self) -> Unit {
        match self {
            Self::WorkSeconds(_) => Unit::WorkSeconds,
            Self::WorkDays(_) => Unit::WorkDays,
            Self::Natural(_) => Unit::Natural,
            Self::NaturalDays(_) => Unit::NaturalDays,
        }
    }

    pub const fn count(self) -> u32 {
        match self {
            Self::WorkSeconds(n) | Self::WorkDays(n) | Self::Natural(n) | Self::NaturalDays(n) => n,
        }
    }
}

/// What a clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    WorkSeconds,
    WorkDays,
    Natural,
    NaturalDays,
}

impl Unit {
    /// Whether a notice can move it.
    pub(super) fn is_work(self) -> bool {
        matches!(self, Self::WorkSeconds | Self::WorkDays)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Timestamp,
    /// A year between start and due has no loaded notice: compute again when it comes.
    pub provisional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueDate {
    pub date: Date,
    /// As in [`Due`].
    pub provisional: bool,
}

/// From, and to unless it still lasts.
pub type Pause = (Timestamp, Option<Timestamp>);

/// Pauses in order, those that touch or overlap made one, so that no second is forgiven twice. A pause that ends before it
/// begins is none.
pub(super) fn union(pauses: &[Pause]) -> Vec<Pause> {
    let mut sorted: Vec<Pause> = pauses.iter().copied().filter(|(from, to)| to.is_none_or(|to| to > *from)).collect();
    sorted.sort();
    let mut merged: Vec<Pause> = Vec::with_capacity(sorted.len());
    for (from, to) in sorted {
        match merged.last_mut() {
            Some((_, end)) if end.is_none_or(|end| from <= end) => *end = end.zip(to).map(|(end, to)| end.max(to)),
            _ => merged.push((from, to)),
        }
    }
    merged
}
