//! The OAuth 2.0 server: who the client is, the grants, the dialects, the API.

mod api;
mod assertions;
mod dialects;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::oauth2::{CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME};
use super::{Canned, Emulator, FORM, Reply, Settings, bearer, call, emulator, form, keys, signing};
use crate::emulator::{ExpiresIn, OauthClientAuth, OauthDead};

const ASK: &str = "POST /realms/acme/token";
const ME: &str = "GET /tenants/acme/v3/me";
const CLIENT: [(&str, &str); 2] = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];

async fn send(emulator: &Emulator, headers: &str, body: &str) -> Reply {
    let headers = format!("{FORM}{headers}");
    call(emulator.oauth_login(), ASK, &headers, body.as_bytes()).await
}

async fn ask(emulator: &Emulator, parameters: &[(&str, &str)]) -> Reply {
    send(emulator, "", &form(&[&CLIENT, parameters].concat())).await
}

async fn machine(emulator: &Emulator) -> Reply {
    ask(emulator, &[("grant_type", "client_credentials")]).await
}

async fn refresh(emulator: &Emulator, token: &str) -> Reply {
    ask(
        emulator,
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    )
    .await
}

fn told(reply: &Reply) -> (u16, String) {
    (reply.status, reply.field("error"))
}

#[tokio::test]
async fn basic_is_told_apart_by_its_encoding() {
    let emulator = emulator().await;
    let rfc = "M01WRzkuZmFrZSUyQmlkOnAlM0Fzcyt3JTJCcmQlMjU=";
    let raw = "M01WRzkuZmFrZStpZDpwOnNzIHcrcmQl";
    let check = async |pair: &str, status: u16| {
        let headers = format!("Authorization: Basic {pair}\r\n");
        let reply = send(&emulator, &headers, "grant_type=client_credentials").await;
        assert_eq!(reply.status, status, "{pair}");
        let challenge = (status == 401).then_some(r#"Basic realm="emulator""#);
        assert_eq!(reply.header("www-authenticate"), challenge);
    };
    check(rfc, 200).await;
    check(raw, 200).await;
    check(&STANDARD.encode(format!("{CLIENT_ID}:wrong")), 401).await;
    check("gibberish", 401).await;
    let seen = emulator.counters().client_auth;
    assert_eq!((seen["basic_rfc"], seen["basic_raw"]), (1, 1));
    let want = |way| {
        emulator
            .knobs()
            .turn(|dials| dials.oauth2.request.client_auth = way);
    };
    want(OauthClientAuth::BasicRfc);
    check(rfc, 200).await;
    check(raw, 401).await;
    want(OauthClientAuth::BasicRaw);
    check(raw, 200).await;
    check(rfc, 401).await;
    want(OauthClientAuth::Body);
    check(rfc, 401).await;
    assert_eq!(machine(&emulator).await.status, 200);
}

#[tokio::test]
async fn a_client_proves_who_it_is_in_one_way_and_well() {
    let emulator = emulator().await;
    let check = async |headers: &str, body: String, status: u16, error: &str| {
        let reply = send(&emulator, headers, &body).await;
        assert_eq!(told(&reply), (status, error.to_owned()), "{headers} {body}");
    };
    let good = form(&[&CLIENT[..], &[("grant_type", "client_credentials")]].concat());
    let basic = "Authorization: Basic M01WRzkuZmFrZStpZDpwOnNzIHcrcmQl\r\n";
    check(basic, good.clone(), 400, "invalid_request").await;
    check(
        "Authorization: Bearer x\r\n",
        "grant_type=password".to_owned(),
        401,
        "invalid_client",
    )
    .await;
    check("", good.replace("w%2B", "w+"), 400, "invalid_client").await;
    let id_alone = form(&[CLIENT[0], ("grant_type", "client_credentials")]);
    check("", id_alone.clone(), 400, "invalid_client").await;
    check("", format!("{good}&client_id=x"), 400, "invalid_request").await;
    check("", format!("{good}%"), 400, "invalid_request").await;
    check(
        "",
        good.replace("client_credentials", "implicit"),
        400,
        "unsupported_grant_type",
    )
    .await;
    check("", form(&CLIENT), 400, "invalid_request").await;
    check(
        "",
        format!("{good}&scope=read+everything"),
        400,
        "invalid_scope",
    )
    .await;
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.request.client_auth = OauthClientAuth::None);
    check("", good, 400, "invalid_client").await;
    assert_eq!(send(&emulator, "", &id_alone).await.status, 200);
}

#[tokio::test]
async fn each_grant_is_for_its_user() {
    let emulator = emulator().await;
    let check = async |reply: Reply, user: &str| {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let good = bearer(&reply.field("access_token"));
        let me = call(emulator.oauth_api(), ME, &good, b"").await;
        assert_eq!(me.field("user"), user);
        reply
    };
    let reply = check(machine(&emulator).await, CLIENT_ID).await;
    assert_eq!(
        (reply.json()["expires_in"].as_u64(), reply.field("scope")),
        (Some(3600), "read write".to_owned())
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let person = [
        ("grant_type", "password"),
        ("username", USERNAME),
        ("password", PASSWORD),
    ];
    check(ask(&emulator, &person).await, USERNAME).await;
    let wrong = [person[0], person[1], ("password", "correct")];
    assert_eq!(
        told(&ask(&emulator, &wrong).await),
        (400, "invalid_grant".to_owned())
    );
    let first = emulator.mint_refresh_token("oauth2").unwrap();
    for _ in 0..2 {
        let reply = check(refresh(&emulator, &first).await, USERNAME).await;
        assert!(reply.json().get("refresh_token").is_none());
    }
    let salesforces = emulator.mint_refresh_token("salesforce").unwrap();
    assert_eq!(
        told(&refresh(&emulator, &salesforces).await).1,
        "invalid_grant"
    );
    let grants = emulator.counters().grants;
    let grant = |name: &str| grants[&format!("oauth2 {name}")];
    assert_eq!(
        (
            grant("client_credentials"),
            grant("password"),
            grant("refresh_token")
        ),
        (1, 1, 2)
    );
}

#[tokio::test]
async fn a_refresh_token_that_was_rotated_out_takes_the_family_with_it() {
    let emulator = emulator().await;
    emulator.knobs().turn(|dials| dials.oauth2.rotation = true);
    let first = emulator.mint_refresh_token("oauth2").unwrap();
    let second = refresh(&emulator, &first).await.field("refresh_token");
    let reply = refresh(&emulator, &second).await;
    let (third, good) = (
        reply.field("refresh_token"),
        bearer(&reply.field("access_token")),
    );
    assert_eq!(call(emulator.oauth_api(), ME, &good, b"").await.status, 200);
    assert_eq!(told(&refresh(&emulator, &second).await).1, "invalid_grant");
    assert_eq!(told(&refresh(&emulator, &third).await).1, "invalid_grant");
    assert_eq!(call(emulator.oauth_api(), ME, &good, b"").await.status, 401);
    let counters = emulator.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.revoked_families),
        (1, 1)
    );
}
