//! Salesforce's grants that need a key or a refresh token, and the identity document.

use std::time::Duration;

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RsaKeyPair;
use serde_json::{Value, json};

use super::{
    CLIENT_ID, CLIENT_SECRET, Emulator, FORM, Reply, USERNAME, bearer, call, emulator, form, keys,
    signing, token_request,
};
use crate::emulator::Settings;

/// Signed with RS256 by the emulator's own key, or by another.
fn signed(header: &Value, claims: &Value, other: Option<&RsaKeyPair>) -> String {
    let own = signing::rsa();
    signing::rs256(header, claims, other.unwrap_or(&own))
}

const NOW: u64 = 1_700_000_000;

async fn emulator_at_now() -> Emulator {
    let settings = Settings {
        began: Some(Duration::from_secs(NOW)),
        ..Settings::default()
    };
    Emulator::start(settings).await.unwrap()
}

fn claims(emulator: &Emulator) -> Value {
    let audience = format!("http://{}", emulator.login());
    json!({ "iss": CLIENT_ID, "sub": USERNAME, "aud": audience, "exp": NOW + 180 })
}

async fn with_assertion(emulator: &Emulator, assertion: &str) -> Reply {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let body = form(&[("grant_type", grant), ("assertion", assertion)]);
    token_request(emulator.login(), &body).await
}

fn refresh_form(token: &str) -> String {
    form(&[
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("refresh_token", token),
    ])
}

async fn refresh(emulator: &Emulator, token: &str) -> Reply {
    token_request(emulator.login(), &refresh_form(token)).await
}

fn fields(reply: &Reply) -> String {
    let told = reply.json();
    let names: Vec<&str> = told
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.join(" ")
}

async fn is_alive(emulator: &Emulator, token: &str) -> bool {
    let line = "GET /services/data/v59.0/limits";
    let reply = call(emulator.instance(), line, &bearer(token), b"").await;
    reply.status == 200
}

#[tokio::test]
async fn an_assertion_logs_in_the_user_it_names() {
    let emulator = emulator_at_now().await;
    let alg = json!({ "alg": "RS256" });
    let reply = with_assertion(&emulator, &signed(&alg, &claims(&emulator), None)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        fields(&reply),
        "access_token id instance_url scope token_type"
    );
    assert!(is_alive(&emulator, &reply.field("access_token")).await);
    // An assertion is good as often as it is sent.
    let same = signed(&alg, &claims(&emulator), None);
    assert_eq!(with_assertion(&emulator, &same).await.status, 200);
    assert_eq!(with_assertion(&emulator, &same).await.status, 200);
    let counters = emulator.counters();
    assert_eq!(counters.grants["salesforce jwt_bearer"], 3);
    assert_eq!(counters.logins[USERNAME], 3);
}

#[tokio::test]
async fn wrong_assertions_are_refused_in_the_words_of_the_catalogue() {
    let emulator = emulator_at_now().await;
    let alg = json!({ "alg": "RS256" });
    let check = async |claim: &str, value: Value, description: &str| {
        let mut claims = claims(&emulator);
        claims[claim] = value;
        let reply = with_assertion(&emulator, &signed(&alg, &claims, None)).await;
        if description.is_empty() {
            assert_eq!(reply.status, 200, "{claims} {}", reply.text());
            return;
        }
        assert_eq!(reply.status, 400, "{claims}");
        assert_eq!(reply.field("error_description"), description, "{claims}");
    };
    let audience = "Audience validation failed";
    check("aud", json!("https://elsewhere.example"), audience).await;
    check("aud", json!(null), audience).await;
    check(
        "aud",
        json!(format!("http://{}", emulator.generic_login())),
        "",
    )
    .await;
    check("aud", json!(emulator.login().to_string()), "").await;
    check("iss", json!("3MVG9other"), "client identifier invalid").await;
    check(
        "sub",
        json!("nobody@acme.example"),
        "user hasn't approved this consumer",
    )
    .await;
    check(
        "prn",
        json!("nobody@acme.example"),
        "user hasn't approved this consumer",
    )
    .await;
    let expired = "expired authorization code";
    check("exp", json!(NOW - 181), expired).await;
    check("exp", json!(null), expired).await;
    check("exp", json!(NOW + 3600), "").await;
    check("exp", json!((NOW + 180).to_string()), "").await;
    check("exp", json!((NOW + 180) * 1000), "").await;
    emulator.knobs().turn(|dials| dials.login.strict_exp = true);
    check("exp", json!(NOW + 180), "").await;
    check("exp", json!(NOW + 3600), expired).await;
    check("exp", json!((NOW + 180).to_string()), expired).await;
    check("exp", json!((NOW + 180) * 1000), expired).await;
    check("aud", json!(emulator.login().to_string()), audience).await;
}

#[tokio::test]
async fn an_assertion_must_be_signed_by_the_registered_key() {
    let emulator = emulator_at_now().await;
    let (alg, claims) = (json!({ "alg": "RS256" }), claims(&emulator));
    let invalid = r#"{"error":"invalid_grant","error_description":"invalid assertion"}"#;
    let check = async |assertion: &str| {
        let reply = with_assertion(&emulator, assertion).await;
        assert_eq!((reply.status, reply.text()), (400, invalid), "{assertion}");
    };
    let good = signed(&alg, &claims, None);
    check(&format!("{good}=")).await;
    check(good.rsplit_once('.').unwrap().0).await;
    check("gibberish").await;
    check(&signed(&json!({ "alg": "none" }), &claims, None)).await;
    let strange = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let by_stranger = signed(&alg, &claims, Some(&strange));
    check(&by_stranger).await;
    let altered = signed(&alg, &json!({ "iss": CLIENT_ID }), None);
    let (_, signature) = altered.rsplit_once('.').unwrap();
    check(&format!("{}.{signature}", good.rsplit_once('.').unwrap().0)).await;

    let public = keys::pem_of(&strange);
    emulator
        .knobs()
        .turn(|dials| dials.login.public_key = Some(public));
    assert_eq!(with_assertion(&emulator, &by_stranger).await.status, 200);
    check(&good).await;
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays_as_it_is() {
    let emulator = emulator().await;
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    for _ in 0..2 {
        let reply = refresh(&emulator, &first).await;
        let expected = "access_token id instance_url issued_at scope signature token_type";
        assert_eq!(fields(&reply), expected);
        assert!(is_alive(&emulator, &reply.field("access_token")).await);
    }
    let dead = r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#;
    let check = async |body: &str, told: &str| {
        let reply = token_request(emulator.login(), body).await;
        assert_eq!((reply.status, reply.text()), (400, told), "{body}");
    };
    check(&refresh_form("unknown"), dead).await;
    let wrong = refresh_form(&first).replace("DECAF", "C0FFE");
    let bad_client =
        r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;
    check(&wrong, bad_client).await;
    let reply = token_request(emulator.generic_login(), &refresh_form(&first)).await;
    assert_eq!(
        reply.text(),
        dead,
        "another host than the one that issued it"
    );
    assert_eq!(
        emulator.revoke_refresh_tokens("salesforce"),
        2,
        "this and the seed"
    );
    check(&refresh_form(&first), dead).await;
    assert_eq!(emulator.counters().live, 0);
}

#[tokio::test]
async fn with_rotation_a_token_that_was_rotated_out_takes_all_others_with_it() {
    let emulator = emulator().await;
    emulator.knobs().turn(|dials| dials.login.rotation = true);
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    let reply = refresh(&emulator, &first).await;
    let (second, old_session) = (reply.field("refresh_token"), reply.field("access_token"));
    let reply = refresh(&emulator, &second).await;
    let (third, session) = (reply.field("refresh_token"), reply.field("access_token"));
    assert!(is_alive(&emulator, &session).await && is_alive(&emulator, &old_session).await);

    let reply = refresh(&emulator, &first).await;
    assert_eq!(
        reply.field("error_description"),
        "expired access/refresh token"
    );
    assert_eq!(refresh(&emulator, &third).await.status, 400);
    assert!(!is_alive(&emulator, &session).await && !is_alive(&emulator, &old_session).await);
    let counters = emulator.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.revoked_families),
        (1, 1)
    );
    assert_eq!(counters.grants["salesforce refresh_token"], 2);
}

#[tokio::test]
async fn a_refresh_token_that_is_being_redeemed_is_not_redeemed_twice() {
    let emulator = emulator().await;
    emulator.knobs().turn(|dials| {
        dials.login.rotation = true;
        // Before the token is spent, and after it.
        dials.login.delay_ms = 100;
        dials.login.after.hold_ms = 100;
    });
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    let replies = tokio::join!(refresh(&emulator, &first), refresh(&emulator, &first));
    let mut replies = [replies.0, replies.1];
    replies.sort_by_key(|reply| reply.status);
    let busy = r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#;
    assert_eq!((replies[1].status, replies[1].text()), (400, busy));
    let next = replies[0].field("refresh_token");
    assert_eq!(
        refresh(&emulator, &next).await.status,
        200,
        "nothing was revoked"
    );
}

#[tokio::test]
async fn a_configuration_starts_with_the_same_refresh_token_at_every_call() {
    let emulator = emulator().await;
    let variables = emulator.variables();
    assert_eq!(variables, emulator.variables());
    let seed = variables
        .iter()
        .find(|(name, _)| name == "DEMO_CRM_REFRESH_TOKEN");
    assert_eq!(refresh(&emulator, &seed.unwrap().1).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_can_be_revoked() {
    let emulator = emulator().await;
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    let session = refresh(&emulator, &first).await.field("access_token");
    let body = form(&[("token", &first)]);
    let line = "POST /services/oauth2/revoke";
    let reply = call(emulator.login(), line, FORM, body.as_bytes()).await;
    assert_eq!((reply.status, reply.text()), (200, ""));
    assert!(!is_alive(&emulator, &session).await);
    assert_eq!(refresh(&emulator, &first).await.status, 400);
}

#[tokio::test]
async fn tokens_may_be_jwts_that_do_not_slide() {
    let emulator = emulator().await;
    emulator.knobs().turn(|dials| dials.answer.jwt_token = true);
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    let reply = refresh(&emulator, &first).await;
    let token = reply.field("access_token");
    assert_eq!(
        (
            token.split('.').count(),
            reply.field("token_format").as_str()
        ),
        (3, "jwt")
    );
    emulator.advance(Duration::from_secs(20 * 60));
    assert!(is_alive(&emulator, &token).await);
    emulator.advance(Duration::from_secs(10 * 60));
    assert!(!is_alive(&emulator, &token).await);
}

#[tokio::test]
async fn the_identity_document_is_full_of_absolute_addresses() {
    let emulator = emulator().await;
    let first = emulator.mint_refresh_token("salesforce").unwrap();
    let reply = refresh(&emulator, &first).await;
    let good = bearer(&reply.field("access_token"));
    let root = call(emulator.instance(), "GET /services/data/v59.0/", &good, b"").await;
    let identity = reply.field("id");
    assert_eq!(root.field("identity"), identity);
    let login = format!("http://{}", emulator.login());
    let path = identity.strip_prefix(&login).unwrap();
    let document = call(emulator.login(), &format!("GET {path}"), &good, b"")
        .await
        .json();
    let rest = format!("http://{}/services/data/v{{version}}/", emulator.instance());
    assert_eq!(document["urls"]["rest"], rest);
    assert_eq!(
        document["urls"]["custom_domain"],
        format!("http://{}", emulator.instance())
    );
    let urls = document["urls"].as_object().unwrap();
    assert!(
        urls.values()
            .all(|url| url.as_str().unwrap().starts_with("http://"))
    );
    let line = "GET /services/oauth2/userinfo";
    let userinfo = call(emulator.instance(), line, &good, b"").await.json();
    assert_eq!(userinfo["urls"], document["urls"]);
}
