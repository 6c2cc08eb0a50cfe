//! Assertions of clients and of grants.

use serde_json::{Value, json};

use super::{
    CLIENT, CLIENT_ID, Duration, Emulator, OauthClientAuth, Reply, Settings, USERNAME, form, keys,
    send, signing, told,
};

const NOW: u64 = 1_700_000_000;
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async fn emulator_at_now() -> Emulator {
    let settings = Settings {
        began: Some(Duration::from_secs(NOW)),
        ..Settings::default()
    };
    Emulator::start(settings).await.unwrap()
}

fn claims(emulator: &Emulator, subject: &str, id: &str) -> Value {
    let audience = format!("http://{}/realms/acme/token", emulator.oauth_login());
    json!({ "iss": CLIENT_ID, "sub": subject, "aud": audience, "exp": NOW + 60, "iat": NOW, "jti": id })
}

fn rs256(claims: &Value) -> String {
    signing::rs256(&json!({ "alg": "RS256" }), claims, &signing::rsa())
}

async fn as_client(emulator: &Emulator, assertion: &str) -> Reply {
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", assertion),
    ]);
    send(emulator, "", &body).await
}

async fn as_grant(emulator: &Emulator, assertion: &str) -> Reply {
    let body = form(&[("grant_type", GRANT), ("assertion", assertion)]);
    send(emulator, "", &body).await
}

#[tokio::test]
async fn a_client_may_sign_with_either_key_but_never_send_an_assertion_twice() {
    let emulator = emulator_at_now().await;
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.request.client_auth = OauthClientAuth::PrivateKeyJwt);
    let first = rs256(&claims(&emulator, CLIENT_ID, "1"));
    assert_eq!(as_client(&emulator, &first).await.status, 200);
    let second = signing::es256(
        &json!({ "alg": "ES256" }),
        &claims(&emulator, CLIENT_ID, "2"),
    );
    assert_eq!(as_client(&emulator, &second).await.status, 200);
    assert_eq!(
        told(&as_client(&emulator, &first).await).1,
        "invalid_client"
    );
    let same_id = rs256(&claims(&emulator, CLIENT_ID, "2"));
    assert_eq!(
        told(&as_client(&emulator, &same_id).await).1,
        "invalid_client"
    );
    let counters = emulator.counters();
    assert_eq!(
        (
            counters.client_auth["private_key_jwt"],
            counters.replayed_assertions
        ),
        (2, 2)
    );
    let body = form(&[&CLIENT[..], &[("grant_type", "client_credentials")]].concat());
    assert_eq!(
        told(&send(&emulator, "", &body).await).1,
        "invalid_client",
        "a secret is no key"
    );
}

#[tokio::test]
async fn wrong_client_assertions_are_refused() {
    let emulator = emulator_at_now().await;
    let check = async |assertion: &str| {
        let reply = as_client(&emulator, assertion).await;
        assert_eq!(
            told(&reply),
            (400, "invalid_client".to_owned()),
            "{assertion}"
        );
    };
    let good = claims(&emulator, CLIENT_ID, "good");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        rs256(&claims)
    };
    check(&with("aud", json!("https://elsewhere.example"))).await;
    check(&with(
        "aud",
        json!(format!("http://{}", emulator.oauth_login())),
    ))
    .await;
    check(&with("iss", json!("somebody"))).await;
    check(&with("sub", json!(USERNAME))).await;
    check(&with("jti", json!(null))).await;
    check(&with("exp", json!(NOW))).await;
    check(&with("exp", json!(NOW + 7200))).await;
    check(&with("exp", json!((NOW + 60).to_string()))).await;
    check(&with("exp", json!((NOW + 60) * 1000))).await;
    check(&with("iat", json!(NOW + 600))).await;
    check(&with("nbf", json!(NOW + 600))).await;
    // The wrong name of an algorithm, and the wrong key for it.
    check(&signing::rs256(
        &json!({ "alg": "ES256" }),
        &good,
        &signing::rsa(),
    ))
    .await;
    check(&signing::es256(&json!({ "alg": "RS256" }), &good)).await;
    check(&signing::rs256(
        &json!({ "alg": "none" }),
        &good,
        &signing::rsa(),
    ))
    .await;
    assert_eq!(as_client(&emulator, &rs256(&good)).await.status, 200);
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.public_key = Some(keys::EC_PUBLIC.to_owned()));
    check(&with("jti", json!("other"))).await;
    let untyped = rs256(&claims(&emulator, CLIENT_ID, "untyped"));
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_assertion", &untyped),
    ]);
    assert_eq!(told(&send(&emulator, "", &body).await).1, "invalid_client");
}

#[tokio::test]
async fn a_grant_by_assertion_is_for_the_user_it_names_and_once() {
    let emulator = emulator_at_now().await;
    let good = rs256(&claims(&emulator, USERNAME, "1"));
    assert_eq!(as_grant(&emulator, &good).await.status, 200);
    let check = async |assertion: &str| {
        let reply = as_grant(&emulator, assertion).await;
        assert_eq!(
            told(&reply),
            (400, "invalid_grant".to_owned()),
            "{assertion}"
        );
    };
    check(&good).await;
    check(&rs256(&claims(&emulator, "nobody", "2"))).await;
    check(&rs256(&claims(&emulator, CLIENT_ID, "3"))).await;
    let mut several = claims(&emulator, USERNAME, "4");
    several["aud"] = json!(["https://elsewhere.example", several["aud"]]);
    assert_eq!(as_grant(&emulator, &rs256(&several)).await.status, 200);
    // A `jti` is not asked for here, but heeded.
    let mut plain = claims(&emulator, USERNAME, "5");
    plain.as_object_mut().unwrap().remove("jti");
    assert_eq!(as_grant(&emulator, &rs256(&plain)).await.status, 200);
    assert_eq!(as_grant(&emulator, &rs256(&plain)).await.status, 200);
    let body = form(&[
        ("grant_type", GRANT),
        ("assertion", &rs256(&claims(&emulator, USERNAME, "6"))),
        ("client_id", CLIENT_ID),
        ("client_secret", "wrong"),
    ]);
    assert_eq!(told(&send(&emulator, "", &body).await).1, "invalid_client");
    let audience = "https://issuer.example";
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.request.audience = Some(audience.to_owned()));
    check(&rs256(&claims(&emulator, USERNAME, "7"))).await;
    let mut named = claims(&emulator, USERNAME, "8");
    named["aud"] = json!(audience);
    assert_eq!(as_grant(&emulator, &rs256(&named)).await.status, 200);
    assert_eq!(emulator.counters().grants["oauth2 jwt_bearer"], 5);
}
