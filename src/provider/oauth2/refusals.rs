//! [`of`]: what the errors of an OAuth 2.0 server mean for a grant, beyond RFC 6749 section 5.2.

use crate::config::oauth2::Grant;
use crate::provider::answer::DENIALS;
use crate::provider::failure::Refused;
use crate::provider::refusal::{BUSY, Class, RefusalRule};

/// `invalid_grant` is about what the grant consists of, as are other words for it where that is a refresh token; a lock-out ends only
/// where there is a password.
pub(super) fn of(grant: &Grant, sends_password: bool) -> Vec<RefusalRule> {
    let (codes, what) = match grant {
        Grant::Password { .. } => return with_password(),
        // By a name that the operator gave it.
        _ if sends_password => return with_password(),
        Grant::ClientCredentials => (&["invalid_grant"][..], Refused::Policy),
        Grant::JwtBearer { .. } => (&["invalid_grant"][..], Refused::Client),
        Grant::RefreshToken { .. } => (&DENIALS[..], Refused::Client),
    };
    let rules = codes
        .iter()
        .map(|code| RefusalRule::code(code, Class::Refused(what)));
    rules.collect()
}

/// Where a password is tried, whatever is neither a token nor known to be about something else counts as a wrong one: servers say so
/// with a code of their own or a number, in plain text, by `"ok": false`, with a page or by a redirect to one, with any status, and
/// each further try counts towards a lock-out. ServiceNow says `server_error` with a 401; who means it says it with a 5xx. Not a 404 without a code: most
/// likely the token endpoint is not there, or not yet.
fn with_password() -> Vec<RefusalRule> {
    let (client, policy) = (
        Class::Refused(Refused::Client),
        Class::Refused(Refused::Policy),
    );
    let known = [
        ("invalid_client", client),
        ("unauthorized_client", client),
        ("invalid_request", policy),
        ("invalid_scope", policy),
        ("unsupported_grant_type", policy),
    ];
    let busy = BUSY.map(|code| (code, Class::Again));
    let nowhere = RefusalRule {
        code: Some("".into()),
        pages: true,
        ..RefusalRule::status(404, Class::Again)
    };
    let anything_else = RefusalRule {
        status: None,
        code: None,
        text: None,
        pages: true,
        class: Class::Refused(Refused::Password),
    };
    let known = known.into_iter().chain(busy);
    let known = known.map(|(code, class)| RefusalRule::code(code, class));
    known.chain([nowhere, anything_else]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::config::oauth2::Parameter;
    use crate::provider::answer::{self, Answer};
    use crate::provider::oauth2::provider;
    use crate::provider::oauth2::tests::{keys, read};
    use crate::provider::tests::{secrets, source};
    use crate::provider::{LoginFailure, Provider};

    fn class(failure: &LoginFailure) -> Class {
        match failure {
            LoginFailure::Refused { what, .. } => Class::Refused(*what),
            LoginFailure::Transient { .. } => Class::Again,
            other => panic!("{other:?}"),
        }
    }

    const AGAIN: Class = Class::Again;
    const PASSWORD: Class = Class::Refused(Refused::Password);
    const CLIENT: Class = Class::Refused(Refused::Client);
    const POLICY: Class = Class::Refused(Refused::Policy);

    /// An upstream with a password, and one without.
    fn both() -> (Provider, Provider) {
        let mut keys = keys(("https://a.example", "/token"), "https://b.example");
        let other = provider(&keys, &[]);
        keys.grant = Grant::Password {
            username: source("u"),
            password: source("p"),
        };
        (provider(&keys, &[]), other)
    }

    #[test]
    fn a_password_is_one_by_whatever_name_it_is_sent() {
        for (name, is_one) in [
            ("passwd", true),
            ("userPassword", true),
            ("auth/pwd", true),
            ("api_key", false),
        ] {
            let mut keys = keys(("https://a.example", "/token"), "https://b.example");
            keys.request = vec![(name.to_owned(), Parameter::Secret(source("p")))];
            let provider = provider(&keys, &[]);
            for (status, body) in [(401, ""), (422, r#"{"message":"wrong"}"#), (400, "no")] {
                let class = class(&read(&provider, status, body));
                assert_eq!(class == PASSWORD, is_one, "{name} {status}");
            }
        }
    }

    #[test]
    fn where_a_password_is_tried_an_answer_without_a_token_counts_as_a_wrong_one() {
        // Status, body, what it is where a password is tried, and elsewhere.
        let rows = [
            (200, r#"{"ok":false}"#, PASSWORD, AGAIN),
            (200, r#"{"error":40001}"#, PASSWORD, AGAIN),
            (201, r#"{"error":40001}"#, PASSWORD, AGAIN),
            (200, r#"{"access_token":""}"#, PASSWORD, AGAIN),
            (400, "wrong password", PASSWORD, AGAIN),
            (401, "", PASSWORD, AGAIN),
            (401, "{}", PASSWORD, POLICY),
            (403, "no", PASSWORD, AGAIN),
            (400, r#"{"error":"invalid_grant"}"#, PASSWORD, POLICY),
            (400, r#"{"error":"invalid_credentials"}"#, PASSWORD, POLICY),
            (400, r#"{"error":1326}"#, PASSWORD, POLICY),
            (403, r#"{"error":"access_denied"}"#, PASSWORD, POLICY),
            (404, r#"{"error":"no_such_user"}"#, PASSWORD, AGAIN),
            (302, r#"{"error":"wrong_password"}"#, PASSWORD, AGAIN),
            (400, r#"{"error":"invalid_scope"}"#, POLICY, POLICY),
            (400, r#"{"error":"invalid_request"}"#, POLICY, POLICY),
            (401, r#"{"error":"invalid_client"}"#, CLIENT, CLIENT),
            (400, r#"{"error":"unauthorized_client"}"#, CLIENT, CLIENT),
            (200, r#"{"error":"slow_down"}"#, AGAIN, AGAIN),
            (200, r#"{"token_type":"#, AGAIN, AGAIN),
            (200, r#"{"error":"no","#, PASSWORD, AGAIN),
            (200, r#"{"error":"temporarily_unavailable"}"#, AGAIN, AGAIN),
            (401, r#"{"error":"server_error"}"#, PASSWORD, AGAIN),
            (500, r#"{"error":"server_error"}"#, AGAIN, AGAIN),
            (404, "", AGAIN, AGAIN),
            (404, r#"{"message":"no route"}"#, AGAIN, AGAIN),
            (200, "<html>", PASSWORD, AGAIN),
            (401, "<html>", PASSWORD, AGAIN),
            (403, "<error><code>no</code></error>", PASSWORD, AGAIN),
            (422, r#"{"message":"wrong"}"#, PASSWORD, AGAIN),
            (423, "locked", PASSWORD, AGAIN),
            (302, "", PASSWORD, AGAIN),
            (404, "<html>", AGAIN, AGAIN),
            (503, r#"{"error":"x"}"#, AGAIN, AGAIN),
        ];
        let (provider, other) = both();
        for (status, body, with_password, without) in rows {
            let of = |provider| class(&read(provider, status, body));
            assert_eq!(of(&provider), with_password, "{status} {body}");
            assert_eq!(of(&other), without, "{status} {body}");
        }
        for status in 200..1000 {
            let expected = match status {
                404 | 408 | 429 | 500..600 => AGAIN,
                _ => PASSWORD,
            };
            for body in ["", "no", "{}", "<html>"] {
                let read = read(&provider, status, body);
                assert_eq!(class(&read), expected, "{status} {body}");
            }
        }
    }

    #[test]
    fn the_status_over_again_is_no_code_nor_is_a_text_and_what_is_too_much_refuses_nobody() {
        let rows = [
            (404, r#"{"status":404,"error":"Not Found"}"#, AGAIN, AGAIN),
            (404, r#"{"error":"not_found"}"#, AGAIN, AGAIN),
            (404, r#"{"error":404}"#, AGAIN, AGAIN),
            (404, r#"{"error":"Realm does not exist"}"#, PASSWORD, AGAIN),
            (404, r#"{"error":"X003210: no resource"}"#, PASSWORD, AGAIN),
            (403, r#"{"error":"Forbidden"}"#, PASSWORD, AGAIN),
            (405, r#"{"error":"Method Not Allowed"}"#, PASSWORD, AGAIN),
            (401, r#"{"error":"Unauthorized"}"#, PASSWORD, POLICY),
            (400, r#"{"error":"Bad Request"}"#, PASSWORD, POLICY),
            (400, r#"{"error":"Not Found"}"#, PASSWORD, POLICY),
            (200, r#"{"error":"Access Denied"}"#, PASSWORD, POLICY),
            (400, r#"{"error":"too_many_requests"}"#, AGAIN, AGAIN),
            (403, r#"{"error":"rate_limit_exceeded"}"#, AGAIN, AGAIN),
        ];
        let (provider, other) = both();
        for (status, body, with_password, without) in rows {
            let of = |provider| class(&read(provider, status, body));
            assert_eq!(of(&provider), with_password, "{status} {body}");
            assert_eq!(of(&other), without, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_that_is_too_large_or_broke_off_is_one_unless_a_token_may_have_come_with_it() {
        let large = |begin: &str| format!("{begin}{}", " ".repeat(70_000));
        let rows = [
            (200, large("<html>"), PASSWORD),
            (200, large("\u{feff}<html>{"), PASSWORD),
            (200, large(r#"{"error":"wrong""#), PASSWORD),
            (200, large(r#"{"ok":false"#), PASSWORD),
            (200, large(r#"{"access_token":"t""#), AGAIN),
            (200, "<ht".to_owned(), PASSWORD),
            (200, String::new(), AGAIN),
            (200, r#"{"access_to"#.to_owned(), AGAIN),
            (200, "\u{feff}{\"access_to".to_owned(), AGAIN),
            (200, "\u{feff}".to_owned(), AGAIN),
            (200, "access_token=t&expi".to_owned(), AGAIN),
            (200, large("access denied"), PASSWORD),
            (200, r#"{"access_token":"t"#.to_owned(), AGAIN),
            (200, r#"{"error":"wro"#.to_owned(), PASSWORD),
            (302, String::new(), PASSWORD),
            (401, String::new(), PASSWORD),
            (401, r#"{"err"#.to_owned(), PASSWORD),
            (404, String::new(), AGAIN),
            (429, "wait".to_owned(), AGAIN),
            (503, "<html>".to_owned(), AGAIN),
        ];
        let (provider, other) = both();
        for (status, body, expected) in rows {
            let headers = &HeaderMap::new();
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: body.as_bytes(),
                wall: Duration::ZERO,
            };
            let shown = body.trim_end();
            let of = |provider: &Provider| {
                let why = LoginFailure::transient("it broke");
                class(&answer::unread(provider, &secrets(provider), &answer, why))
            };
            assert_eq!(of(&provider), expected, "{status} {shown}");
            assert_eq!(of(&other), AGAIN, "{status} {shown}");
            if status == 200 && body.len() > 70_000 {
                let read = read(&provider, status, &body);
                assert_eq!(class(&read), expected, "{status} {shown}");
            }
        }
    }
}
