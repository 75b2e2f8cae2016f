//! Instants as JSON writes them: UTC, with no, three, six or nine digits behind the second.

/// Years 1 to 9999, as protobuf has them.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Writes an instant, quoted; `None` when it is out of range.
pub fn write(seconds: i64, nanos: i32, out: &mut Vec<u8>) -> Option<()> {
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    if !SECONDS.contains(&seconds) {
        return None;
    }
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = u32::try_from(seconds.rem_euclid(86_400)).ok()?;
    out.push(b'"');
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, second / 3600, 2);
    out.push(b':');
    digits(out, second / 60 % 60, 2);
    out.push(b':');
    digits(out, second % 60, 2);
    fraction(out, nanos);
    out.extend_from_slice(b"Z\"");
    Some(())
}

fn fraction(out: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    out.push(b'.');
    match (nanos % 1_000_000, nanos % 1000) {
        (0, _) => digits(out, nanos / 1_000_000, 3),
        (_, 0) => digits(out, nanos / 1000, 6),
        _ => digits(out, nanos, 9),
    }
}

/// Writes a number with leading zeros.
fn digits(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let end = out.len() + width;
    out.resize(end, b'0');
    for place in (end - width..end).rev() {
        out[place] = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day since 1970. Counted in years that begin in March, so that the leap day comes last
/// (Howard Hinnant, `civil_from_days`).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range of seconds was checked")]
fn date(day: i64) -> (u32, u32, u32) {
    let day = (day + 719_468) as u64;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    (year as u32, month as u32, date as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(seconds: i64, nanos: i32) -> Option<String> {
        let mut out = Vec::new();
        write(seconds, nanos, &mut out).map(|()| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn leap_days_ends_of_time_and_fractions() {
        assert_eq!(written(0, 0).as_deref(), Some("\"1970-01-01T00:00:00Z\""));
        assert_eq!(written(1_709_164_800, 5_000_000).as_deref(), Some("\"2024-02-29T00:00:00.005Z\""));
        assert_eq!(written(-62_135_596_800, 0).as_deref(), Some("\"0001-01-01T00:00:00Z\""));
        assert_eq!(written(253_402_300_799, 999_999_999).as_deref(), Some("\"9999-12-31T23:59:59.999999999Z\""));
        assert_eq!(written(1, 120_000).as_deref(), Some("\"1970-01-01T00:00:01.000120Z\""));
        for (seconds, nanos) in [(-62_135_596_801, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000)] {
            assert_eq!(written(seconds, nanos), None);
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_the_one_that_the_library_writes(seconds in SECONDS, nanos in 0..1_000_000_000i32) {
            let known = prost_types::Timestamp { seconds, nanos }.to_string();
            prop_assert_eq!(written(seconds, nanos), Some(format!("\"{known}\"")));
        }
    }
}
