//! Rules that hold for all three: a version is still what the caller saw, a verb fits a state, a clock says each thing once.

use drumtower_runtime::Refusal;
use jiff::Timestamp;

use crate::clock::rules::{Clock, Word};

/// Refuses a change to what somebody else changed meanwhile. No version said, no check.
pub fn fresh(etag: &str, version: i64) -> Result<(), Refusal> {
    if etag.is_empty() || etag == version.to_string() { Ok(()) } else { Err(Refusal::stale(version.to_string())) }
}

/// Verbs, each with the states it fits.
pub type Course<S> = [(&'static str, &'static [S])];

/// Refuses a verb that does not fit a state, with those that do.
pub fn fits<S: Copy + PartialEq>(course: &Course<S>, verb: &str, state: S, name: &str) -> Result<(), Refusal> {
    let possible: Vec<&str> = course.iter().filter(|(_, from)| from.contains(&state)).map(|(verb, _)| *verb).collect();
    if possible.contains(&verb) {
        return Ok(());
    }
    let possible = possible.join(", ");
    let (zh, en) = (format!("当前状态不能执行该操作（{name}）"), format!("{verb} does not fit the state {name}; possible: {possible}"));
    Err(Refusal::state("ILLEGAL_TRANSITION", zh, en).fact("state", name).fact("possible", possible))
}

/// A clock after it has said what it had to say.
pub fn spoken(clock: &Clock, at: Timestamp) -> Result<(Clock, Word), Refusal> {
    let word = clock.says(at)?;
    let mut clock = clock.clone();
    match word {
        Word::Warning => clock.warned += 1,
        Word::RanOut => clock.breached_at = Some(at),
    }
    Ok((clock, word))
}

#[cfg(test)]
mod tests {
    use drumtower_runtime::calendar::Calendar;

    use super::*;
    use crate::clock::rules::{Name, Policy, Promises};

    #[test]
    fn a_version_is_checked_when_it_is_said() {
        assert!(fresh("", 3).is_ok());
        assert!(fresh("3", 3).is_ok());
        let refused = fresh("2", 3).expect_err("stale");
        assert_eq!((refused.reason(), refused.facts()["etag"].as_str()), ("ETAG_MISMATCH", "3"));
    }

    #[test]
    fn a_verb_that_does_not_fit_is_refused_with_those_that_do() {
        let course: &Course<i32> = &[("open", &[1]), ("ask", &[1, 2]), ("close", &[2])];
        assert!(fits(course, "ask", 2, "TWO").is_ok());
        let refused = fits(course, "open", 2, "TWO").expect_err("refused");
        assert_eq!((refused.reason(), refused.facts()["possible"].as_str()), ("ILLEGAL_TRANSITION", "ask, close"));
        assert!(fits(course, "nonsense", 1, "ONE").is_err());
    }

    #[test]
    fn a_clock_warns_once_and_runs_out_once() {
        let (policy, calendar) = (Policy::standard().expect("valid"), Calendar::national());
        let promises = Promises { policy: &policy, calendar: &calendar };
        let at: Timestamp = "2026-03-02T01:00:00Z".parse().expect("a time");
        let minutes = |count: i64| at + jiff::SignedDuration::from_mins(count);
        let clock = promises.until(Name::Task, 1, minutes(100), at);
        assert_eq!(spoken(&clock, minutes(79)).expect_err("early").reason(), "NOT_DUE");
        let (warned, word) = spoken(&clock, minutes(80)).expect("warns");
        assert_eq!((word, warned.warned, warned.breached_at), (Word::Warning, 1, None));
        assert_eq!(spoken(&warned, minutes(80)).expect_err("warned").reason(), "NOT_DUE");
        let (out, word) = spoken(&warned, minutes(100)).expect("runs out");
        assert_eq!((word, out.breached_at), (Word::RanOut, Some(minutes(100))));
        assert_eq!(spoken(&out, minutes(200)).expect_err("spoke").reason(), "NOT_DUE");
    }
}
