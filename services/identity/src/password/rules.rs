//! What a password must be, and whose may be reset.

use drumtower_proto::options::Role;
use drumtower_runtime::{Refusal, surface::SURFACE};
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

/// Nobody resets their own, which is changed; nor an officer's: who could take another officer's place would be two of the three.
pub fn may_reset(person: Uuid, roles: impl IntoIterator<Item = Role>, by: Uuid) -> Result<(), Refusal> {
    if person == by {
        return Err(Refusal::state("ONESELF", "请在个人设置中修改自己的密码", "one's own password is changed, not reset"));
    }
    let officer = |role: Role| SURFACE.role(role as i32).is_some_and(|rule| !rule.exclusive.is_empty());
    if roles.into_iter().any(officer) {
        let (zh, en) = ("三员的密码由平台运维重置", "an officer's password is reset by those who run the platform");
        return Err(Refusal::state("THREE_OFFICERS", zh, en));
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

    #[test]
    fn officers_and_oneself_are_not_reset() {
        let [admin, other] = [1, 2].map(Uuid::from_u128);
        assert!(may_reset(other, [Role::Handler, Role::Leader], admin).is_ok());
        assert_eq!(may_reset(admin, [], admin).expect_err("refused").reason(), "ONESELF");
        assert_eq!(may_reset(other, [Role::Handler, Role::Secadmin], admin).expect_err("refused").reason(), "THREE_OFFICERS");
    }
}
