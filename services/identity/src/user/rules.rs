//! A person belongs to a unit or a company, not both.

use drumtower_runtime::Refusal;
use uuid::Uuid;

/// A person works in a unit or for a company, not both.
pub fn belonging(unit: Option<Uuid>, enterprise: Option<Uuid>) -> Result<(), Refusal> {
    if unit.is_some() && enterprise.is_some() {
        let (zh, en) = ("人员只能属于单位或企业之一", "a person belongs to a unit or a company, not both");
        return Err(Refusal::invalid("enterprise_id", "TWO_BELONGINGS", zh, en));
    }
    Ok(())
}
