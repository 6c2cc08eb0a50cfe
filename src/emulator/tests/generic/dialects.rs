//! What a token request must be, and what its answer looks like.

use serde_json::{Value, json};

use super::{
    ASK, CLIENT_ID, CLIENT_SECRET, Canned, Emulator, ExpiresIn, FORM, Reply, call, emulator,
    machine, send, told,
};

const JSON: &str = "Content-Type: application/json\r\n";

fn turn(emulator: &Emulator, patch: &Value) {
    emulator.knobs().merge(&json!({ "oauth2": patch })).unwrap();
}

#[tokio::test]
async fn a_body_may_have_to_be_json_with_keys_in_keys() {
    let emulator = emulator().await;
    turn(
        &emulator,
        &json!({ "request": {
            "json": true,
            "names": { "client_id": "/auth/client/id", "client_secret": "/auth/client/secret" },
            "required": { "/tenant": "acme" },
        }}),
    );
    let check = async |headers: &str, body: String, status: u16| {
        let reply = call(emulator.oauth_login(), ASK, headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{body} {}", reply.text());
    };
    let client = json!({ "id": CLIENT_ID, "secret": CLIENT_SECRET });
    let good = json!({ "grant_type": "client_credentials", "auth": { "client": client }, "tenant": "acme" });
    check(JSON, good.to_string(), 200).await;
    check(FORM, good.to_string(), 400).await;
    check(JSON, "[]".to_owned(), 400).await;
    check(JSON, good.to_string().replace("acme", "other"), 400).await;
    let flat = json!({ "grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "tenant": "acme" });
    check(JSON, flat.to_string(), 400).await;
    let as_form = super::form(&[
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
    ]);
    check(FORM, as_form, 400).await;
}

#[tokio::test]
async fn parameters_and_headers_may_be_asked_for() {
    let emulator = emulator().await;
    turn(
        &emulator,
        &json!({ "request": {
            "names": { "client_id": "app_id" },
            "required": { "resource": "https://api.example" },
            "headers": { "x-tenant": "acme" },
        }}),
    );
    let body = super::form(&[
        ("grant_type", "client_credentials"),
        ("app_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("resource", "https://api.example"),
    ]);
    let check = async |headers: &str, body: &str, status: u16| {
        let reply = send(&emulator, headers, body).await;
        assert_eq!(reply.status, status, "{headers} {body} {}", reply.text());
    };
    let header = "X-Tenant: acme\r\n";
    check(header, &body, 200).await;
    check("", &body, 400).await;
    check("X-Tenant: other\r\n", &body, 400).await;
    check(&header.repeat(2), &body, 400).await;
    check(header, &body.replace("app_id", "client_id"), 400).await;
    check(header, &body.replace("resource", "audience"), 400).await;
}

#[tokio::test]
async fn fields_stand_where_the_dial_puts_them() {
    let emulator = emulator().await;
    turn(
        &emulator,
        &json!({ "answer": {
            "names": { "access_token": "/data/auth/token", "expires_in": "/data/ttl" },
            "expires_in": "milliseconds",
            "content_type": "text/plain",
            "instance_url": true,
            "envelope": true,
        }}),
    );
    let reply = machine(&emulator).await;
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    let told = reply.json();
    assert_eq!(told["data"]["auth"]["token"].as_str().unwrap().len(), 43);
    assert_eq!(told["data"]["ttl"], 3_600_000);
    assert_eq!(
        told["instance_url"],
        format!("http://{}", emulator.oauth_api())
    );
    assert_eq!(
        (&told["ok"], told.get("access_token")),
        (&json!(true), None)
    );
    let reply = send(&emulator, "", "grant_type=client_credentials").await;
    assert_eq!((reply.status, &reply.json()["ok"]), (200, &json!(false)));
    assert_eq!(reply.field("error"), "invalid_client");
}

#[tokio::test]
async fn a_lifetime_is_written_as_it_is_in_the_wild() {
    let emulator = emulator().await;
    let check = async |how: ExpiresIn, written: &str| {
        emulator
            .knobs()
            .turn(|dials| dials.oauth2.answer.expires_in = how);
        let reply = machine(&emulator).await;
        assert!(reply.text().contains(written), "{written} {}", reply.text());
    };
    check(ExpiresIn::Integer, r#""expires_in":3600,"#).await;
    check(ExpiresIn::String, r#""expires_in":"3600""#).await;
    check(ExpiresIn::Float, r#""expires_in":3600.0"#).await;
    check(ExpiresIn::Zero, r#""expires_in":0,"#).await;
    check(ExpiresIn::Negative, r#""expires_in":-1"#).await;
    check(ExpiresIn::Huge, r#""expires_in":9223372036854775807"#).await;
    check(ExpiresIn::Date, r#""expires_in":"2"#).await;
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.answer.expires_in = ExpiresIn::Missing);
    assert!(machine(&emulator).await.json().get("expires_in").is_none());
}

#[tokio::test]
async fn answers_may_be_long_or_no_answer_at_all() {
    let emulator = emulator().await;
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.answer.pad_to = 1 << 20);
    let reply = machine(&emulator).await;
    assert!(reply.bytes.len() >= 1 << 20 && reply.field("access_token").len() == 43);
    let page = Canned {
        status: 200,
        ..Canned::html()
    };
    let answers = [page, Canned::truncated(), Canned::ok_with_error()];
    emulator
        .knobs()
        .turn(|dials| dials.oauth2.next_login.extend(answers));
    let is_json = |reply: &Reply| serde_json::from_slice::<Value>(&reply.bytes).is_ok();
    let replies = [machine(&emulator).await, machine(&emulator).await];
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 && !is_json(reply))
    );
    assert_eq!(
        told(&machine(&emulator).await),
        (200, "unknown_error".to_owned())
    );
    assert_eq!(machine(&emulator).await.status, 200);
    let wrong = call(emulator.oauth_login(), "POST /oauth/token", FORM, b"").await;
    assert_eq!(wrong.status, 404);
    assert_eq!(emulator.counters().oauth2_token_requests, 5);
}
