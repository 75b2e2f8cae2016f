//! When an account is locked, and what a presented refresh token means.

use jiff::{SignedDuration, Timestamp};

/// Failures within the window that lock the pair of account and address (等保三级: 登录失败处理).
pub const MAX_FAILURES: i32 = 5;
/// The window, and how long a lock lasts.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// A session ends by itself.
pub const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// How long a browser's session goes on after the browser signed in anew: calls on their way are answered, and none of their answers takes
/// the new cookie away.
pub const FORMER: SignedDuration = SignedDuration::from_mins(1);

/// Failed sign-ins of an account from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    pub failures: i32,
    pub since: Timestamp,
    pub locked_until: Option<Timestamp>,
}

/// Whether a sign-in may be tried.
pub fn locked(attempts: Option<&Attempts>, now: Timestamp) -> Option<Timestamp> {
    attempts.and_then(|attempts| attempts.locked_until).filter(|until| now < *until)
}

/// Attempts after one more failure.
pub fn failed(attempts: Option<Attempts>, now: Timestamp) -> Attempts {
    let fresh = attempts.filter(|attempts| now < attempts.since + WINDOW && attempts.locked_until.is_none_or(|until| now < until));
    let (failures, since) = fresh.map_or((1, now), |attempts| (attempts.failures + 1, attempts.since));
    Attempts { failures, since, locked_until: (failures >= MAX_FAILURES).then(|| now + WINDOW) }
}

/// A refresh token as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// It was exchanged before.
    pub used: bool,
    /// The token it was exchanged for was used.
    pub successor_used: bool,
    /// The session ended or ran out.
    pub session_over: bool,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Exchange it.
    Exchange,
    /// The answer to its exchange was lost: its successor, never used, is replaced.
    Reissue,
    /// Used twice: somebody else has it. The family ends.
    Theft,
    /// Nothing to be had.
    Over,
}

/// A token that was exchanged, and whose successor was used too, is in two hands.
pub fn judge(found: Found) -> Verdict {
    match found {
        Found { session_over: true, .. } => Verdict::Over,
        Found { used: false, .. } => Verdict::Exchange,
        Found { successor_used: false, .. } => Verdict::Reissue,
        Found { .. } => Verdict::Theft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn the_fifth_failure_locks_for_a_quarter_of_an_hour() {
        let mut attempts = None;
        for minute in 0..5 {
            assert_eq!(locked(attempts.as_ref(), at(minute)), None);
            attempts = Some(failed(attempts, at(minute)));
        }
        assert_eq!(locked(attempts.as_ref(), at(5)), Some(at(19)));
        assert_eq!(locked(attempts.as_ref(), at(19)), None);
        assert_eq!(failed(attempts, at(20)).failures, 1);
        assert_eq!(failed(Some(failed(None, at(0))), at(16)).failures, 1);
    }

    #[test]
    fn a_lost_answer_is_not_a_theft() {
        let found = |used, successor_used| judge(Found { used, successor_used, session_over: false });
        assert_eq!(found(false, false), Verdict::Exchange);
        assert_eq!(found(true, false), Verdict::Reissue);
        assert_eq!(found(true, true), Verdict::Theft);
        assert_eq!(judge(Found { used: false, successor_used: false, session_over: true }), Verdict::Over);
    }
}
