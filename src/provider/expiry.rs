//! How long a token lives, and how long a provider wants to be left alone: the ways answers say so.
//!
//! Time is passed in as the time since the Unix epoch; nothing here reads a clock.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::credential::Lifetime;

/// What a lifetime is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, as RFC 6749 section 5.1 wants it.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Minutes.
    Minutes,
}

impl Unit {
    fn seconds(self, count: f64) -> f64 {
        match self {
            Self::Seconds => count,
            Self::Milliseconds => count / 1000.0,
            Self::Minutes => count * 60.0,
        }
    }
}

/// What `expires_in` means: a count of `unit` as a number or a string, or a date. Missing, null, zero, negative,
/// past or unreadable: a token without expiry, to be renewed when `unused` for so long. Never
/// lengthened, and at most 24 h.
pub fn lifetime(
    expires_in: Option<&Value>,
    unit: Unit,
    wall: Duration,
    unused: Duration,
) -> Lifetime {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64().map(|count| unit.seconds(count)),
        Some(Value::String(text)) => seconds_in(text.trim(), unit, wall),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => Lifetime::For(
            Duration::try_from_secs_f64(seconds)
                .unwrap_or(LONGEST)
                .min(LONGEST),
        ),
        _ => Lifetime::UntilUnusedFor(unused),
    }
}

/// When the provider wants to be asked again: `Retry-After` in seconds or as a date (RFC 9110 section
/// 10.2.3), else the seconds of `RateLimit-Reset` (Zuora), else those of `retryAfter` in the body (Marketing Cloud).
/// At most 24 h. `RateLimit-Reset` is heeded where a quota is used up (429, or none remaining): with any other answer it
/// says nothing of the next request. More than a day of it is a date of some kind.
pub fn retry_after(
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&Value>,
    wall: Duration,
) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    // One of the clocks may be wrong: that of the date, or ours.
    let by_either = |text: &str| {
        let theirs = date(headers).and_then(|now| until(text, now));
        let ours = until(text, wall)?;
        Some(theirs.unwrap_or(ours).min(ours))
    };
    let wait = text(header::RETRY_AFTER.as_str())
        .and_then(|text| digits(text).or_else(|| by_either(text)))
        .or_else(|| {
            let used_up = status == StatusCode::TOO_MANY_REQUESTS
                || text("ratelimit-remaining").is_some_and(|remaining| remaining == "0");
            let reset = text("ratelimit-reset").filter(|_| used_up)?;
            digits(reset).filter(|reset| *reset <= LONGEST)
        })
        .or_else(|| Some(Duration::from_secs(body?.get("retryAfter")?.as_u64()?)));
    wait.map(|wait| wait.min(LONGEST))
}

/// What the clock of who answers says: time since the Unix epoch.
pub(super) fn date(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    until(date.trim(), Duration::ZERO)
}

fn seconds_in(text: &str, unit: Unit, wall: Duration) -> Option<f64> {
    let count = text.parse().ok().map(|count| unit.seconds(count));
    count.or_else(|| until(text, wall).map(|duration| duration.as_secs_f64()))
}

fn digits(text: &str) -> Option<Duration> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large for u64 is still a wait.
    all.then(|| text.parse().map_or(LONGEST, Duration::from_secs))
}

/// The time from `wall` to the date `text` (an HTTP date, or RFC 3339 in UTC); zero if it is past.
fn until(text: &str, wall: Duration) -> Option<Duration> {
    let date = httpdate::parse_http_date(text)
        .ok()
        .or_else(|| humantime::parse_rfc3339_weak(text).ok())?;
    let date = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(wall))
}

/// No token is trusted, and no wait is kept, for longer than a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    const BUSY: StatusCode = StatusCode::TOO_MANY_REQUESTS;
    /// 2023-11-14T22:13:20Z.
    const WALL: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn odd_values_of_expires_in_are_read_or_taken_for_no_expiry() {
        let none = None;
        let rows = [
            (json!(3598), Some(3598.0)),
            (json!(3598.5), Some(3598.5)),
            (json!("3599"), Some(3599.0)),
            (json!(" 3599.0 "), Some(3599.0)),
            (json!("1e3"), Some(1000.0)),
            (json!(1), Some(1.0)),
            (json!(86_400), Some(86_400.0)),
            (json!(86_401), Some(86_400.0)),
            (json!(1_000_000_000_000_000_000_u64), Some(86_400.0)),
            (json!(1e300), Some(86_400.0)),
            (json!("2023-11-14T23:13:20Z"), Some(3600.0)),
            (json!("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60.0)),
            (json!("2033-01-01T00:00:00Z"), Some(86_400.0)),
            (json!("2023-11-14T22:13:19Z"), none),
            (json!(null), none),
            (json!(0), none),
            (json!(-1), none),
            (json!("-3600"), none),
            (json!("0"), none),
            (json!(""), none),
            (json!("NaN"), none),
            (json!("inf"), none),
            (json!("an hour"), none),
            (json!(true), none),
            (json!([3600]), none),
            (json!({"ttl": 3600}), none),
        ];
        let unused = Duration::from_secs(3600);
        for (value, expected) in rows {
            let expected = match expected {
                Some(seconds) => Lifetime::For(Duration::from_secs_f64(seconds)),
                None => Lifetime::UntilUnusedFor(unused),
            };
            let got = lifetime(Some(&value), Unit::Seconds, WALL, unused);
            assert_eq!(got, expected, "{value}");
        }
        assert_eq!(
            lifetime(None, Unit::Seconds, WALL, unused),
            Lifetime::UntilUnusedFor(unused)
        );
    }

    #[test]
    fn a_lifetime_may_be_counted_in_other_units_and_a_date_is_a_date() {
        let rows = [
            (json!(90_500), Unit::Milliseconds, 90.5),
            (json!("60000"), Unit::Milliseconds, 60.0),
            (json!(2), Unit::Minutes, 120.0),
            (json!("1.5"), Unit::Minutes, 90.0),
            (json!("2023-11-14T23:13:20Z"), Unit::Minutes, 3600.0),
        ];
        for (value, unit, seconds) in rows {
            let expected = Lifetime::For(Duration::from_secs_f64(seconds));
            let got = lifetime(Some(&value), unit, WALL, Duration::ZERO);
            assert_eq!(got, expected, "{value} {unit:?}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_bounded() {
        let rows = [
            ("retry-after", "120", Some(120)),
            ("retry-after", "0", Some(0)),
            ("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT", Some(60)),
            ("retry-after", "Tue, 14 Nov 2023 22:00:00 GMT", Some(0)),
            ("retry-after", "99999999999999999999999", Some(86_400)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("ratelimit-reset", "7", Some(7)),
            ("ratelimit-reset", "1700000060", None),
            ("x-else", "7", None),
        ];
        for (name, value, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let body = json!({ "retryAfter": 9 });
            let got = retry_after(BUSY, &headers, None, WALL).map(|wait| wait.as_secs());
            assert_eq!(got, expected, "{name}: {value}");
            let got = retry_after(BUSY, &headers, Some(&body), WALL).map(|wait| wait.as_secs());
            assert_eq!(got, expected.or(Some(9)), "{name}: {value}");
        }
        for odd in [
            json!([9]),
            json!({"retryAfter": -1}),
            json!({"retryAfter": "9"}),
        ] {
            assert_eq!(retry_after(BUSY, &HeaderMap::new(), Some(&odd), WALL), None);
        }
    }

    #[test]
    fn a_date_is_read_by_the_clock_of_who_writes_it() {
        let mut headers = HeaderMap::new();
        let later = HeaderValue::from_static("Wed, 15 Nov 2023 22:13:30 GMT");
        headers.insert(header::RETRY_AFTER, later);
        let wait = |headers: &HeaderMap| retry_after(BUSY, headers, None, WALL);
        assert_eq!(wait(&headers), Some(LONGEST), "a day and ten seconds");
        let now = HeaderValue::from_static("Wed, 15 Nov 2023 22:13:20 GMT");
        headers.insert(header::DATE, now);
        assert_eq!(wait(&headers), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_quota_is_waited_for_only_where_it_is_used_up() {
        let rows = [
            (BUSY, None, Some(7)),
            (BUSY, Some("9"), Some(7)),
            (StatusCode::SERVICE_UNAVAILABLE, None, None),
            (StatusCode::SERVICE_UNAVAILABLE, Some("99"), None),
            (StatusCode::SERVICE_UNAVAILABLE, Some("0"), Some(7)),
        ];
        for (status, remaining, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-reset", HeaderValue::from_static("7"));
            if let Some(remaining) = remaining {
                headers.insert("ratelimit-remaining", HeaderValue::from_static(remaining));
            }
            let wait = retry_after(status, &headers, None, WALL);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(wait, expected, "{status} {remaining:?}");
        }
    }
}
