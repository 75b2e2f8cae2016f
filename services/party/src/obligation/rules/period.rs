//! Natural periods and their names.

use drumtower_runtime::calendar::{add_months, month_end, quarter_end};
use jiff::{ToSpan as _, civil::Date};

use crate::rule::rules::Cadence;

/// A natural month or quarter. Ordered by its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

impl Period {
    /// The period of a cadence that holds a day; `None` for cadences without periods.
    pub fn of(cadence: Cadence, day: Date) -> Option<Self> {
        match cadence {
            Cadence::Month => Some(Self { first: day.first_of_month(), last: month_end(day) }),
            Cadence::Quarter => {
                let last = quarter_end(day);
                Some(Self { first: add_months(last.first_of_month(), -2), last })
            }
            Cadence::TermEnd | Cadence::Anchor => None,
        }
    }

    /// The day before its first.
    pub fn eve(&self) -> Date {
        self.first.saturating_sub(1.day())
    }

    /// Whether it holds a day.
    pub fn holds(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Its name: `2026-10` or `2026-Q4`.
    pub fn name(&self, cadence: Cadence) -> String {
        match cadence {
            Cadence::Quarter => format!("{:04}-Q{}", self.last.year(), self.last.month() / 3),
            _ => format!("{:04}-{:02}", self.first.year(), self.first.month()),
        }
    }

    /// Reads a name back.
    pub fn read(cadence: Cadence, name: &str) -> Option<Self> {
        let day = match name.split_once("-Q") {
            Some((year, quarter)) => Date::new(year.parse().ok()?, quarter.parse::<i8>().ok()?.checked_mul(3)?, 1).ok()?,
            None => format!("{name}-01").parse().ok()?,
        };
        Self::of(cadence, day).filter(|period| period.name(cadence) == name)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn periods_are_named_and_read_back() {
        let mut day = date(2023, 12, 1);
        while day < date(2025, 2, 1) {
            for cadence in [Cadence::Month, Cadence::Quarter] {
                let period = Period::of(cadence, day).expect("a period");
                assert!(period.holds(day) && !period.holds(period.eve()));
                assert_eq!(Period::read(cadence, &period.name(cadence)), Some(period));
            }
            day = day.tomorrow().expect("a next day");
        }
        assert_eq!(Period::of(Cadence::Quarter, date(2026, 11, 30)).map(|p| p.name(Cadence::Quarter)), Some("2026-Q4".into()));
        assert_eq!(Period::read(Cadence::Month, "2026-Q4"), None);
        assert_eq!(Period::read(Cadence::Quarter, "2026-Q9"), None);
        assert_eq!(Period::read(Cadence::Month, "2026-2"), None);
    }
}
