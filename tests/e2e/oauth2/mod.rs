//! Any OAuth 2.0 server: how a client and a grant prove themselves, dialects of requests and answers, dead tokens.

/// What token endpoints answer.
mod answers;
/// What APIs answer to dead tokens, and to tokens that live.
mod dead;

use std::time::Duration;

use serde_json::json;
use upauth::emulator::OauthClientAuth;

use crate::support::{Emulated, SecretFile};

const ME: &str = "/any/me";

/// Where things are, without a client; further keys may follow.
const ANY: &str = r#"
[upstream.any]
provider = "oauth2"
token_url = "${DEMO_OAUTH_TOKEN_URL}"
api_url = "${DEMO_OAUTH_API_URL}"
"#;

const CLIENT: &str = "client_id = \"${DEMO_OAUTH_CLIENT_ID}\"\n";
const SECRET: &str =
    "client_id = \"${DEMO_OAUTH_CLIENT_ID}\"\nclient_secret = \"${DEMO_OAUTH_CLIENT_SECRET}\"\n";
const KEY: &str = "private_key = \"${DEMO_OAUTH_PRIVATE_KEY}\"\n";
const EC_KEY: &str = "private_key = \"${DEMO_OAUTH_EC_PRIVATE_KEY}\"\nalgorithm = \"ES256\"\n";

async fn why(at: &Emulated) -> String {
    let status = at.proxy.status("any").await;
    status["why"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_in_the_way_that_is_configured_and_in_no_other() {
    let basic = |way: &str| format!("{SECRET}client_auth = \"{way}\"\n");
    let signed = |key: &str| format!("{CLIENT}{key}client_auth = \"private_key_jwt\"\n");
    let rows = [
        (SECRET.to_owned(), OauthClientAuth::Body, "body"),
        (basic("body"), OauthClientAuth::Body, "body"),
        (basic("basic"), OauthClientAuth::BasicRfc, "basic_rfc"),
        (basic("basic-raw"), OauthClientAuth::BasicRaw, "basic_raw"),
        (
            signed(KEY),
            OauthClientAuth::PrivateKeyJwt,
            "private_key_jwt",
        ),
        (
            signed(EC_KEY),
            OauthClientAuth::PrivateKeyJwt,
            "private_key_jwt",
        ),
        (
            format!("{CLIENT}client_auth = \"none\"\n"),
            OauthClientAuth::None,
            "none",
        ),
    ];
    for (more, wanted, counted) in rows {
        let at = Emulated::start(&format!("{ANY}{more}")).await;
        at.turn(|dials| dials.oauth2.request.client_auth = wanted);
        let answer = at.proxy.get(ME).await;
        assert_eq!(answer.status, 200, "{more}: {}", why(&at).await);
        assert_eq!(answer.header("x-upauth-upstream"), Some("any"));
        let counters = at.counters();
        assert_eq!(counters.client_auth[counted], 1, "{more}");
        assert_eq!(counters.grants["oauth2 client_credentials"], 1);
        assert_eq!(
            (counters.oauth2_token_requests, counters.dummy_credentials),
            (1, 0)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_encoding_of_basic_matters_and_a_refused_client_is_tried_once() {
    let at = Emulated::start(&format!("{ANY}{SECRET}client_auth = \"basic-raw\"\n")).await;
    at.turn(|dials| dials.oauth2.request.client_auth = OauthClientAuth::BasicRfc);
    for _ in 0..3 {
        let answer = at.proxy.get(ME).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
    assert!(why(&at).await.contains("invalid_client"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_used_once_and_may_be_for_another_audience() {
    for key in [KEY, EC_KEY] {
        let more = format!(
            "{CLIENT}{key}client_auth = \"private_key_jwt\"\ngrant = \"jwt_bearer\"\n\
             username = \"${{DEMO_OAUTH_USERNAME}}\"\naudience = \"https://issuer.example\"\nclient_audience = \"https://issuer.example\"\n"
        );
        let at = Emulated::start(&format!("{ANY}{more}")).await;
        at.turn(|dials| dials.oauth2.request.audience = Some("https://issuer.example".to_owned()));
        for logins in 1..=3 {
            let answer = at.proxy.get(ME).await;
            assert_eq!(answer.status, 200, "{}", why(&at).await);
            assert_eq!(answer.json()["user"], "clerk@acme.example");
            let counters = at.counters();
            assert_eq!(counters.grants["oauth2 jwt_bearer"], logins);
            assert_eq!(counters.client_auth["private_key_jwt"], logins);
            assert_eq!(counters.replayed_assertions, 0);
            at.emulator.end_sessions("oauth2");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_a_wrong_clock_signed_is_signed_again_when_the_clock_is_right() {
    let more = format!("{CLIENT}{KEY}client_auth = \"private_key_jwt\"\ntoken_wait = \"700ms\"\n");
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    let hour = Duration::from_secs(3600);
    at.emulator.advance(hour);
    at.until_told("any", ME, "invalid_client: ").await;
    // The emulator's clock goes on meanwhile.
    let why = why(&at).await;
    let told = why.contains("this machine's clock is 36") && why.contains(" s behind that of");
    assert!(told, "{why}");
    let answer = at.proxy.get(ME).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    at.set_clock_forward(hour);
    at.until_served(ME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_grant_gets_a_token() {
    let user = "username = \"${DEMO_OAUTH_USERNAME}\"\n";
    let rows = [
        (
            format!(
                "{SECRET}{user}grant = \"password\"\npassword = \"${{DEMO_OAUTH_PASSWORD}}\"\nscope = \"read\"\n"
            ),
            "oauth2 password",
        ),
        (
            format!(
                "{SECRET}grant = \"refresh_token\"\nrotates = \"never\"\nrefresh_token = \"${{DEMO_OAUTH_REFRESH_TOKEN}}\"\n"
            ),
            "oauth2 refresh_token",
        ),
        (
            format!("{CLIENT}{user}{KEY}grant = \"jwt_bearer\"\n"),
            "oauth2 jwt_bearer",
        ),
    ];
    for (more, counted) in rows {
        let at = Emulated::start(&format!("{ANY}{more}")).await;
        for logins in 1..=2 {
            let answer = at.proxy.get(ME).await;
            assert_eq!(answer.status, 200, "{more}: {}", why(&at).await);
            assert_eq!(answer.json()["user"], "clerk@acme.example");
            assert_eq!(at.counters().grants[counted], logins);
            at.emulator.end_sessions("oauth2");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_tried_again_at_once() {
    let more = format!(
        "{SECRET}grant = \"password\"\nusername = \"${{DEMO_OAUTH_USERNAME}}\"\npassword = \"hunter2 & more\"\n"
    );
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    for _ in 0..5 {
        assert_eq!(at.proxy.get(ME).await.code(), "UA-0301");
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
    // It may be a lock that ends by itself.
    assert!(at.proxy.status("any").await["next_try"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_a_dialect_of_json_has_nested_names_secrets_and_headers() {
    let (key, api_key) = (
        SecretFile::new("tenant", "t-1\n"),
        SecretFile::new("api-key", "k-1\n"),
    );
    let more = format!(
        "encode = \"json\"\nclient_auth = \"none\"\n\
         request = {{ auth = {{ client = {{ id = \"${{DEMO_OAUTH_CLIENT_ID}}\", secret = \"${{DEMO_OAUTH_CLIENT_SECRET}}\" }} }}, ttl = 3600, tenant = {} }}\n\
         token_headers = {{ X-Api-Key = {}, Accept = \"application/vnd.acme+json\" }}\n",
        key.reference(),
        api_key.reference()
    );
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    at.turn(|dials| {
        let request = &mut dials.oauth2.request;
        request.json = true;
        request.client_auth = OauthClientAuth::Body;
        for (name, place) in [
            ("client_id", "/auth/client/id"),
            ("client_secret", "/auth/client/secret"),
        ] {
            request.names.insert(name.to_owned(), place.to_owned());
        }
        request
            .required
            .insert("/tenant".to_owned(), "t-1".to_owned());
        for (name, value) in [
            ("x-api-key", "k-1"),
            ("accept", "application/vnd.acme+json"),
        ] {
            request.headers.insert(name.to_owned(), value.to_owned());
        }
    });
    assert_eq!(at.proxy.get(ME).await.status, 200, "{}", why(&at).await);
    // They are read again at each login.
    key.write("t-2\n");
    at.turn(|dials| {
        let required = &mut dials.oauth2.request.required;
        required.insert("/tenant".to_owned(), "t-2".to_owned());
    });
    at.emulator.end_sessions("oauth2");
    assert_eq!(at.proxy.get(ME).await.status, 200, "{}", why(&at).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_may_have_further_parameters_and_another_word_for_the_grant() {
    let more = format!(
        "{SECRET}request = {{ grant_type = \"odd\", resource = \"https://a.example/?x=1&y\" }}\n"
    );
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    at.turn(|dials| {
        let required = &mut dials.oauth2.request.required;
        required.insert("resource".to_owned(), "https://a.example/?x=1&y".to_owned());
        required.insert("grant_type".to_owned(), "odd".to_owned());
    });
    assert_eq!(at.proxy.get(ME).await.status, 502);
    // It came through to the grant itself.
    let told = why(&at).await;
    assert!(told.contains("unsupported_grant_type"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_travels_in_the_operators_own_header_and_callers_values_there_are_taken_off() {
    let more = format!(
        "{SECRET}header = {{ name = \"X-Api-Key\", value = \"Tok {{access_token}};v=1\" }}\n"
    );
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    at.turn(|dials| {
        dials.oauth2.header = "x-api-key".to_owned();
        dials.oauth2.prefix = "Tok ".to_owned();
    });
    let told = at
        .proxy
        .get_with(
            "/any/services/apexrest/echo?access_token=junk&a=1",
            "X-Api-Key: junk\r\nAuthorization: Bearer junk\r\n",
        )
        .await;
    // The emulated API knows no word behind the token, so the token is not one of its own.
    assert_eq!(told.status, 401);
    let more = more.replace(";v=1", "");
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    at.turn(|dials| {
        dials.oauth2.header = "x-api-key".to_owned();
        dials.oauth2.prefix = "Tok ".to_owned();
    });
    let told = at
        .proxy
        .get_with(
            "/any/services/apexrest/echo?access_token=junk&a=1",
            "X-Api-Key: junk\r\nAuthorization: Bearer junk\r\n",
        )
        .await;
    assert_eq!((told.status, &told.json()["query"]), (200, &json!("a=1")));
    assert_eq!(at.counters().dummy_credentials, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_stands_in_front_of_every_call_and_links_lead_back() {
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    for climbing in [
        "/../x",
        "/items/..%2f..%2fx",
        "/%252e%252e/x",
        "/..;/x",
        "/%u002e%u002e/x",
        "/%ef%bc%8e%ef%bc%8e/x",
        "/%f8%80%80%80%ae./x",
    ] {
        let refused = at.proxy.get(&format!("/any{climbing}")).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, "UA-0206"),
            "{climbing}"
        );
    }
    assert_eq!(at.counters().api_requests.values().sum::<u64>(), 0);
    // One that stays within goes as it came.
    let within = at.proxy.get("/any/x/../nowhere").await;
    assert_eq!(within.status, 404);
    let told = at.proxy.get("/any/items?page=2").await.json();
    assert_eq!(told["items"][0]["id"], 2);
    let missing = at.proxy.get("/any/nowhere").await;
    assert_eq!(
        (missing.status, &missing.json()["error"]),
        (404, &json!("not_found"))
    );
}
