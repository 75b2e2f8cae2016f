//! The roll and the quorum of a decision.

use std::collections::BTreeSet;

use drumtower_proto::party::meeting::Kind;
use drumtower_runtime::Refusal;
use uuid::Uuid;

/// Whose meeting it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// All who vote in the organisation.
    Members,
    /// The committee in office.
    Committee,
}

/// A meeting that counts as one of the committee only is one of the committee; whatever else it counts as, all members are due.
pub fn body(kinds: &[Kind]) -> Result<Body, Refusal> {
    if kinds.contains(&Kind::Unspecified) {
        return Err(Refusal::invalid("kinds", "KIND", "请选择会议类型", "a kind is required"));
    }
    Ok(if kinds.iter().all(|kind| *kind == Kind::Committee) { Body::Committee } else { Body::Members })
}

/// Who was due, and whether each was present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roll {
    /// Voting members due, with presence.
    pub entries: Vec<(Uuid, bool)>,
}

impl Roll {
    /// Everybody due is present unless named absent; nobody is absent who was not due.
    pub fn call(due: &[Uuid], absent: &[Uuid]) -> Result<Self, Refusal> {
        let due: BTreeSet<Uuid> = due.iter().copied().collect();
        if let Some(at) = absent.iter().position(|member| !due.contains(member)) {
            let field = format!("absent_member_ids[{at}]");
            return Err(Refusal::invalid(field, "NOT_DUE", "缺席名单中有不属于应到范围的人员", "was not due at this meeting"));
        }
        Ok(Self { entries: due.into_iter().map(|member| (member, !absent.contains(&member))).collect() })
    }

    /// How many were due (应到).
    pub fn due(&self) -> i32 {
        i32::try_from(self.entries.len()).unwrap_or(i32::MAX)
    }

    /// How many were present (实到).
    pub fn present(&self) -> i32 {
        i32::try_from(self.entries.iter().filter(|(_, present)| *present).count()).unwrap_or(i32::MAX)
    }
}

/// Whether a meeting may decide: at least half of those due are present (支部工作条例 art 11). An election needs four fifths and is
/// counted elsewhere; nobody due makes no quorum.
pub fn quorate(due: i32, present: i32) -> bool {
    due > 0 && i64::from(present) * 2 >= i64::from(due)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn at_least_half_of_those_due() {
        for due in 3..=60 {
            for present in 0..=due {
                // Half of an odd number rounds up: 3 of 5, 30 of 60, 30 of 59.
                assert_eq!(quorate(due, present), present >= (due + 1) / 2, "{present} of {due}");
            }
        }
        assert!(!quorate(0, 0));
    }

    #[test]
    fn a_committee_meets_alone_only_if_the_meeting_is_nothing_else() {
        assert_eq!(body(&[Kind::Committee]), Ok(Body::Committee));
        assert_eq!(body(&[Kind::Committee, Kind::ThemeDay]), Ok(Body::Members));
        assert!(body(&[Kind::Members, Kind::Unspecified]).is_err());
    }

    proptest! {
        #[test]
        fn present_and_absent_make_up_those_due(due in prop::collection::btree_set(0..50u128, 0..50), away in prop::collection::btree_set(0..50u128, 0..10)) {
            let ids = |set: &BTreeSet<u128>| set.iter().map(|id| Uuid::from_u128(*id)).collect::<Vec<_>>();
            match Roll::call(&ids(&due), &ids(&away)) {
                Ok(roll) => {
                    prop_assert!(away.is_subset(&due));
                    prop_assert_eq!(roll.due() as usize, due.len());
                    prop_assert_eq!(roll.present() as usize, due.len() - away.len());
                }
                Err(refusal) => {
                    prop_assert!(!away.is_subset(&due));
                    prop_assert_eq!(refusal.reason(), "NOT_DUE");
                }
            }
        }
    }
}
