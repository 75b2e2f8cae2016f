//! What an item may promise.

use drumtower_runtime::Refusal;

/// A promise is at most what the law gives; an item without a legal limit (0) may promise anything.
pub fn days(legal: i32, promised: i32) -> Result<(), Refusal> {
    if legal > 0 && promised > legal {
        let (zh, en) = ("承诺时限不得超过法定时限", "must be at most the legal days");
        return Err(Refusal::invalid("promised_days", "LONGER_THAN_LAW", zh, en));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::days;

    #[test]
    fn a_promise_is_at_most_the_law() {
        assert!(days(20, 5).is_ok());
        assert!(days(20, 21).is_err());
        assert!(days(0, 3).is_ok());
    }
}
