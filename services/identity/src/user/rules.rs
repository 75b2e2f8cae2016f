//! What a first password must be, and that a person belongs to a unit or a company, not both.

use drumtower_runtime::Refusal;
use uuid::Uuid;

/// At least twelve characters of three of four classes, and not holding the login name (等保三级: 复杂度要求).
pub fn password(login: &str, password: &str) -> Result<(), Refusal> {
    let classes = [
        password.chars().any(|letter| letter.is_ascii_lowercase()),
        password.chars().any(|letter| letter.is_ascii_uppercase()),
        password.chars().any(|letter| letter.is_ascii_digit()),
        password.chars().any(|letter| !letter.is_ascii_alphanumeric()),
    ];
    let weak = |zh: &str, en: &str| Err(Refusal::invalid("password", "WEAK_PASSWORD", zh, en));
    if password.chars().count() < 12 {
        return weak("密码至少 12 位", "at least 12 characters");
    }
    if classes.iter().filter(|has| **has).count() < 3 {
        return weak("密码须含大小写字母、数字、符号中的三类", "three of lower case, upper case, digits, symbols");
    }
    if login.len() > 3 && password.to_ascii_lowercase().contains(&login.to_ascii_lowercase()) {
        return weak("密码不能包含登录名", "must not hold the login name");
    }
    Ok(())
}

/// A person works in a unit or for a company, not both.
pub fn belonging(unit: Option<Uuid>, enterprise: Option<Uuid>) -> Result<(), Refusal> {
    if unit.is_some() && enterprise.is_some() {
        let (zh, en) = ("人员只能属于单位或企业之一", "a person belongs to a unit or a company, not both");
        return Err(Refusal::invalid("enterprise_id", "TWO_BELONGINGS", zh, en));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        assert!(password("wang", "Drumtower-2026!").is_ok());
        for weak in ["Short-1", "alllowercaseletters", "wang-Wang-2026!x"] {
            assert!(password("wang", weak).is_err(), "{weak}");
        }
    }
}
