//! What a building's figures must agree on.

use drumtower_runtime::Refusal;

/// What can be let is at most what there is.
pub fn areas(gross_m2: f64, leasable_m2: f64) -> Result<(), Refusal> {
    if leasable_m2 > gross_m2 {
        let (zh, en) = ("可租面积不得大于建筑面积", "must be at most the gross area");
        return Err(Refusal::invalid("leasable_m2", "LARGER_THAN_GROSS", zh, en));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::areas;

    #[test]
    fn what_can_be_let_is_at_most_what_there_is() {
        assert!(areas(100.0, 100.0).is_ok());
        assert!(areas(100.0, 100.1).is_err());
    }
}
