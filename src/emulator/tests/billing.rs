//! Zuora.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;

use super::zuora::{CLIENT_ID, CLIENT_SECRET};
use super::{Canned, Emulator, FORM, Reply, bearer, call, emulator, form};

const ISSUE: &str = "POST /oauth/token";
const LIST: &str = "GET /v1/accounts";

fn client_form() -> String {
    form(&[
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("grant_type", "client_credentials"),
    ])
}

async fn issue(emulator: &Emulator) -> Reply {
    call(emulator.billing(), ISSUE, FORM, client_form().as_bytes()).await
}

async fn authorized(emulator: &Emulator) -> String {
    bearer(&issue(emulator).await.field("access_token"))
}

#[tokio::test]
async fn wrong_token_requests_are_refused() {
    let emulator = emulator().await;
    let check = async |headers: &str, body: &str, status: u16, shown: &str| {
        let reply = call(emulator.billing(), ISSUE, headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{headers} {body}");
        assert!(reply.text().contains(shown), "{}", reply.text());
    };
    let good = client_form();
    check(
        FORM,
        &good,
        200,
        r#""token_type":"bearer","expires_in":3598,"#,
    )
    .await;
    check(
        "Content-Type: application/json\r\n",
        r#"{"grant_type":"client_credentials"}"#,
        400,
        "code",
    )
    .await;
    check(
        &format!("{FORM}Authorization: Basic eDp5\r\n"),
        &good,
        400,
        "authentication header",
    )
    .await;
    check(
        &format!("{FORM}Authorization: Bearer x\r\n"),
        &good,
        400,
        "authentication header",
    )
    .await;
    let secret = r#"{"message":"Invalid client secret"}"#;
    check(FORM, &good.replace("%2B", "+"), 401, secret).await;
    check(
        FORM,
        &good.replace("00000000-face", "00000000-fade"),
        401,
        "Invalid client id",
    )
    .await;
    assert_eq!(CLIENT_ID.len(), 36);
    assert!(CLIENT_SECRET.len() <= 42);
}

#[tokio::test]
async fn expires_in_is_written_as_the_dial_says() {
    let emulator = emulator().await;
    let check = async |dial: &str, written: &str| {
        let patch = json!({ "billing": { "expires_in": dial } });
        emulator.knobs().merge(&patch).unwrap();
        let reply = issue(&emulator).await;
        let shown = format!(r#""token_type":"bearer"{written},"scope""#);
        assert!(reply.text().contains(&shown), "{}", reply.text());
    };
    check("integer", r#","expires_in":3598"#).await;
    check("string", r#","expires_in":"3598""#).await;
    check("float", r#","expires_in":3598.0"#).await;
    check("zero", r#","expires_in":0"#).await;
    check("missing", "").await;
}

#[tokio::test]
async fn a_dead_token_has_three_shapes_and_a_sibling() {
    let emulator = emulator().await;
    let reasons = r#"{"success":false,"processId":"FAKE123","reasons":[{"code":90000011,"message":"this resource is protected, please sign in first"}]}"#;
    let good = authorized(&emulator).await;
    let check = async |dial: &str, headers: &str, status: u16, body: &str| {
        let patch = json!({ "billing": { "dead": dial } });
        emulator.knobs().merge(&patch).unwrap();
        let reply = call(emulator.billing(), LIST, headers, b"").await;
        assert_eq!((reply.status, reply.text()), (status, body), "{dial}");
    };
    let message = r#"{"message":"Authentication error"}"#;
    check("message", &bearer("dead"), 401, message).await;
    check("message", "", 401, message).await;
    check("reasons", &bearer("dead"), 401, reasons).await;
    check("success200", &bearer("dead"), 200, reasons).await;
    emulator
        .knobs()
        .turn(|dials| dials.zuora.next.push_back(Canned::zuora_hiccup()));
    check(
        "message",
        &good,
        401,
        r#"{"message":"Failed to get user info"}"#,
    )
    .await;
    assert_eq!(call(emulator.billing(), LIST, &good, b"").await.status, 200);
    emulator.advance(std::time::Duration::from_secs(3598));
    check("message", &good, 401, message).await;
}

#[tokio::test]
async fn track_ids_are_checked_and_echoed() {
    let emulator = emulator().await;
    let good = authorized(&emulator).await;
    let check = async |id: &str, status: u16| {
        let headers = format!("{good}Zuora-Track-Id: {id}\r\n");
        let reply = call(emulator.billing(), LIST, &headers, b"").await;
        assert_eq!(reply.status, status, "{id}");
        let echoed = (status == 200).then_some(id);
        assert_eq!(reply.header("zuora-track-id"), echoed);
    };
    check("fine-1", 200).await;
    check(&"x".repeat(64), 200).await;
    check(&"x".repeat(65), 400).await;
    check("a:b", 400).await;
    check("a;b", 400).await;
    check("a\"b", 400).await;
    check("a'b", 400).await;
    check("ä", 400).await;
}

#[tokio::test]
async fn the_api_refuses_what_does_not_go_together() {
    let emulator = emulator().await;
    let good = authorized(&emulator).await;
    let put = format!("{good}Idempotency-Key: 1\r\n");
    let reply = call(emulator.billing(), "PUT /v1/accounts/1", &put, b"").await;
    let text = "Request method 'PUT' not supported with Idempotency-Key header";
    assert_eq!((reply.status, reply.text().contains(text)), (400, true));
    let legacy = format!("{good}apiAccessKeyId: someone\r\n");
    assert_eq!(
        call(emulator.billing(), LIST, &legacy, b"").await.status,
        400
    );
    assert_eq!(emulator.counters().dummy_credentials, 1);
}

#[tokio::test]
async fn a_list_names_its_next_page_absolutely_and_is_zipped_when_asked() {
    let emulator = emulator().await;
    let good = authorized(&emulator).await;
    let headers = format!("{good}Accept-Encoding: gzip\r\nZuora-Entity-Ids: e-1\r\n");
    let reply = call(emulator.billing(), LIST, &headers, b"").await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(
        reply
            .header("ratelimit-limit")
            .is_some_and(|limit| limit.starts_with("2250000, "))
    );
    let mut text = String::new();
    GzDecoder::new(reply.bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    let next = format!(
        "http://{}/v1/accounts?page=2&pageSize=20",
        emulator.billing()
    );
    assert_eq!(
        (&told["nextPage"], &told["entity"]),
        (&json!(next), &json!("e-1"))
    );
    let second = call(emulator.billing(), "GET /v1/accounts?page=2", &headers, b"").await;
    assert_eq!(second.header("content-encoding"), None);
    assert!(second.json().get("nextPage").is_none());
}

#[tokio::test]
async fn a_result_is_on_a_foreign_host_that_takes_no_credential() {
    let emulator = emulator().await;
    let good = authorized(&emulator).await;
    let headers = format!("{good}Content-Type: application/json\r\n");
    let ask =
        async |body: &[u8]| call(emulator.billing(), "POST /query/jobs", &headers, body).await;
    assert_eq!(ask(b"{}").await.status, 400);
    let job = ask(br#"{"query":"select 1"}"#).await.json();
    let line = format!("GET /query/jobs/{}", job["data"]["id"].as_str().unwrap());
    let job = call(emulator.billing(), &line, &good, b"").await.json();
    let file = job["data"]["dataFile"].as_str().unwrap();
    let host = format!("http://{}", emulator.files());
    let line = format!("GET {}", file.strip_prefix(&host).unwrap());
    let fetch = async |line: &str, headers: &str| call(emulator.files(), line, headers, b"").await;
    let reply = fetch(&line, "").await;
    assert_eq!(
        (reply.status, reply.text()),
        (200, "AccountNumber\nA00000001\n")
    );
    assert_eq!(fetch(&line, &good).await.status, 400);
    assert_eq!(fetch(&line[..line.len() - 1], "").await.status, 403);
    assert_eq!(emulator.counters().credentials_at_files, 1);
}
