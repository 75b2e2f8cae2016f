//! When a presence may begin and end.

use drumtower_runtime::Refusal;
use jiff::civil::Date;
use uuid::Uuid;

/// A presence to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct New {
    pub id: Uuid,
    pub enterprise: Uuid,
    pub building: Uuid,
    pub kind: i32,
    pub since: Date,
}

/// The end lies after the beginning.
pub fn ends_after(since: Date, until: Date) -> Result<(), Refusal> {
    if until <= since {
        return Err(Refusal::invalid("until", "BEFORE_BEGINNING", "结束日期须晚于开始日期", "must lie after the first day"));
    }
    Ok(())
}
