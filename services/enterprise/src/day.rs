//! Days as the contract writes them, YYYY-MM-DD, and as the database keeps them.

use drumtower_runtime::Refusal;
use jiff::civil::Date;

/// A day from its text; `None` for the empty text.
pub fn read(field: &'static str, text: &str) -> Result<Option<Date>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Refusal::invalid(field, "NOT_A_DAY", "日期不存在", format!("{text} is not a day")))
}

/// A day that must be there.
pub fn needed(field: &'static str, text: &str) -> Result<Date, Refusal> {
    read(field, text)?.ok_or_else(|| Refusal::invalid(field, "REQUIRED", "缺少日期", "a day is required"))
}

/// A stored day as text; empty for none.
pub fn text(day: Option<jiff_sqlx::Date>) -> String {
    day.map(|day| day.to_jiff().to_string()).unwrap_or_default()
}
