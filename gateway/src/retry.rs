//! The budget of retries: ten tokens, a failure that is retried costs one, a success gives a tenth back; below half there are none, so
//! that an outage is not multiplied (gRFC A6).

use std::sync::atomic::{AtomicI64, Ordering};

const FULL: i64 = 100;
const FAILURE: i64 = 10;

/// Tokens in tenths.
#[derive(Debug)]
pub struct Budget(AtomicI64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicI64::new(FULL))
    }
}

impl Budget {
    /// A call succeeded.
    pub fn succeeded(&self) {
        let _full = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| (tokens < FULL).then_some(tokens + 1));
    }

    /// A call failed that might be made again; whether it may. Charged for every failure, so that an outage is noticed.
    pub fn may_retry(&self) -> bool {
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some((tokens - FAILURE).max(0))).unwrap_or(0);
        before - FAILURE > FULL / 2
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn an_outage_ends_retries_and_successes_bring_them_back() {
        let budget = Budget::default();
        let granted = (0..20).filter(|_| budget.may_retry()).count();
        assert_eq!(granted, 4);
        assert!(!budget.may_retry());
        (0..100).for_each(|_| budget.succeeded());
        assert!(budget.may_retry());
    }
}
