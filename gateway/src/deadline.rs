//! How long a caller waits: its own `grpc-timeout`, ten seconds when it says none, half a minute at most.

use std::time::Duration;

use drumtower_runtime::Refusal;
use http::{HeaderMap, HeaderValue};

/// How long a request may take when its caller does not say.
pub const PATIENCE: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(30);
/// What an answer needs for its way back to the door.
const WAY_BACK: Duration = Duration::from_millis(100);

/// The time that a request has.
pub fn of(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(PATIENCE) };
    let said = value
        .to_str()
        .ok()
        .and_then(parse)
        .ok_or_else(|| Refusal::invalid("grpc-timeout", "MALFORMED_DEADLINE", "超时格式不正确", "malformed grpc-timeout"))?;
    Ok(said.min(MOST))
}

/// Reads `{digits}{unit}`, at most eight digits.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// Tells a service how long its caller waits.
pub fn hand_on(patience: Duration, headers: &mut HeaderMap) {
    let left = patience.saturating_sub(WAY_BACK.min(patience / 2));
    let value = HeaderValue::try_from(format!("{}m", left.as_millis().max(1))).unwrap_or_else(|_| HeaderValue::from_static("10S"));
    headers.insert("grpc-timeout", value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_static(value));
        of(&headers).ok()
    }

    #[test]
    fn every_unit_is_read_and_the_most_is_half_a_minute() {
        assert_eq!(of(&HeaderMap::new()).ok(), Some(PATIENCE));
        assert_eq!(said("5S"), Some(Duration::from_secs(5)));
        assert_eq!(said("250m"), Some(Duration::from_millis(250)));
        assert_eq!(said("99999999H"), Some(MOST));
        for bent in ["", "5", "S", "-5S", "+5S", "123456789S", "5X", "5 S"] {
            assert_eq!(said(bent), None, "{bent}");
        }
    }

    #[test]
    fn a_service_is_told_a_little_less_but_never_nothing() {
        let handed = |patience| {
            let mut headers = HeaderMap::new();
            hand_on(patience, &mut headers);
            headers["grpc-timeout"].clone()
        };
        assert_eq!(handed(PATIENCE), "9900m");
        assert_eq!(handed(Duration::from_millis(20)), "10m");
        assert_eq!(handed(Duration::ZERO), "1m");
    }
}
