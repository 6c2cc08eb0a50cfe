//! Byte fixtures: answers of token endpoints.

mod held;
mod instances;
mod kinds;
mod odd;
mod successors;

use http::HeaderMap;

use super::*;
use crate::config::salesforce::Login;
use crate::provider::credential::{CarrierForm, Lifetime};
use crate::provider::expiry::Unit;
use crate::provider::tests::{salesforce, salesforce_keys, secrets, zilliant, zuora};
use crate::provider::{Refused, salesforce as data};
use crate::provider::{Success, TargetName, Template};

fn read_as(provider: &Provider, status: u16, body: &[u8]) -> Result<Credential, LoginFailure> {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body,
        wall: Duration::from_secs(1_700_000_000),
    };
    read(provider, &secrets(provider), &answer).map(|granted| granted.credential)
}

/// An answer to client_credentials with the fields of Salesforce's Postman collection; the values are invented.
const SALESFORCE: &str = r#"{"access_token":"00Dxx0000000001!AQ4AQFakeFakeFake_fake.0","signature":"ZmFrZXNpZ25hdHVyZQ==","scope":"api",
 "instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/00Dxx0000000001EAA/005xx000000000AAAQ",
 "token_type":"Bearer","issued_at":"1700000000000","api_instance_url":"https://api.salesforce.com"}"#;

#[test]
fn a_salesforce_answer_brings_token_and_instance() {
    let credential = read_as(&salesforce(), 200, SALESFORCE.as_bytes()).unwrap();
    let bearer = credential.value(CarrierForm::Bearer);
    assert_eq!(bearer, "Bearer 00Dxx0000000001!AQ4AQFakeFakeFake_fake.0");
    assert!(bearer.is_sensitive());
    let base = credential.target(TargetName::Instance).unwrap();
    assert_eq!(base.origin.to_string(), "https://acme.my.salesforce.com");
    assert_eq!(base.allowed, Allowed::Exactly, "the origin of login_url");
    assert_eq!(
        credential.lifetime(),
        Lifetime::UntilUnusedFor(Duration::from_secs(7200))
    );
}

#[test]
fn a_byte_order_mark_is_read_over_and_an_empty_token_is_none() {
    let marked = format!("\u{feff}{SALESFORCE}");
    assert!(read_as(&salesforce(), 200, marked.as_bytes()).is_ok());
    for token in ["", "\r\n"] {
        let body = SALESFORCE.replace(
            "00Dxx0000000001!AQ4AQFakeFakeFake_fake.0",
            &token.escape_default().to_string(),
        );
        let failure = read_as(&salesforce(), 200, body.as_bytes()).unwrap_err();
        assert!(failure.to_string().contains("holds no token"), "{failure}");
    }
}

#[test]
fn the_zilliant_header_is_the_base64_of_the_exact_bytes() {
    // Computed apart from this code, not recorded.
    let body = r#"{"access_token":"00Dxx0000000001!AQ4AQFakeFakeFake_fake.0","instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/00Dxx0000000001EAA/005xx000000000AAAQ","token_type":"Bearer","issued_at":"1700000000000","signature":"ZmFrZXNpZ25hdHVyZQ=="}"#;
    assert_eq!(body.len(), 269);
    let credential = read_as(&zilliant(), 200, body.as_bytes()).unwrap();
    assert_eq!(
        credential.value(CarrierForm::OAuthBase64),
        "OAuth eyJhY2Nlc3NfdG9rZW4iOiIwMER4eDAwMDAwMDAwMDEhQVE0QVFGYWtlRmFrZUZha2VfZmFrZS4wIiwiaW5zdGFuY2VfdXJsIjoiaHR0cHM6Ly9hY21lLm15LnNhbGVzZm9yY2UuY29tIiwiaWQiOiJodHRwczovL2xvZ2luLnNhbGVzZm9yY2UuY29tL2lkLzAwRHh4MDAwMDAwMDAwMUVBQS8wMDV4eDAwMDAwMDAwMEFBQVEiLCJ0b2tlbl90eXBlIjoiQmVhcmVyIiwiaXNzdWVkX2F0IjoiMTcwMDAwMDAwMDAwMCIsInNpZ25hdHVyZSI6IlptRnJaWE5wWjI1aGRIVnlaUT09In0="
    );
    assert!(credential.target(TargetName::Instance).is_none());
    let spaced = body.replace(',', " ,\n");
    let spaced = read_as(&zilliant(), 200, spaced.as_bytes()).unwrap();
    assert!(spaced.value(CarrierForm::OAuthBase64) != credential.value(CarrierForm::OAuthBase64));
}

#[test]
fn a_zuora_answer_brings_token_and_lifetime() {
    let body = br#"{"access_token":"6d151216faketokenfake","token_type":"bearer","expires_in":3598,
        "scope":"entity.1a2b7a37-fake platform.write","jti":"6fake151216"}"#;
    let credential = read_as(&zuora(), 200, body).unwrap();
    assert_eq!(
        credential.value(CarrierForm::Bearer),
        "Bearer 6d151216faketokenfake"
    );
    assert_eq!(
        credential.lifetime(),
        Lifetime::For(Duration::from_secs(3598))
    );
    assert!(credential.target(TargetName::Instance).is_none());
}

#[test]
fn an_answer_that_is_no_answer_is_transient_and_never_shown() {
    let long = format!(
        r#"{{"access_token":"{}","instance_url":"x"}}"#,
        "t".repeat(65_536)
    );
    let deep = [r#"{"access_token":"#, &"[".repeat(100_000)].concat();
    let rows = [
        (200, &b""[..]),
        (204, b""),
        (200, b"<!DOCTYPE html><title>Maintenance canary</title>"),
        (200, b"\xef\xbb\xbf{\"access_token\":\"canary\"}"),
        (
            200,
            br#"{"access_token":"canary","instance_url":"https://acme"#,
        ),
        (200, br#"{"access_token":"canary"}"#),
        (200, br#"{"access_token":17,"canary":1}"#),
        (200, br#"{"access_token":null,"canary":1}"#),
        (200, br#"["canary"]"#),
        (200, b"access_token=canary"),
        (200, long.as_bytes()),
        (200, deep.as_bytes()),
        (302, b"canary"),
        (307, br#"{"canary":1}"#),
        (502, b"<html>canary</html>"),
        (503, b""),
        (429, b""),
    ];
    for (status, body) in rows {
        let got = read_as(&salesforce(), status, body).map(|_| ());
        let shown = format!("{got:?}");
        assert!(
            matches!(got, Err(LoginFailure::Transient { .. })) && !shown.contains("canary"),
            "{status}: {shown}"
        );
    }
}

#[test]
fn of_a_refused_instance_neither_the_token_nor_a_password_is_shown() {
    let rows = [
        ("https://evil.example", "https://evil.example"),
        ("https://evil.example/x?sid=t0ken", "https://evil.example/x"),
        ("https://evil.example/#t0ken", "https://evil.example/"),
        ("https://u:canary@evil.example", "https://evil.example"),
        ("t0ken", "[secret]"),
    ];
    for (url, expected) in rows {
        let json = serde_json::json!({"access_token": "t0ken", "instance_url": url});
        let got = read_as(&salesforce(), 200, json.to_string().as_bytes());
        let host = expected.to_owned();
        let why = Strange::NotAllowed;
        assert_eq!(got.unwrap_err(), LoginFailure::TargetRefused { host, why });
    }
}

#[test]
fn no_beginning_of_an_answer_is_an_answer() {
    for end in 0..SALESFORCE.len() {
        let got = read_as(&salesforce(), 200, &SALESFORCE.as_bytes()[..end]).map(|_| ());
        let shown = format!("{got:?}");
        assert!(
            matches!(got, Err(LoginFailure::Transient { .. })) && !shown.contains("00Dxx"),
            "{end}: {shown}"
        );
    }
}

#[test]
fn a_200_with_an_error_is_a_refusal() {
    let body = br#"{"error":"invalid_client","error_description":"invalid client credentials","access_token":"t0ken"}"#;
    let expected = LoginFailure::Refused {
        what: Refused::Client,
        text: "invalid_client: invalid client credentials".to_owned(),
    };
    assert_eq!(read_as(&salesforce(), 200, body).unwrap_err(), expected);
    let null = br#"{"error":null,"access_token":"t","instance_url":"https://a.my.salesforce.com"}"#;
    assert!(read_as(&salesforce(), 200, null).is_ok());
}

#[test]
fn a_token_that_no_header_carries_is_refused_but_for_a_newline_at_its_end() {
    let rows = [
        ("t", true),
        ("t!._-", true),
        ("t\r\n", true),
        ("t\nX: y", false),
        ("t\0", false),
        ("t t", false),
        ("t\u{e9}", false),
        ("\n", false),
        ("", false),
    ];
    for (token, expected) in rows {
        let json = serde_json::json!({
            "access_token": token, "instance_url": "https://a.my.salesforce.com"
        });
        let got = read_as(&salesforce(), 200, json.to_string().as_bytes());
        assert_eq!(got.is_ok(), expected, "{token:?}");
    }
    let huge = serde_json::json!({
        "access_token": "t".repeat(4096), "instance_url": "https://a.my.salesforce.com"
    });
    assert!(read_as(&salesforce(), 200, huge.to_string().as_bytes()).is_ok());
}

#[test]
fn an_answer_is_read_where_the_map_says_and_made_into_the_operators_own_headers() {
    let mut provider = zuora();
    provider.answer.token = "/data/token".into();
    provider.answer.expires_in = "/data/ttl".into();
    provider.answer.unit = Unit::Milliseconds;
    provider.answer.refresh_token = Some("/data/next".into());
    provider.answer.success = Some(Success {
        place: "/ok".into(),
        equals: "true".to_owned(),
    });
    provider.answer.templates = vec![Template {
        before: "Tok ".to_owned(),
        after: ";v=1".to_owned(),
    }];
    let headers = HeaderMap::new();
    let read = |body: &str| {
        let answer = Answer {
            status: StatusCode::OK,
            headers: &headers,
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        read(&provider, &secrets(&provider), &answer)
    };
    let granted = read(r#"{"ok":true,"data":{"token":"t1","ttl":"90500","next":"r2"}}"#).unwrap();
    let value = granted.credential.value(CarrierForm::Template(0));
    assert_eq!(value, "Tok t1;v=1");
    assert!(value.is_sensitive());
    let lifetime = Lifetime::For(Duration::from_millis(90_500));
    assert_eq!(granted.credential.lifetime(), lifetime);
    assert_eq!(granted.refresh_token.unwrap().expose(), "r2");
    let granted = read(r#"{"ok":"true","data":{"token":"t1","next":""}}"#).unwrap();
    assert!(granted.refresh_token.is_none(), "the old one stays");
    for body in [
        r#"{"ok":false,"data":{"token":"t1"}}"#,
        r#"{"ok":1,"data":{"token":"t1"}}"#,
        r#"{"data":{"token":"t1"}}"#,
    ] {
        assert!(read(body).is_err(), "{body}");
    }
}

#[test]
fn an_answer_may_have_64_kib_and_no_more() {
    let of_size = |size: usize| SALESFORCE.to_owned() + &" ".repeat(size - SALESFORCE.len());
    let read = |size| read_as(&salesforce(), 200, of_size(size).as_bytes());
    assert!(read(TOKEN_ANSWER_MAX).is_ok());
    let failure = read(TOKEN_ANSWER_MAX + 1).unwrap_err();
    assert!(failure.to_string().contains("larger"), "{failure}");
}

#[test]
fn success_is_told_by_a_text_a_number_or_a_truth_as_it_is_written() {
    let rows = [
        ("0", r#"{"ok":0}"#, true),
        ("0", r#"{"ok":"0"}"#, true),
        ("0", r#"{"ok":10}"#, false),
        ("true", r#"{"ok":true}"#, true),
        ("true", r#"{"ok":[true]}"#, false),
        ("null", r#"{"ok":null}"#, false),
    ];
    for (equals, body, expected) in rows {
        let success = Success {
            place: "/ok".into(),
            equals: equals.to_owned(),
        };
        let json = serde_json::from_str(body).unwrap();
        assert_eq!(success.passes(&json), expected, "{equals} {body}");
    }
}

#[test]
fn a_form_is_read_as_an_answer_where_the_content_type_says_so() {
    let form = "access_token=t%2Bk&expires_in=90&token_type=bearer";
    let rows = [
        (
            "application/x-www-form-urlencoded; charset=utf-8",
            form,
            Some("t+k"),
        ),
        ("text/plain", form, Some("t+k")),
        (
            "text/plain",
            r#"{"access_token":"t+k","expires_in":"90"}"#,
            Some("t+k"),
        ),
        ("text/html", form, None),
        ("text/plain", "please access_token=t", None),
        ("application/json", form, None),
        ("", form, Some("t+k")),
        ("", "error=invalid_client", None),
    ];
    for (kind, body, expected) in rows {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        let answer = Answer {
            status: StatusCode::OK,
            headers: &headers,
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        let granted = read(&zuora(), &secrets(&zuora()), &answer).ok();
        let token = granted.map(|granted| {
            let lifetime = granted.credential.lifetime();
            assert_eq!(
                lifetime,
                Lifetime::For(Duration::from_secs(90)),
                "{kind} {body}"
            );
            granted.credential.value(CarrierForm::Token).clone()
        });
        assert_eq!(
            token.as_ref().map(|token| token.to_str().unwrap()),
            expected,
            "{kind} {body}"
        );
    }
}
