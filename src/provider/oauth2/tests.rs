//! What a description of an OAuth 2.0 server becomes.

use http::{HeaderMap, StatusCode};

use super::*;
use crate::config::Rotates;
use crate::config::carrier::Header;
use crate::config::oauth2::{Client, Fields};
use crate::config::salesforce::Grant as Salesforce;
use crate::message::Readings;
use crate::provider::answer::{self, Answer};
use crate::provider::tests::{granted_by, secrets, source, upstream};
use crate::provider::{CarrierForm, LoginFailure, Refused, login};
use crate::secret::Secret;

pub(super) fn keys(token_url: (&str, &str), api_url: &str) -> OAuth2 {
    let at = |name: &str| format!("/{name}");
    OAuth2 {
        token_url: (token_url.0.parse().unwrap(), token_url.1.to_owned().into()),
        target: Target::Api(api_url.parse().unwrap()),
        client: Client {
            id: Some(source("id")),
            proof: Proof::Basic {
                secret: source("s+t"),
                encoded: true,
            },
            signing: None,
        },
        grant: Grant::ClientCredentials,
        scope: Some("a b".to_owned()),
        audience: None,
        encode: config::Encode::Form,
        request: vec![(
            "grant_type".to_owned(),
            Parameter::Given(Scalar::Text("odd".to_owned())),
        )],
        token_headers: vec![],
        fields: Fields {
            access_token: at("access_token"),
            expires_in: at("expires_in"),
            unit: config::Unit::Seconds,
            refresh_token: at("refresh_token"),
            error: at("error"),
            error_description: at("error_description"),
        },
        success: None,
        dead_session: vec![],
        header: vec![Header::Bearer],
        session_timeout: std::time::Duration::from_secs(7200),
    }
}

#[test]
fn a_client_that_travels_in_basic_does_not_travel_in_the_body_and_a_grant_may_be_renamed() {
    let provider = provider(
        &keys(("https://a.example", "/token"), "https://b.example"),
        &[],
    );
    let Login::Call(call) = &provider.login else {
        panic!("{provider:?}")
    };
    let moment = login::Moment {
        wall: std::time::Duration::ZERO,
        unique: String::new(),
    };
    let request = login::request(call, &secrets(&provider), &moment).unwrap();
    assert_eq!(request.body, "scope=a+b&grant_type=odd");
    assert_eq!(
        request.headers[http::header::AUTHORIZATION],
        "Basic aWQ6cyUyQnQ="
    );
    assert_eq!(provider.rest.carriers[0].form, CarrierForm::Bearer);
}

#[test]
fn a_token_endpoint_that_is_a_call_of_the_api_is_a_login() {
    let token = "/v3/oauth/token?x=1";
    let rows = [
        ("https://a.example/v3", "/oauth/token", "login"),
        ("https://a.example/v3", "/oauth/token/x", "rest"),
        ("https://a.example/v3", "/OAuth%2ftoken", "login"),
        ("https://a.example/v3", "/oauth/tokens", "rest"),
        ("https://a.example", "/v3/oauth/token", "login"),
        ("https://a.example/v4", "/oauth/token", "rest"),
        ("https://b.example/v3", "/oauth/token", "rest"),
    ];
    let rows = rows.map(|(api_url, path, expected)| (token, api_url, path, expected));
    // A script has paths of its own behind it; a root is no name.
    let others = [
        ("/token.php", "https://a.example", "/token.php/x", "login"),
        ("/token.php", "https://a.example", "/tokens", "rest"),
        ("/v1.0", "https://a.example", "/v1.0/x", "rest"),
        ("/", "https://a.example", "/", "login"),
        ("/", "https://a.example", "/x", "rest"),
        ("/v3", "https://a.example/v3", "/", "login"),
        ("/v3", "https://a.example/v3", "/x", "rest"),
        // However it is written, and however servers read that.
        ("/a%20b/tok%65n", "https://a.example", "/a b/token", "login"),
        ("/a%2Fb/token", "https://a.example/a/b", "/token", "login"),
        ("/a;v=1/token", "https://a.example", "/a/token", "login"),
        ("/a;v=1/token", "https://a.example", "/a;v=2/token", "login"),
        ("/a//token/", "https://a.example", "/a/token", "login"),
        ("/a//token/", "https://a.example", "/a//token", "login"),
        ("/a/../token", "https://a.example", "/token", "login"),
        ("/v3/../token", "https://a.example/v3", "/../token", "login"),
        (
            "/token.php;x=1",
            "https://a.example",
            "/token.php/x",
            "login",
        ),
        (
            "/token(v='*')",
            "https://a.example",
            "/token(v='*')",
            "login",
        ),
        (
            "/token(v='*')",
            "https://a.example",
            "/token(v='1')",
            "rest",
        ),
        (
            "/v3-old/token",
            "https://a.example/v3",
            "-old/token",
            "rest",
        ),
    ];
    for (token, api_url, path, expected) in rows.into_iter().chain(others) {
        let provider = provider(&keys(("https://a.example", token), api_url), &[]);
        let surface = provider.surface(&Readings::of(path));
        assert_eq!(surface.name, expected, "{api_url} {path}");
        assert_eq!(surface.denied.is_some(), expected == "login");
    }
}

#[test]
fn debug_shows_no_query_of_a_token_endpoint_and_no_parameter_that_was_given() {
    let mut keys = keys(
        ("https://a.example", "/token?key=hunter2"),
        "https://b.example",
    );
    let given = || Scalar::Text("hunter2".to_owned());
    keys.request = vec![
        ("one".to_owned(), Parameter::Given(given())),
        ("two".to_owned(), Parameter::List(vec![given()])),
    ];
    keys.client.proof = Proof::PrivateKeyJwt {
        audience: "https://a.example/token?key=hunter2".into(),
    };
    let provider = provider(&keys, &[]);
    let Login::Call(call) = &provider.login else {
        panic!("{provider:?}")
    };
    let moment = login::Moment {
        wall: std::time::Duration::ZERO,
        unique: String::new(),
    };
    let mut secrets = secrets(&provider);
    let key = include_str!("../../../tests/keys/rsa.pem");
    secrets.insert(Field::PrivateKey, Secret::new(key));
    let request = login::request(call, &secrets, &moment).unwrap();
    let shown = format!("{keys:?} {provider:?} {request:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // What tells accounts apart is not what is shown.
    let asks = provider.kept_as();
    let all = asks.iter().map(|part| part.matches("hunter2").count());
    assert_eq!(all.sum::<usize>(), 4, "{asks:?}");
}

#[test]
fn upstreams_whose_token_endpoints_differ_in_the_query_share_no_token() {
    let of = |path| {
        let keys = keys(("https://a.example", path), "https://b.example");
        let upstream = upstream(crate::config::Provider::OAuth2(Box::new(keys)));
        let provider = Provider::of(&upstream);
        (provider.account(&upstream), provider.kept_as())
    };
    let (one, other) = (of("/token?tenant=a"), of("/token?tenant=b"));
    assert_eq!(of("/token?tenant=a"), one);
    assert!(one.0 != other.0 && one.1 != other.1);
}

/// Whether this answer denies the refresh token that was presented, so that another one may be.
fn denies(provider: &Provider, status: u16, body: &str) -> bool {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        wall: std::time::Duration::ZERO,
    };
    let refused = matches!(
        read(provider, status, body),
        LoginFailure::Refused {
            what: Refused::Client,
            ..
        }
    );
    refused && answer::denies_token(provider, &answer)
}

#[test]
fn what_is_said_of_a_refresh_token_denies_it_and_what_is_said_of_something_else_or_for_now_does_not()
 {
    let mut keys = keys(("https://a.example", "/token"), "https://b.example");
    keys.grant = Grant::RefreshToken {
        refresh_token: source("r"),
        rotates: Rotates::Auto,
    };
    let provider = provider(&keys, &[]);
    for (codes, some) in [
        (&answer::DENIALS[..], true),
        (&["invalid_client", "invalid_scope", "slow_down", ""], false),
    ] {
        for code in codes {
            let body = format!(r#"{{"error":"{code}"}}"#);
            for status in [200, 400, 401, 403, 404] {
                assert_eq!(denies(&provider, status, &body), some, "{status} {body}");
            }
            for status in [302, 408, 429, 500, 503] {
                assert!(!denies(&provider, status, &body), "{status} {body}");
            }
        }
    }
    for (beside, expected) in [
        (r#""access_token":null,"refresh_token":null"#, true),
        (r#""access_token":"","refresh_token":"""#, true),
        (r#""access_token":"null""#, true),
        (r#""access_token":"t1""#, false),
        (r#""access_token":{}"#, false),
        (r#""access_token":"","refresh_token":"r2""#, false),
    ] {
        let body = format!(r#"{{"error":"invalid_grant",{beside}}}"#);
        for status in [200, 400] {
            assert_eq!(
                denies(&provider, status, &body),
                expected,
                "{status} {body}"
            );
        }
    }
    assert!(denies(&provider, 400, "error=invalid_grant"));
    assert!(!denies(&provider, 400, "an error=invalid_grant"));
    assert!(!denies(&provider, 400, "<html>invalid_grant"));
}

#[test]
fn a_refusal_that_salesforce_may_take_back_by_itself_denies_no_refresh_token() {
    let provider = granted_by(Salesforce::RefreshToken {
        refresh_token: source("r"),
        client_secret: None,
        rotates: Rotates::Auto,
    });
    for (description, expected) in [
        ("expired access/refresh token", true),
        ("authentication failure", false),
        ("token request is already being processed", false),
        ("login rate exceeded", false),
        ("expired authorization code", false),
        ("retry your request", false),
        ("ip restricted", false),
    ] {
        let body = format!(r#"{{"error":"invalid_grant","error_description":"{description}"}}"#);
        assert_eq!(denies(&provider, 400, &body), expected, "{body}");
    }
}

pub(super) fn read(provider: &Provider, status: u16, body: &str) -> LoginFailure {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        wall: std::time::Duration::ZERO,
    };
    answer::read(provider, &secrets(provider), &answer).unwrap_err()
}
