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
