//! What is special about the platform's own house.

use drumtower_runtime::Refusal;

/// The code of the platform's own house. GB/T 2260 gives it to no district.
pub const PLATFORM: &str = "000000";

/// Whoever shut the platform's own house could not open it again.
pub fn may_set(code: &str) -> Result<(), Refusal> {
    if code == PLATFORM {
        let (zh, en) = ("不能停用平台自身", "the platform's own house stays in use");
        return Err(Refusal::state("PLATFORM_ITSELF", zh, en));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_does_not_shut_itself_out() {
        assert_eq!(may_set(PLATFORM).expect_err("refused").reason(), "PLATFORM_ITSELF");
        assert!(may_set("350102").is_ok());
    }
}
