//! What no provider has: the facilities, the control port, the emulator's end.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{FORM, bearer, call, emulator, form, read, token, zuora};

const ROOT: &str = "GET /services/data/v59.0/";

#[tokio::test]
async fn echo_tells_what_arrived_but_no_credential() {
    let emulator = emulator().await;
    let token = token(&emulator).await;
    let line = "POST /services/apexrest/echo/%2e%2E//a%2Fb?x=%zz&&y";
    let headers = format!("{}X-Plain: seen\r\n", bearer(&token));
    let reply = call(emulator.instance(), line, &headers, b"abc").await;
    assert_eq!(
        reply.field("target"),
        "/services/apexrest/echo/%2e%2E//a%2Fb?x=%zz&&y"
    );
    assert!(reply.text().contains("seen") && !reply.text().contains(&token));
    assert_eq!(reply.json()["body_length"], 3);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(reply.field("body_sha256"), abc);
}

#[tokio::test]
async fn bodies_flow_at_any_length_and_events_one_at_a_time() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    let line = "GET /services/apexrest/stream?bytes=100000&chunk=7000";
    assert_eq!(
        call(emulator.instance(), line, &good, b"")
            .await
            .bytes
            .len(),
        100_000
    );
    let reply = call(emulator.instance(), &format!("{line}&length=1"), &good, b"").await;
    assert_eq!(reply.header("content-length"), Some("100000"));
    let drain = "POST /services/apexrest/drain";
    let reply = call(emulator.instance(), drain, &good, &[7; 50_000]).await;
    assert_eq!(reply.json()["bytes"], 50_000);
    assert_eq!(emulator.counters().bytes_drained, 50_000);

    let stream = TcpStream::connect(emulator.instance()).await.unwrap();
    let mut stream = BufReader::new(stream);
    let host = emulator.instance();
    let head = format!("GET /services/apexrest/events HTTP/1.1\r\nHost: {host}\r\n{good}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The head, then each event as it is sent.
    let mut seen = vec![0; 17];
    stream.read_exact(&mut seen).await.unwrap();
    for event in ["one", "two"] {
        let reply = call(emulator.control(), "POST /event", "", event.as_bytes()).await;
        assert_eq!(reply.json()["streams"], 1);
        while !seen.ends_with(format!("data: {event}\n\n\r\n").as_bytes()) {
            seen.push(stream.read_u8().await.unwrap());
        }
    }
    assert_eq!(emulator.counters().event_streams, 1);
    drop(emulator);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn the_control_port_ends_sessions_and_turns_knobs() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    let control = async |line: &str, headers: &str, body: &str| {
        call(emulator.control(), line, headers, body.as_bytes()).await
    };
    let reply = control("POST /end-session/salesforce", "", "").await;
    assert_eq!(reply.text(), r#"{"ended":1}"#);
    assert_eq!(
        call(emulator.instance(), ROOT, &good, b"").await.status,
        401
    );
    let reply = control("POST /refresh-token/salesforce", "", "").await;
    assert!(reply.field("refresh_token").len() > 20);
    let reply = control("POST /revoke/salesforce", "", "").await;
    assert_eq!(reply.text(), r#"{"ended":2}"#, "this and the seed");
    assert_eq!(
        control("POST /refresh-token/zuora", "", "").await.status,
        404
    );
    let all = control("GET /", "", "").await;
    assert_eq!(all.status, 200);
    assert!(all.text().contains("POST /revoke/"));
    let counters = control("GET /counters", "", "").await;
    assert_eq!(
        (&counters.json()["dead_sessions"], &counters.json()["live"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        control("POST /knobs", "", r#"{"login":{"delay_ms":1}}"#)
            .await
            .status,
        204
    );
    assert_eq!(
        control("POST /knobs", "", r#"{"login":{"delay":1}}"#)
            .await
            .status,
        400
    );
    let foreign = "Origin: https://evil.example\r\n";
    assert_eq!(
        control("POST /end-session/all", foreign, "").await.status,
        403
    );
    assert_eq!(emulator.knobs().read().login.delay_ms, 1);
}

#[tokio::test]
async fn the_listeners_end_with_the_emulator() {
    let emulator = emulator().await;
    let address = emulator.instance();
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = format!("GET /services/data HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
    drop(emulator);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_api_has_the_facilities_behind_its_own_authentication() {
    let emulator = emulator().await;
    let line = "GET /v1/emulator/echo/x";
    let credentials = form(&[
        ("client_id", zuora::CLIENT_ID),
        ("client_secret", zuora::CLIENT_SECRET),
        ("grant_type", "client_credentials"),
    ]);
    let body = credentials.as_bytes();
    let issued = call(emulator.billing(), "POST /oauth/token", FORM, body).await;
    let good = bearer(&issued.field("access_token"));
    let reply = call(emulator.billing(), line, &good, b"").await;
    assert_eq!(reply.field("path"), "/v1/emulator/echo/x");
    let host = emulator.pricing_dev();
    assert_eq!(call(host, line, &good, b"").await.status, 401);
}
