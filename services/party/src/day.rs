//! Days as the contract writes them: `YYYY-MM-DD`, empty for none.

use drumtower_runtime::{Refusal, calendar};
use jiff::{Timestamp, civil::Date};

/// A day that must be there.
pub fn needed(field: &'static str, text: &str) -> Result<Date, Refusal> {
    text.parse().map_err(|_| Refusal::invalid(field, "NOT_A_DAY", "不是有效日期", "is not a day of the calendar"))
}

/// A day, or none for the empty text.
pub fn given(field: &'static str, text: &str) -> Result<Option<Date>, Refusal> {
    if text.is_empty() { Ok(None) } else { needed(field, text).map(Some) }
}

/// A day that is over or today: what is recorded has happened.
pub fn past(field: &'static str, text: &str, now: Timestamp) -> Result<Date, Refusal> {
    not_after(field, needed(field, text)?, now)
}

/// Refuses a day that is yet to come.
pub fn not_after(field: &'static str, day: Date, now: Timestamp) -> Result<Date, Refusal> {
    if day > calendar::today(now) {
        Err(Refusal::invalid(field, "IN_FUTURE", "日期不能晚于今天", "is in the future"))
    } else {
        Ok(day)
    }
}

/// The day asked for, or today.
pub fn or_today(field: &'static str, text: &str, now: Timestamp) -> Result<Date, Refusal> {
    Ok(given(field, text)?.unwrap_or_else(|| calendar::today(now)))
}

/// As the contract writes it.
pub fn text(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert!(needed("on", "2026-02-30").is_err());
        assert_eq!(needed("on", "2024-02-29").map(|day| text(Some(day))), Ok("2024-02-29".to_owned()));
        assert_eq!(given("on", ""), Ok(None));
    }

    #[test]
    fn today_is_that_of_shanghai() {
        let before_dawn: Timestamp = "2026-03-01T17:00:00Z".parse().expect("an instant");
        assert!(past("on", "2026-03-02", before_dawn).is_ok());
        assert!(past("on", "2026-03-03", before_dawn).is_err());
    }
}
