//! [`heed`]: a login that is signed may be refused for the time that it states. A machine that starts before it knows the time,
//! and is told it a minute later, would stay refused.

use std::time::Duration;

use super::{Answer, Class};
use crate::provider::login::{Field, Value};
use crate::provider::{Login, Provider, expiry};

/// What an error of `class` means where that may be why, and its `text` with it.
pub(super) fn heed(
    provider: &Provider,
    answer: &Answer<'_>,
    class: Class,
    text: String,
) -> (Class, String) {
    match (class, apart(provider, answer)) {
        (Class::Refused(_) | Class::Again, Some(why)) => (Class::Again, format!("{text}; {why}")),
        _ => (class, text),
    }
}

/// By how much the clocks here and at the token endpoint differ, if that may be why. Not beside a password: who presents one
/// again and again locks its user out.
fn apart(provider: &Provider, answer: &Answer<'_>) -> Option<String> {
    let Login::Call(call) = &provider.login else {
        return None;
    };
    let mut parameters = call.parameters.iter();
    let is_signed = parameters.any(|(_, value)| matches!(value, Value::Assertion(_)));
    let mut sources = call.sources.iter();
    if !is_signed || sources.any(|(field, _)| *field == Field::Password) {
        return None;
    }
    let (here, there) = (answer.wall, expiry::date(answer.headers)?);
    let (apart, which) = match here < there {
        true => (there - here, "behind"),
        false => (here - there, "ahead of"),
    };
    (apart > CLOSE).then(|| {
        let seconds = apart.as_secs();
        format!(
            "this machine's clock is {seconds} s {which} that of the token endpoint, which may not take what is signed for it"
        )
    })
}

/// What an answer may take on its way, and servers look away from.
const CLOSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::*;
    use crate::config::salesforce::Grant;
    use crate::provider::LoginFailure;
    use crate::provider::refusal::classify;
    use crate::provider::tests::{granted_by, password, salesforce, secrets, source};

    /// 2023-11-14T22:13:20Z.
    const NOW: u64 = 1_700_000_000;

    fn signed() -> Provider {
        granted_by(Grant::JwtBearer {
            username: source("u+1@acme.example"),
            private_key: source("key"),
            audience: "https://login.salesforce.com".into(),
        })
    }

    fn refused(provider: &Provider, wall: u64, date: &'static str) -> LoginFailure {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static(date));
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers: &headers,
            body: br#"{"error":"invalid_grant","error_description":"invalid assertion"}"#,
            wall: Duration::from_secs(wall),
        };
        classify(provider, &secrets(provider), &answer)
    }

    #[test]
    fn a_signed_login_is_refused_for_good_only_where_the_clocks_agree() {
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let rows = [
            (NOW, date, None),
            (NOW + 60, date, None),
            (NOW - 60, date, None),
            (NOW - 3600, "no date", None),
            (NOW - 3600, date, Some("clock is 3600 s behind that of")),
            (NOW + 61, date, Some("clock is 61 s ahead of that of")),
            (0, date, Some("clock is 1700000000 s behind that of")),
        ];
        for (wall, date, words) in rows {
            match (refused(&signed(), wall, date), words) {
                (LoginFailure::Refused { text, .. }, None) => {
                    assert_eq!(text, "invalid_grant: invalid assertion");
                }
                (LoginFailure::Transient { text, .. }, Some(words)) => {
                    assert!(text.starts_with("invalid_grant: invalid assertion; this"));
                    assert!(text.contains(words), "{text}");
                }
                other => panic!("{wall} {date}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_signed_or_has_a_password_beside_it_is_refused_whatever_the_clock_says() {
        let mut both = password();
        let (Login::Call(with), Login::Call(from)) = (&mut both.login, signed().login) else {
            panic!("no calls");
        };
        let mut parameters = from.parameters.into_iter();
        let assertion = parameters.find(|(_, value)| matches!(value, Value::Assertion(_)));
        with.parameters.extend(assertion);
        for provider in [both, password(), salesforce()] {
            let failure = refused(&provider, NOW - 3600, "Tue, 14 Nov 2023 22:13:20 GMT");
            assert!(matches!(failure, LoginFailure::Refused { .. }), "{failure}");
        }
    }
}
