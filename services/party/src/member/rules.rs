//! Standing, memberships, identity numbers.

use drumtower_proto::party::member::Status;
use drumtower_runtime::Refusal;
use jiff::civil::{Date, date};
use uuid::Uuid;

/// The number of a resident's identity card: a place, a birthday, an order, a check digit (GB 11643, ISO 7064 MOD 11-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdNumber {
    /// Birthday.
    pub born_on: Date,
}

impl IdNumber {
    /// The one parser of identity numbers. Refuses a birthday that is no day, lies before 1900 or after today, and a wrong check digit.
    pub fn parse(text: &str, today: Date) -> Result<Self, Refusal> {
        let refused = |reason, zh, en| Refusal::invalid("id_number", reason, zh, en);
        let malformed = || refused("ID_NUMBER_FORMAT", "身份证号格式不正确", "is not an identity number");
        let bytes: &[u8; 18] = text.as_bytes().try_into().map_err(|_| malformed())?;
        let (digits, check) = (&bytes[..17], bytes[17]);
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(malformed());
        }
        if check_digit(digits) != check {
            return Err(refused("ID_NUMBER_CHECK", "身份证号校验位不正确", "has a wrong check digit"));
        }
        let number = |from: usize, to: usize| digits[from..to].iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
        let (month, day) = (i8::try_from(number(10, 12)).unwrap_or(0), i8::try_from(number(12, 14)).unwrap_or(0));
        let born_on = Date::new(number(6, 10), month, day).ok().filter(|born| (date(1900, 1, 1)..=today).contains(born));
        let born_on = born_on.ok_or_else(|| refused("ID_NUMBER_BIRTHDAY", "身份证号中的出生日期不正确", "holds no possible birthday"))?;
        Ok(Self { born_on })
    }
}

fn check_digit(digits: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// The days of a member's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Standing now.
    pub status: Status,
    /// Joined as a probationary member.
    pub joined_on: Date,
    /// Became a full member.
    pub full_on: Option<Date>,
}

impl Standing {
    /// Refuses days that do not fit the standing: a probationary member has not become a full one, a full member has, and nobody does
    /// before joining.
    pub fn check(&self) -> Result<(), Refusal> {
        let refused = |zh, en| Err(Refusal::invalid("full_on", "FULL_ON", zh, en));
        match (self.status, self.full_on) {
            (Status::Unspecified | Status::Left, _) => {
                Err(Refusal::invalid("status", "STATUS", "不能登记为该状态", "nobody is added in that standing"))
            }
            (Status::Probationary, Some(_)) => refused("预备党员没有转正日期", "a probationary member has none"),
            (Status::Full, None) => refused("正式党员须有转正日期", "a full member has one"),
            (_, Some(full_on)) if full_on < self.joined_on => refused("转正日期早于入党日期", "is before the day of joining"),
            _ => Ok(()),
        }
    }
}

/// A membership: where, from which day, until before which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The organisation.
    pub organisation: Uuid,
    /// First day.
    pub from: Date,
    /// First day elsewhere.
    pub to: Option<Date>,
}

/// A transfer of the membership begun last: it ends on the day the next begins, so that no day has none and no day has two.
pub fn transfer(last: &Membership, organisation: Uuid, from: Date) -> Result<(Membership, Membership), Refusal> {
    if last.organisation == organisation {
        return Err(Refusal::state("ALREADY_THERE", "该党员已在目标组织", "the member belongs there already"));
    }
    if from <= last.from {
        let (zh, en) = ("转接日期须晚于现组织关系的起始日", "the transfer must be after the day the last membership began");
        return Err(Refusal::state("NOT_AFTER_LAST", zh, en).field("from", en).fact("last_from", last.from.to_string()));
    }
    Ok((Membership { to: Some(from), ..*last }, Membership { organisation, from, to: None }))
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = date(2026, 10, 1);

    fn reason(text: &str) -> Option<&'static str> {
        IdNumber::parse(text, TODAY).err().map(|refusal| refusal.reason())
    }

    fn completed(head: &str) -> String {
        format!("{head}{}", char::from(check_digit(head.as_bytes())))
    }

    #[test]
    fn identity_numbers_are_read_or_refused() {
        // The standard's own example.
        assert_eq!(IdNumber::parse("11010519491231002X", TODAY).map(|id| id.born_on), Ok(date(1949, 12, 31)));
        assert_eq!(reason("110105194912310021"), Some("ID_NUMBER_CHECK"));
        assert_eq!(reason("11010519491231002x"), Some("ID_NUMBER_CHECK"));
        assert_eq!(reason("1101051949123100"), Some("ID_NUMBER_FORMAT"));
        assert_eq!(reason("1101051949123100２"), Some("ID_NUMBER_FORMAT"));
        assert_eq!(reason("A1010519491231002X"), Some("ID_NUMBER_FORMAT"));
        assert_eq!(reason(&completed("99999919900230123")), Some("ID_NUMBER_BIRTHDAY"));
        assert_eq!(reason(&completed("99999918991231123")), Some("ID_NUMBER_BIRTHDAY"));
        assert_eq!(reason(&completed("99999920261002123")), Some("ID_NUMBER_BIRTHDAY"));
        assert_eq!(reason(&completed("99999920000229123")), None);
    }

    #[test]
    fn standing_and_days_fit() {
        let standing = |status, full_on| Standing { status, joined_on: date(2020, 5, 1), full_on }.check().is_ok();
        assert!(standing(Status::Probationary, None));
        assert!(!standing(Status::Probationary, Some(date(2021, 5, 1))));
        assert!(standing(Status::Full, Some(date(2020, 5, 1))));
        assert!(!standing(Status::Full, Some(date(2020, 4, 30))));
        assert!(!standing(Status::Full, None));
        assert!(standing(Status::SuspendedRights, None));
        assert!(!standing(Status::Left, None));
    }

    proptest! {
        #[test]
        fn one_wrong_digit_never_passes(head in "[0-9]{6}19[5-9][0-9]0[1-9]1[0-9][0-9]{3}", at in 0..17usize, by in 1..10u8) {
            let good = completed(&head);
            prop_assert!(IdNumber::parse(&good, TODAY).is_ok());
            let mut bad = good.into_bytes();
            bad[at] = b'0' + (bad[at] - b'0' + by) % 10;
            prop_assert!(IdNumber::parse(&String::from_utf8(bad).expect("ascii"), TODAY).is_err());
        }

        #[test]
        fn transfers_leave_no_day_with_none_or_two(moves in prop::collection::vec((0..4u128, -5..400i64), 0..30)) {
            let start = date(2024, 2, 28);
            let mut all = vec![Membership { organisation: Uuid::nil(), from: start, to: None }];
            for (to, on) in moves {
                let last = all.last().copied().expect("one at least");
                if let Ok((closed, opened)) = transfer(&last, Uuid::from_u128(to), start.saturating_add(on.days())) {
                    all.pop();
                    all.extend([closed, opened]);
                }
            }
            for on in 0..420i64 {
                let day = start.saturating_add(on.days());
                prop_assert_eq!(all.iter().filter(|m| m.from <= day && m.to.is_none_or(|to| day < to)).count(), 1);
            }
        }
    }
}
