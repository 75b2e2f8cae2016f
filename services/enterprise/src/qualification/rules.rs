//! What a recognition's days must agree on.

use drumtower_runtime::Refusal;
use jiff::civil::Date;
use uuid::Uuid;

/// A qualification to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    pub id: Uuid,
    pub enterprise: Uuid,
    pub kind: i32,
    pub level: String,
    pub basis: i32,
    pub certificate_no: String,
    pub issuer: String,
    pub valid_from: Date,
    pub valid_to: Option<Date>,
}

/// The end lies after the beginning.
pub fn valid(from: Date, to: Option<Date>) -> Result<(), Refusal> {
    if to.is_some_and(|to| to <= from) {
        return Err(Refusal::invalid("valid_to", "BEFORE_BEGINNING", "失效日期须晚于生效日期", "must lie after the first day"));
    }
    Ok(())
}

/// Only what still holds is revoked, and from a day within its time: then the days before stay as they were.
pub fn revoke(from: Date, to: Option<Date>, revoked: bool, on: Date, today: Date) -> Result<(), Refusal> {
    if revoked {
        return Err(Refusal::state("REVOKED", "该资质已被撤销", "revoked already"));
    }
    if on > today {
        return Err(Refusal::invalid("on", "IN_FUTURE", "撤销日期不能晚于今天", "is in the future"));
    }
    if on <= from {
        return Err(Refusal::invalid("on", "BEFORE_BEGINNING", "撤销日期须晚于生效日期", "must lie after the first day"));
    }
    if to.is_some_and(|to| to <= on) {
        return Err(Refusal::invalid("on", "AFTER_END", "撤销日期须早于失效日期", "must lie before the end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_revocation_lies_within_the_time_it_ends() {
        let (from, to, today) = (date(2024, 1, 1), Some(date(2027, 1, 1)), date(2026, 11, 27));
        let on = |on| revoke(from, to, false, on, today).map_err(|refusal| refusal.reason());
        assert_eq!(on(date(2026, 6, 1)), Ok(()));
        assert_eq!(on(today), Ok(()));
        assert_eq!(on(date(2026, 11, 28)), Err("IN_FUTURE"));
        assert_eq!(on(from), Err("BEFORE_BEGINNING"));
        assert_eq!(
            revoke(from, Some(date(2026, 6, 1)), false, date(2026, 6, 1), today).map_err(|refusal| refusal.reason()),
            Err("AFTER_END")
        );
        assert_eq!(revoke(from, None, true, date(2026, 6, 1), today).map_err(|refusal| refusal.reason()), Err("REVOKED"));
        assert!(revoke(from, None, false, date(2026, 6, 1), today).is_ok());
    }
}
