//! What may be granted to whom.

use drumtower_proto::options::Role;
use drumtower_runtime::{Refusal, surface::SURFACE};
use jiff::Timestamp;
use uuid::Uuid;

/// A role about to be granted.
#[derive(Debug)]
pub struct Grant {
    pub id: Uuid,
    pub user: Uuid,
    pub role: Role,
    pub node: Option<Uuid>,
    pub valid_to: Option<Timestamp>,
}

/// Whether a role is held in the platform's own house alone.
pub fn is_of_platform(role: Role) -> bool {
    SURFACE.role(role as i32).is_some_and(|rule| rule.platform)
}

/// Nobody grants to themselves; a role for a node needs one, a role for the district takes none; an end lies ahead.
pub fn may_grant(grant: &Grant, granted_by: Uuid, now: Timestamp) -> Result<(), Refusal> {
    let rule = SURFACE
        .role(grant.role as i32)
        .ok_or_else(|| Refusal::invalid("role", "UNKNOWN_ROLE", "未知角色", "is not a role of the contract"))?;
    if grant.user == granted_by {
        return Err(Refusal::state("ONESELF", "不能给自己授权", "nobody grants to themselves"));
    }
    if rule.reach == "NODE" && grant.node.is_none() {
        let zh = format!("{}须指定单位或组织", rule.zh);
        return Err(Refusal::invalid("node_id", "NODE_REQUIRED", zh, format!("{} is held for a unit or organisation", rule.en)));
    }
    if rule.reach == "TENANT" && grant.node.is_some() {
        let zh = format!("{}面向全区，不能指定单位或组织", rule.zh);
        return Err(Refusal::invalid("node_id", "NODE_REFUSED", zh, format!("{} is held for the whole district", rule.en)));
    }
    if grant.valid_to.is_some_and(|end| end <= now) {
        return Err(Refusal::invalid("valid_to", "IN_THE_PAST", "截止时间须在将来", "must lie in the future"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_that_make_no_sense_are_refused() {
        let [admin, other] = [1, 2].map(Uuid::from_u128);
        let now = Timestamp::UNIX_EPOCH;
        let grant = |role, user, node| Grant { id: Uuid::nil(), user, role, node, valid_to: None };
        assert!(may_grant(&grant(Role::Dispatcher, other, None), admin, now).is_ok());
        assert!(may_grant(&grant(Role::Liaison, other, Some(admin)), admin, now).is_ok());
        assert_eq!(may_grant(&grant(Role::Liaison, other, None), admin, now).expect_err("refused").reason(), "NODE_REQUIRED");
        for role in [Role::PartyCommittee, Role::Secadmin] {
            assert_eq!(may_grant(&grant(role, other, Some(admin)), admin, now).expect_err("refused").reason(), "NODE_REFUSED");
        }
        assert_eq!(may_grant(&grant(Role::Dispatcher, admin, None), admin, now).expect_err("refused").reason(), "ONESELF");
        let ended = Grant { valid_to: Some(now), ..grant(Role::Dispatcher, other, None) };
        assert_eq!(may_grant(&ended, admin, now).expect_err("refused").reason(), "IN_THE_PAST");
    }
}
