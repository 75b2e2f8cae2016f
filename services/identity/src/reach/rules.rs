//! When a person is reached, what an address looks like, what proves it.

use drumtower_proto::identity::{Means, Preference, preference::Digest};
use drumtower_runtime::{Kind, Refusal, seal::Sealer};
use jiff::{SignedDuration, Timestamp, civil::Time, tz};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a code is good.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_mins(10);
/// Wrong codes until a new one is needed.
pub const MOST_FAILURES: i16 = 5;
/// Letters of a code: none that is taken for another.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// What a person wishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    pub declined: Vec<i32>,
    /// Minutes of the day in China.
    pub quiet: (i16, i16),
    pub digest: i32,
    pub digest_at: i16,
    pub muted: Vec<String>,
}

impl Default for Wishes {
    /// Nobody is woken; nothing waits without need.
    fn default() -> Self {
        Self { declined: Vec::new(), quiet: (22 * 60, 8 * 60), digest: Digest::Unspecified as i32, digest_at: 9 * 60, muted: Vec::new() }
    }
}

impl Wishes {
    /// Reads what the contract has checked.
    pub fn of(preference: &Preference) -> Self {
        Self {
            declined: preference.declined.clone(),
            quiet: (minutes(&preference.quiet_from), minutes(&preference.quiet_to)),
            digest: preference.digest,
            digest_at: minutes(&preference.digest_at),
            muted: preference.muted.clone(),
        }
    }

    /// As the contract shows them.
    pub fn shown(&self) -> Preference {
        let time = |minutes: i16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        Preference {
            declined: self.declined.clone(),
            quiet_from: time(self.quiet.0),
            quiet_to: time(self.quiet.1),
            digest: self.digest,
            digest_at: time(self.digest_at),
            muted: self.muted.clone(),
        }
    }

    /// When a notice goes out by a means; never, when it is not wanted there.
    pub fn when(&self, means: i32, kind: &str, urgent: bool, now: Timestamp) -> Option<Timestamp> {
        if self.declined.contains(&means) {
            return None;
        }
        if urgent {
            return Some(now);
        }
        let muted = self.muted.iter().any(|muted| muted == kind || (muted.ends_with('.') && kind.starts_with(muted.as_str())));
        (!muted).then(|| self.after_the_quiet(self.gathered(now)))
    }

    /// When what is told together is told.
    fn gathered(&self, now: Timestamp) -> Timestamp {
        match Digest::try_from(self.digest).unwrap_or_default() {
            Digest::Unspecified => now,
            Digest::Hourly => {
                let past = now.as_second().rem_euclid(3600);
                if past == 0 { now } else { now + SignedDuration::from_secs(3600 - past) }
            }
            Digest::Daily => next(now, self.digest_at),
        }
    }

    fn after_the_quiet(&self, at: Timestamp) -> Timestamp {
        let (from, to) = self.quiet;
        let minute = minute_of(at);
        let quiet = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
        if quiet { next(at, to) } else { at }
    }
}

/// Codes that a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub count: i16,
    pub since: Timestamp,
    pub last: Timestamp,
}

/// Between two codes.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Codes within a day: whose number it is not is not pestered.
const MOST_A_DAY: i16 = 10;

/// Whether one more may be sent; how many it makes, since when.
pub fn one_more(begun: Option<Begun>, now: Timestamp) -> Result<(i16, Timestamp), Refusal> {
    let Some(begun) = begun else { return Ok((1, now)) };
    let too_soon = |until: Timestamp| {
        let (zh, en) = ("获取验证码过于频繁，请稍后再试", "codes are asked for too often");
        Err(Refusal::new(Kind::Exhausted, "TOO_SOON", zh, en).fact("possible_at", until.to_string()))
    };
    if now < begun.last + PAUSE {
        return too_soon(begun.last + PAUSE);
    }
    let day_is_over = begun.since + SignedDuration::from_hours(24);
    match (now >= day_is_over, begun.count >= MOST_A_DAY) {
        (true, _) => Ok((1, now)),
        (false, true) => too_soon(day_is_over),
        (false, false) => Ok((begun.count + 1, begun.since)),
    }
}

/// Minutes of a time that the contract has checked.
fn minutes(text: &str) -> i16 {
    let (hours, minutes) = text.split_once(':').unwrap_or(("0", "0"));
    hours.parse::<i16>().unwrap_or(0) * 60 + minutes.parse::<i16>().unwrap_or(0)
}

fn minute_of(at: Timestamp) -> i16 {
    let time = tz::offset(8).to_datetime(at).time();
    i16::from(time.hour()) * 60 + i16::from(time.minute())
}

/// The next time that a clock in China shows a minute: now, if it does.
fn next(now: Timestamp, minute: i16) -> Timestamp {
    let zone = tz::offset(8);
    let today = zone.to_datetime(now).date();
    let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).unwrap_or(Time::MIN);
    let of = |date: jiff::civil::Date| zone.to_timestamp(date.to_datetime(time)).unwrap_or(now);
    let on_today = of(today);
    if on_today >= now || minute_of(now) == minute { on_today.max(now) } else { of(today.tomorrow().unwrap_or(today)) }
}

/// An address as it is kept; what is none is refused.
pub fn address(means: Means, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let wrong = |zh: &str, en: &str| Err(Refusal::invalid("address", "ADDRESS", zh, en));
    match means {
        Means::Wechat if text.is_empty() => Ok(String::new()),
        Means::Wechat => wrong("微信绑定无需填写地址", "WeChat takes none"),
        Means::Sms => {
            let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
            let plain = digits.strip_prefix("+86").unwrap_or(&digits);
            let mobile = plain.len() == 11 && plain.starts_with('1') && plain.bytes().all(|byte| byte.is_ascii_digit());
            if mobile { Ok(plain.to_owned()) } else { wrong("请填写手机号码", "is a mobile number") }
        }
        Means::Email => {
            let plain = text.is_ascii()
                && !text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"<>,;:\"()".contains(&byte));
            let parts = text.split_once('@').filter(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'));
            let named = parts.filter(|(_, host)| !host.starts_with('.') && !host.ends_with('.'));
            if plain && named.is_some() { Ok(text.to_lowercase()) } else { wrong("请填写邮箱地址", "is an e-mail address") }
        }
        Means::Unspecified => wrong("必填", "is required"),
    }
}

/// An address, all but hidden.
pub fn hint(means: Means, address: &str) -> String {
    match means {
        Means::Sms => format!("{}****{}", address.get(..3).unwrap_or_default(), address.get(7..).unwrap_or_default()),
        Means::Email => match address.split_once('@') {
            Some((who, host)) => format!("{}***@{host}", who.get(..1).unwrap_or_default()),
            None => String::new(),
        },
        Means::Wechat | Means::Unspecified => "微信".to_owned(),
    }
}

/// The code of a proof: made from the district's key, so that none has to be kept to be sent.
pub fn code(sealer: &Sealer, user: Uuid, means: i32, expires_at: Timestamp) -> String {
    let bytes = sealer.blind("reach.code", &format!("{user} {means} {}", expires_at.as_microsecond())).unwrap_or_default();
    bytes.iter().take(8).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// A code as people write it.
pub fn written(code: &str) -> String {
    code.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn when(wishes: &Wishes, now: &str) -> Option<String> {
        wishes.when(Means::Sms as i32, "ticket.accepted", false, at(now)).map(|at| at.to_string())
    }

    #[test]
    fn nobody_is_woken_and_danger_waits_for_nobody() {
        let wishes = Wishes::default();
        // 21:59 in China is 13:59 UTC.
        assert_eq!(when(&wishes, "2026-11-24T13:59:59Z").as_deref(), Some("2026-11-24T13:59:59Z"));
        assert_eq!(when(&wishes, "2026-11-24T14:00:00Z").as_deref(), Some("2026-11-25T00:00:00Z"));
        assert_eq!(when(&wishes, "2026-11-24T23:59:59Z").as_deref(), Some("2026-11-25T00:00:00Z"));
        assert_eq!(when(&wishes, "2026-11-25T00:00:01Z").as_deref(), Some("2026-11-25T00:00:01Z"));
        let night = at("2026-11-24T18:00:00Z");
        assert_eq!(wishes.when(Means::Sms as i32, "clock.breached", true, night), Some(night));
        let never = Wishes { quiet: (0, 0), ..Wishes::default() };
        assert_eq!(never.when(Means::Sms as i32, "ticket.accepted", false, night), Some(night));
        let noon = Wishes { quiet: (12 * 60, 14 * 60), ..Wishes::default() };
        assert_eq!(when(&noon, "2026-11-24T04:30:00Z").as_deref(), Some("2026-11-24T06:00:00Z"));
    }

    #[test]
    fn digests_gather_and_keep_the_quiet() {
        let hourly = Wishes { digest: Digest::Hourly as i32, ..Wishes::default() };
        assert_eq!(when(&hourly, "2026-11-24T02:10:00Z").as_deref(), Some("2026-11-24T03:00:00Z"));
        assert_eq!(when(&hourly, "2026-11-24T13:10:00Z").as_deref(), Some("2026-11-25T00:00:00Z"), "22:00 is quiet");
        let daily = Wishes { digest: Digest::Daily as i32, digest_at: 9 * 60, ..Wishes::default() };
        assert_eq!(when(&daily, "2026-11-24T00:59:00Z").as_deref(), Some("2026-11-24T01:00:00Z"));
        assert_eq!(when(&daily, "2026-11-24T01:01:00Z").as_deref(), Some("2026-11-25T01:00:00Z"));
        assert_eq!(when(&daily, "2026-11-24T01:00:30Z").as_deref(), Some("2026-11-24T01:00:30Z"), "the minute itself is not over");
    }

    #[test]
    fn what_is_declined_or_muted_stays_in_the_inbox() {
        let wishes =
            Wishes { declined: vec![2], muted: vec!["clock.".to_owned(), "ticket.urged".to_owned()], quiet: (0, 0), ..Wishes::default() };
        let now = at("2026-11-24T02:00:00Z");
        assert_eq!(wishes.when(2, "ticket.accepted", true, now), None, "a declined means is not used");
        assert_eq!(wishes.when(1, "clock.warned", false, now), None);
        assert_eq!(wishes.when(1, "ticket.urged", false, now), None);
        assert_eq!(wishes.when(1, "ticket.accepted", false, now), Some(now));
        assert_eq!(wishes.when(1, "clock.warned", true, now), Some(now), "danger is told");
        assert_eq!(Wishes::of(&wishes.shown()), wishes);
    }

    #[test]
    fn nobody_is_pestered_with_codes() {
        let now = at("2026-11-24T02:00:00Z");
        assert_eq!(one_more(None, now), Ok((1, now)));
        let begun = |count: i16, last: i64| Begun {
            count,
            since: now - SignedDuration::from_hours(3),
            last: now - SignedDuration::from_secs(last),
        };
        assert_eq!(one_more(Some(begun(1, 59)), now).expect_err("too soon").reason(), "TOO_SOON");
        assert_eq!(one_more(Some(begun(1, 60)), now), Ok((2, now - SignedDuration::from_hours(3))));
        assert!(one_more(Some(begun(10, 3600)), now).is_err());
        assert_eq!(one_more(Some(begun(10, 3600)), now + SignedDuration::from_hours(21)), Ok((1, now + SignedDuration::from_hours(21))));
    }

    #[test]
    fn addresses_are_what_they_say() {
        assert_eq!(address(Means::Sms, "+86 138-0000-0000").as_deref(), Ok("13800000000"));
        assert_eq!(address(Means::Email, " Li@Example.com ").as_deref(), Ok("li@example.com"));
        for (means, bad) in [
            (Means::Sms, "0591-87654321"),
            (Means::Sms, "138000000001"),
            (Means::Email, "li@example"),
            (Means::Email, "li@@example.com"),
            (Means::Email, "a\r\nbcc: x@example.com"),
            (Means::Email, "<li@example.com>"),
            (Means::Email, "李@example.com"),
            (Means::Wechat, "openid"),
            (Means::Unspecified, ""),
        ] {
            assert_eq!(address(means, bad).expect_err(bad).reason(), "ADDRESS", "{bad}");
        }
        assert_eq!(hint(Means::Sms, "13800001234"), "138****1234");
        assert_eq!(hint(Means::Email, "li@example.com"), "l***@example.com");
    }
}
