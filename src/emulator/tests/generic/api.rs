//! The API that takes the server's tokens.

use super::{Duration, ME, OauthDead, bearer, call, emulator, machine};

#[tokio::test]
async fn a_dead_token_is_reported_as_the_dial_says() {
    let emulator = emulator().await;
    let check = async |dead: OauthDead, status: u16, challenge: Option<&str>, body: &str| {
        emulator.knobs().turn(|dials| dials.oauth2.dead = dead);
        let reply = call(emulator.oauth_api(), ME, &bearer("dead"), b"").await;
        assert_eq!((reply.status, reply.text()), (status, body), "{dead:?}");
        assert_eq!(reply.header("www-authenticate"), challenge);
    };
    let body = r#"{"error":"invalid_token"}"#;
    let bearer_says = r#"Bearer realm="emulator", error="invalid_token", error_description="The access token expired""#;
    check(OauthDead::InvalidToken, 401, Some(bearer_says), body).await;
    let both = format!(r#"Basic realm="emulator, or so", {bearer_says}"#);
    check(OauthDead::SecondChallenge, 401, Some(&both), body).await;
    check(OauthDead::Bare, 401, None, "").await;
    check(OauthDead::Expired403, 403, None, "this token is expired\n").await;
    assert_eq!(emulator.counters().dead_sessions, 4);
    let reply = call(emulator.oauth_api(), ME, "", b"").await;
    assert_eq!(
        reply.header("www-authenticate"),
        Some(r#"Bearer realm="emulator""#)
    );
    assert_eq!((reply.status, reply.text()), (401, ""));
}

#[tokio::test]
async fn a_token_is_taken_from_the_header_that_the_dial_names_and_no_other() {
    let emulator = emulator().await;
    let token = machine(&emulator).await.field("access_token");
    let check = async |headers: String, status: u16| {
        let reply = call(emulator.oauth_api(), ME, &headers, b"").await;
        assert_eq!(reply.status, status, "{headers}");
    };
    let header = |name: &str, prefix: &str| format!("{name}: {prefix}{token}\r\n");
    let set = |name: &str, prefix: &str| {
        emulator.knobs().turn(|dials| {
            dials.oauth2.header = name.to_owned();
            dials.oauth2.prefix = prefix.to_owned();
        });
    };
    check(header("Authorization", "Bearer "), 200).await;
    check(header("Authorization", "Tok "), 401).await;
    check(header("Authorization", "Bearer ").repeat(2), 401).await;
    set("authorization", "Tok ");
    check(header("Authorization", "Tok "), 200).await;
    check(header("Authorization", "Bearer "), 401).await;
    set("x-api-key", "");
    check(header("X-Api-Key", ""), 200).await;
    check(header("Authorization", "Bearer "), 401).await;
    assert_eq!(emulator.counters().dummy_credentials, 2);
    check(
        header("X-Api-Key", "") + &header("Authorization", "Bearer "),
        200,
    )
    .await;
    assert_eq!(emulator.counters().dummy_credentials, 3);
}

#[tokio::test]
async fn the_api_lives_under_its_prefix_and_tokens_end() {
    let emulator = emulator().await;
    let good = bearer(&machine(&emulator).await.field("access_token"));
    let get = async |line: &str| call(emulator.oauth_api(), line, &good, b"").await;
    assert_eq!(get("GET /me").await.status, 404);
    assert_eq!(get("GET /v1/emulator/echo").await.status, 404);
    let echo = get("GET /tenants/acme/v3/v1/emulator/echo/x").await;
    assert_eq!(echo.field("target"), "/tenants/acme/v3/v1/emulator/echo/x");
    let next = get("GET /tenants/acme/v3/items").await.field("next");
    assert!(get(&format!("GET {next}")).await.json()["next"].is_null());
    let reply = get("GET /tenants/acme/v3/admin").await;
    let challenge = r#"Bearer realm="emulator", error="insufficient_scope", scope="admin""#;
    assert_eq!(
        (reply.status, reply.header("www-authenticate")),
        (403, Some(challenge))
    );
    assert_eq!(get(ME).await.status, 200);
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(get(ME).await.status, 401);
    let good = bearer(&machine(&emulator).await.field("access_token"));
    assert_eq!(emulator.end_sessions("oauth2"), 1);
    assert_eq!(call(emulator.oauth_api(), ME, &good, b"").await.status, 401);
}
