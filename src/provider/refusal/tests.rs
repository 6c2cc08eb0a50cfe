//! Byte fixtures: refusals of token endpoints.

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::provider::login::Field;
use crate::provider::tests::{password, salesforce, secrets, zuora};
use crate::secret::Secret;

fn class_of(provider: &Provider, status: u16, body: &str) -> LoginFailure {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        wall: Duration::ZERO,
    };
    classify(provider, &secrets(provider), &answer)
}

fn what(failure: &LoginFailure) -> &'static str {
    match failure {
        LoginFailure::Refused { what, .. } => match what {
            Refused::Password => "password",
            Refused::Client => "client",
            Refused::Policy => "policy",
        },
        LoginFailure::Transient {
            retry_after: None, ..
        } => "again",
        LoginFailure::Transient { .. } => "later",
        _ => "else",
    }
}

#[test]
fn salesforce_refusals_are_told_apart_by_error_and_description() {
    for (code, text, expected) in SALESFORCE {
        let plain = serde_json::json!({"error": code, "error_description": text});
        let pretty =
            format!("{{\n  \"error_description\" : \"{text}\",\n  \"error\" : \"{code}\"\n}}");
        for body in [plain.to_string(), pretty] {
            let got = class_of(&password(), 400, &body);
            assert_eq!(what(&got), *expected, "{body}");
        }
    }
    // A gateway's, not the token endpoint's.
    for (status, expected) in [(403, "again"), (404, "again"), (400, "policy")] {
        let got = class_of(&salesforce(), status, r#"{"message":"Forbidden"}"#);
        assert_eq!(what(&got), expected, "{status}");
    }
    let busy = r#"{"error":"invalid_grant","error_description":"authentication failure"}"#;
    assert_eq!(what(&class_of(&salesforce(), 503, busy)), "again");
}

#[test]
fn zuora_refusals_are_told_apart_without_the_shape_of_oauth() {
    let rows = [
        (400, r#"{"message":"Invalid client id"}"#, "client"),
        (400, r#"{"code":"x","message":"bad request"}"#, "policy"),
        (400, r#"{"reason":"odd"}"#, "policy"),
        (401, r#"{"message":"Authentication error"}"#, "client"),
        (401, "", "client"),
        (401, r#"{"message":"Failed to get user info"}"#, "again"),
        (403, r#"{"code":1,"message":"no"}"#, "policy"),
        (403, "<html>", "again"),
        (429, "", "again"),
        (404, r#"{"error":"not_found"}"#, "again"),
        (404, r#"{"message":"no Route matched"}"#, "again"),
        (409, "{}", "again"),
        (500, r#"{"message":"x"}"#, "again"),
        (
            200,
            r#"{"success":false,"reasons":[{"code":50000070,"message":"busy"}]}"#,
            "again",
        ),
    ];
    for (status, body, expected) in rows {
        let got = class_of(&zuora(), status, body);
        assert_eq!(what(&got), expected, "{status} {body}");
    }
}

#[test]
fn the_providers_wish_to_be_left_alone_is_kept() {
    let rows = [
        (429, "", Some("30"), Some(30)),
        (503, "", Some("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60)),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"login rate exceeded"}"#,
            None,
            Some(900),
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"login rate exceeded"}"#,
            Some("1800"),
            Some(1800),
        ),
        (503, "", None, None),
    ];
    for (status, body, header, expected) in rows {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("retry-after", HeaderValue::from_static(value));
        }
        let provider = salesforce();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        let LoginFailure::Transient { retry_after, .. } =
            classify(&provider, &secrets(&provider), &answer)
        else {
            panic!("{status} {body}");
        };
        assert_eq!(retry_after.map(|wait| wait.as_secs()), expected, "{body}");
    }
}

#[test]
fn whoever_says_when_to_come_back_refuses_nothing_for_good_but_a_password_and_a_client() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("3"));
    for (code, expected) in [
        ("invalid_request", "later"),
        ("too_many_requests", "later"),
        ("invalid_client_id", "later"),
        ("invalid_client", "client"),
        ("invalid_grant", "password"),
    ] {
        let provider = password();
        let body = format!(r#"{{"error":"{code}"}}"#);
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers: &headers,
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        let got = classify(&provider, &secrets(&provider), &answer);
        assert_eq!(what(&got), expected, "{code}");
    }
}

#[test]
fn a_providers_text_is_printable_short_and_without_secrets() {
    let provider = password();
    let text_of = |description: &str| {
        let body = serde_json::json!({"error": "invalid_grant", "error_description": description});
        match class_of(&provider, 400, &body.to_string()) {
            LoginFailure::Refused { text, .. } => text,
            other => panic!("{other:?}"),
        }
    };
    let rows = [
        ("user u+1@acme.example", "user u+1@acme.example"),
        ("p+ %&=éTOKEN99 is wrong", "[secret][secret] is wrong"),
        ("p%2B+%25%26%3D%C3%A9", "[secret]"),
        ("p%2B%20%25%26%3D%C3%A9 is wrong", "[secret] is wrong"),
        ("p%2b+%25%26%3d%c3%a9 is wrong", "[secret] is wrong"),
        ("100%25 of AAAA+0000", "100%25 of AAAA+0000"),
        ("%41AAA0000", "[secret]"),
        ("secret AAAA0000", "secret [secret]"),
        ("a\nb\tc\u{1b}[31m", "a b c?[31m"),
        ("\u{202e}evil", "?evil"),
        ("grüße", "grüße"),
        (
            "assertion=eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHOSJ9.c2lnbmVkX2J5X21l, expired",
            "[secret], expired",
        ),
        (
            "Trace 0f8fad5b-d9cb-469f-A165-70867728950e of https://acme--a-long-sandbox-name.sandbox.my.salesforce.com/x1",
            "Trace 0f8fad5b-d9cb-469f-A165-70867728950e of https://acme--a-long-sandbox-name.sandbox.my.salesforce.com/x1",
        ),
    ];
    for (said, expected) in rows {
        let expected = format!("invalid_grant: {expected}");
        assert_eq!(text_of(said), expected, "{said}");
    }
    let long = text_of(&"x".repeat(5000));
    assert_eq!(long.chars().count(), 201, "{long}");
    // A secret that the cut would go through is gone before the cut.
    let edge = text_of(&format!("{}AAAA0000", "x".repeat(180)));
    assert!(!edge.contains("AAAA"), "{edge}");
    assert_eq!(
        text_of(&"AAAA0000".repeat(4000)),
        "invalid_grant: a text of 32000 bytes"
    );
}

#[test]
fn of_a_text_that_repeats_a_secret_in_another_spelling_only_the_code_is_told() {
    let provider = password();
    let mut given = secrets(&provider);
    given.insert(Field::Password, Secret::new("Zx81-Spectrum"));
    for said in [
        "bad Authorization: Basic Y2lkOlp4ODEtU3BlY3RydW0=",
        "5a7838312d53706563747275 6d",
        "murtcepS-18xZ",
        "zx81-Spec...",
        "Zx81&#45;Spec\ntrum",
    ] {
        let body = serde_json::json!({"error": "invalid_grant", "error_description": said});
        let body = body.to_string();
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        let told = classify(&provider, &given, &answer).to_string();
        assert!(told.ends_with("invalid_grant: [secret]"), "{told}");
    }
}

#[test]
fn no_password_is_refused_to_who_sends_none() {
    let body = r#"{"error":"invalid_grant","error_description":"inactive user"}"#;
    for (provider, expected) in [(password(), "password"), (salesforce(), "policy")] {
        assert_eq!(what(&class_of(&provider, 400, body)), expected);
    }
}

#[test]
fn a_refusal_is_told_without_the_tokens_that_came_with_it() {
    let mut provider = zuora();
    provider.answer.refresh_token = Some("/refresh_token".into());
    for status in [200, 400] {
        let body = r#"{"error":"odd","error_description":"A-t0ken%21, n%65xt","access_token":" A-t0ken! \n","refresh_token":"next"}"#;
        let failure = class_of(&provider, status, body);
        let told = failure.to_string();
        assert!(told.ends_with("odd: [secret], [secret]"), "{told}");
    }
}

#[test]
fn a_refusal_is_told_without_a_key_of_the_query_or_a_further_parameter() {
    let mut provider = zuora();
    let Login::Call(call) = &mut provider.login else {
        panic!("it calls an endpoint");
    };
    call.path = "/token?api_key=k-of-the%2Bquery".into();
    let app = serde_json::json!({ "key": "k-of-the-request", "scope": "all-of-it" });
    call.parameters
        .push(("app".into(), crate::provider::login::Value::Json(app)));
    let body =
        r#"{"error":"odd","error_description":"k-of-the+query, k-of-the-request, all-of-it"}"#;
    let told = class_of(&provider, 400, body).to_string();
    assert!(
        told.ends_with("odd: [secret], [secret], all-of-it"),
        "{told}"
    );
}

/// Code, description, what becomes of it. Where they come from stands at the rules themselves.
const SALESFORCE: &[(&str, &str, &str)] = &[
    ("invalid_grant", "authentication failure", "password"),
    (
        "invalid_grant",
        "authentication failure - Invalid Password",
        "password",
    ),
    ("invalid_grant", "", "password"),
    ("invalid_grant", "login rate exceeded", "later"),
    ("invalid_grant", "Login Rate Exceeded", "later"),
    ("rate_limit_exceeded", "logins exceeded", "later"),
    ("invalid_grant", "expired access/refresh token", "client"),
    (
        "invalid_grant",
        "token request is already being processed",
        "again",
    ),
    ("invalid_grant", "expired authorization code", "later"),
    ("invalid_grant", "invalid assertion", "client"),
    ("invalid_grant", "ip restricted", "policy"),
    (
        "invalid_grant",
        "ip restricted or invalid login hours",
        "policy",
    ),
    (
        "invalid_grant",
        "user hasn't approved this consumer",
        "policy",
    ),
    ("invalid_grant", "Audience validation failed", "policy"),
    ("invalid_grant", "audience is invalid", "policy"),
    (
        "invalid_grant",
        "request not supported on this domain",
        "policy",
    ),
    (
        "invalid_grant",
        "no client credentials user enabled",
        "policy",
    ),
    ("invalid_grant", "no valid scopes defined", "policy"),
    ("invalid_grant", "activation secret invalid", "policy"),
    ("invalid_client", "invalid client credentials", "client"),
    ("invalid_client_id", "client identifier invalid", "client"),
    (
        "unsupported_grant_type",
        "grant type not supported",
        "policy",
    ),
    ("invalid_request", "scope parameter not supported", "policy"),
    ("invalid_scope", "", "policy"),
    ("inactive_user", "user is inactive", "policy"),
    ("inactive_org", "organization is inactive", "later"),
    ("unknown_error", "retry your request", "again"),
];
