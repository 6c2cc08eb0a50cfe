//! What a description of an OAuth 2.0 server becomes.

use super::*;
use crate::config::carrier::Header;
use crate::config::oauth2::{Client, Fields};
use crate::message::Readings;
use crate::provider::tests::{secrets, source};
use crate::provider::{CarrierForm, login};

fn keys(token_url: (&str, &str), api_url: &str) -> OAuth2 {
    let at = |name: &str| format!("/{name}");
    OAuth2 {
        token_url: (token_url.0.parse().unwrap(), token_url.1.to_owned()),
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
    let login = ("https://a.example", "/v3/oauth/token?x=1");
    let rows = [
        ("https://a.example/v3", "/oauth/token", "login"),
        ("https://a.example/v3", "/OAuth%2ftoken", "login"),
        ("https://a.example/v3", "/oauth/tokens", "rest"),
        ("https://a.example", "/v3/oauth/token", "login"),
        ("https://a.example/v4", "/oauth/token", "rest"),
        ("https://b.example/v3", "/oauth/token", "rest"),
    ];
    for (api_url, path, expected) in rows {
        let provider = provider(&keys(login, api_url), &[]);
        let surface = provider.surface(&Readings::of(path));
        assert_eq!(surface.name, expected, "{api_url} {path}");
        assert_eq!(surface.denied.is_some(), expected == "login");
    }
}
