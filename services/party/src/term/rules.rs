//! Elections and terms.

use std::collections::BTreeSet;

use drumtower_proto::party::seat::Post;
use drumtower_runtime::{Refusal, calendar::add_months};
use jiff::civil::Date;
use uuid::Uuid;

/// A seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Who sits.
    pub member: Uuid,
    /// In which post.
    pub post: Post,
}

/// What other committees of the organisation matter to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Which term.
    pub number: i32,
    /// Day of election.
    pub elected_on: Date,
}

/// Refuses a committee without exactly one secretary, with a seat given twice, or with somebody who was not a full member of the
/// organisation on the day of election. Only full members are elected (选举工作条例 art 5).
pub fn seats(seats: &[Seat], full_members: &BTreeSet<Uuid>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (at, seat) in seats.iter().enumerate() {
        if seat.post == Post::Unspecified {
            return Err(Refusal::invalid(format!("seats[{at}].post"), "POST", "请选择职务", "a post is required"));
        }
        if !full_members.contains(&seat.member) {
            let (zh, en) = ("当选人在选举日须为该组织的正式党员", "must be a full member of the organisation on the day of election");
            return Err(Refusal::invalid(format!("seats[{at}].member_id"), "NOT_A_FULL_MEMBER", zh, en));
        }
        if !seen.insert((seat.member, seat.post as i32)) {
            return Err(Refusal::invalid(format!("seats[{at}]"), "SEAT_TWICE", "职务重复", "the same seat twice"));
        }
    }
    let secretaries = seats.iter().filter(|seat| seat.post == Post::Secretary).count();
    if secretaries != 1 {
        return Err(Refusal::invalid("seats", "ONE_SECRETARY", "须有且仅有一名书记", "exactly one secretary is required"));
    }
    Ok(())
}

/// When the term ends by rule: so many calendar months from the election, or the day that was decided.
pub fn planned_end(elected_on: Date, months: i32, given: Option<Date>) -> Result<Date, Refusal> {
    let end = given.unwrap_or_else(|| add_months(elected_on, months));
    if end <= elected_on {
        return Err(Refusal::invalid("planned_end", "BEFORE_ELECTION", "任期届满日须晚于选举日", "must be after the day of election"));
    }
    Ok(end)
}

/// Fits a new committee among those there are: numbers grow with the days of election. The day on which it was succeeded, for one that
/// is recorded later than its successor.
pub fn succeed(others: &[Earlier], number: i32, elected_on: Date) -> Result<Option<Date>, Refusal> {
    for other in others {
        if other.number == number || (other.number < number) != (other.elected_on < elected_on) {
            let (zh, en) = ("届次或选举日与已有届次冲突", "does not fit the number and day of election of another term");
            return Err(Refusal::state("TERM_ORDER", zh, en).fact("number", other.number.to_string()));
        }
    }
    Ok(others.iter().map(|other| other.elected_on).filter(|day| *day > elected_on).min())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn seat(member: u128, post: Post) -> Seat {
        Seat { member: Uuid::from_u128(member), post }
    }

    fn refused(list: &[Seat]) -> Option<&'static str> {
        let full = [1, 2, 3].map(Uuid::from_u128).into();
        seats(list, &full).err().map(|refusal| refusal.reason())
    }

    #[test]
    fn a_committee_has_one_secretary_and_full_members_only() {
        assert_eq!(refused(&[seat(1, Post::Secretary), seat(2, Post::Organisation), seat(2, Post::Publicity)]), None);
        assert_eq!(refused(&[seat(1, Post::Deputy)]), Some("ONE_SECRETARY"));
        assert_eq!(refused(&[seat(1, Post::Secretary), seat(2, Post::Secretary)]), Some("ONE_SECRETARY"));
        assert_eq!(refused(&[seat(1, Post::Secretary), seat(4, Post::Member)]), Some("NOT_A_FULL_MEMBER"));
        assert_eq!(refused(&[seat(1, Post::Secretary), seat(2, Post::Member), seat(2, Post::Member)]), Some("SEAT_TWICE"));
        assert_eq!(refused(&[seat(1, Post::Secretary), seat(2, Post::Unspecified)]), Some("POST"));
    }

    #[test]
    fn months_are_counted_from_the_anchor() {
        assert_eq!(planned_end(date(2024, 2, 29), 36, None), Ok(date(2027, 2, 28)));
        assert_eq!(planned_end(date(2024, 2, 29), 48, None), Ok(date(2028, 2, 29)));
        assert_eq!(planned_end(date(2023, 8, 31), 30, None), Ok(date(2026, 2, 28)));
        assert_eq!(planned_end(date(2023, 8, 31), 36, Some(date(2028, 8, 31))), Ok(date(2028, 8, 31)));
        assert!(planned_end(date(2023, 8, 31), 36, Some(date(2023, 8, 31))).is_err());
        // Two steps of a month would lose three days.
        assert_eq!(add_months(date(2026, 1, 31), 2), date(2026, 3, 31));
        assert_eq!(add_months(add_months(date(2026, 1, 31), 1), 1), date(2026, 3, 28));
    }

    #[test]
    fn numbers_grow_with_the_days_of_election() {
        let others = [Earlier { number: 2, elected_on: date(2020, 1, 1) }, Earlier { number: 4, elected_on: date(2026, 1, 1) }];
        assert_eq!(succeed(&others, 5, date(2026, 1, 2)), Ok(None));
        assert_eq!(succeed(&others, 3, date(2023, 1, 1)), Ok(Some(date(2026, 1, 1))));
        assert_eq!(succeed(&others, 1, date(2017, 1, 1)), Ok(Some(date(2020, 1, 1))));
        assert!(succeed(&others, 4, date(2027, 1, 1)).is_err());
        assert!(succeed(&others, 5, date(2026, 1, 1)).is_err());
        assert!(succeed(&others, 3, date(2027, 1, 1)).is_err());
    }
}
