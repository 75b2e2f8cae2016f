//! Running sums over days (working seconds, or working days), so that a deadline is found by binary search: ticketing.md §3.4.

use std::fmt;

use jiff::civil::Date;

use super::civil::{day_number, weekday};

pub(super) const FIRST: Date = Date::constant(2018, 12, 31);
pub(super) const LAST: Date = Date::constant(2035, 12, 31);

/// Weights of days summed from `FIRST`. Outside the table the bare week repeats, in both directions, without end.
#[derive(Clone)]
pub(super) struct Sums {
    /// `prefix[i]` is the weight of the first `i` days.
    prefix: Vec<i64>,
    week: [i64; 7],
    first: i64,
}

impl Sums {
    /// `week` has some weight, or `locate` would have nowhere to go; the calendar refuses a week without hours.
    pub(super) fn new(week: [i64; 7], weight: impl Fn(i64) -> i64) -> Self {
        let (first, last) = (day_number(FIRST), day_number(LAST));
        let mut prefix = Vec::with_capacity((last - first + 2) as usize);
        let mut sum = 0;
        prefix.push(sum);
        for day in first..=last {
            sum += weight(day);
            prefix.push(sum);
        }
        Self { prefix, week, first }
    }

    /// Weight of all days before `day`, counted from `FIRST`: negative before it.
    pub(super) fn before(&self, day: i64) -> i64 {
        if let Some(sum) = usize::try_from(day - self.first).ok().and_then(|i| self.prefix.get(i)) {
            return *sum;
        }
        let (edge, at_edge) = if day < self.first { (self.first, 0) } else { self.end() };
        let days = day - edge;
        let rest = (0..days.rem_euclid(7)).map(|i| self.week[weekday(edge + i)]).sum::<i64>();
        at_edge + days.div_euclid(7) * self.week_weight() + rest
    }

    /// The day in which the sum reaches `target`, and how much of that day's weight it takes (at least 1).
    pub(super) fn locate(&self, target: i64) -> (i64, i64) {
        let (end, at_end) = self.end();
        if (1..=at_end).contains(&target) {
            let i = self.prefix.partition_point(|sum| *sum < target) - 1;
            return (self.first + i as i64, target - self.prefix[i]);
        }
        let (edge, at_edge) = if target < 1 { (self.first, 0) } else { (end, at_end) };
        let past = target - at_edge - 1;
        let mut day = edge + 7 * past.div_euclid(self.week_weight());
        let mut rest = past.rem_euclid(self.week_weight()) + 1;
        while rest > self.week[weekday(day)] {
            rest -= self.week[weekday(day)];
            day += 1;
        }
        (day, rest)
    }

    fn end(&self) -> (i64, i64) {
        let days = self.prefix.len() - 1;
        (self.first + days as i64, self.prefix[days])
    }

    fn week_weight(&self) -> i64 {
        self.week.iter().sum()
    }
}

/// Without the thousands of sums.
impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sums").field("week", &self.week).field("end", &self.end()).finish_non_exhaustive()
    }
}
