//! The access log: one line for each request, whatever way it ends.

use serde_json::Value;
use upauth::app::Stopped;
use upauth::telemetry::{AccessLog, Format};

use crate::support::tls::Folder;
use crate::support::{Scripted, TestProxy};

/// Every line of the log, by path.
fn lines(folder: &Folder) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut lines: Vec<Value> = lines.collect();
    lines.sort_by_key(|line| line["path"].as_str().unwrap().to_owned());
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_one_line_that_says_how_it_ended() {
    let folder = Folder::new();
    let log = AccessLog::file(&folder.path().join("access.log"), Format::Json).unwrap();
    let api = Scripted::start(|mut connection| async move {
        let json = "Content-Type: application/json\r\n";
        while let Some(seen) = connection.request().await {
            let dead = seen.header("authorization") == Some("Bearer token-1");
            match seen.target.as_str() {
                "/b-again" if dead => {
                    let body = r#"{"message":"Authentication error"}"#;
                    connection.reply("401 Unauthorized", json, body).await;
                }
                "/c-broken" => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour";
                    return connection.write(head).await;
                }
                "/d-left" => return connection.left().await,
                _ => connection.reply("201 Created", "", "seven!!").await,
            }
        }
    })
    .await;
    let proxy = TestProxy::start_with(&api.upstream(), &[], log);
    assert_eq!(proxy.post("/api/a?secret=1", "x").await.status, 201);
    assert_eq!(proxy.get("/api/b-again").await.status, 201);
    let mut broken = proxy.caller().await;
    broken.begin("/api/c-broken").await;
    assert!(broken.answer(false).await.is_err());
    let mut left = proxy.caller().await;
    left.begin("/api/d-left").await;
    api.saw(5).await;
    drop(left);
    let refused = proxy.post("/api/v1/connections", "x").await;
    assert_eq!(refused.status, 403);
    proxy.stop().await;
    let lines = lines(&folder);
    let told = |line: &Value| {
        let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
        let upstream = line["upstream_ms"].is_number();
        let replayed = line["replayed"] == true;
        let (status, bytes) = (line["status"].clone(), line["bytes"].clone());
        format!(
            "{} {} {status} {bytes} {} {upstream} {replayed}",
            text("method"),
            text("path"),
            text("code")
        )
    };
    let told: Vec<String> = lines.iter().map(told).collect();
    let own = format!(
        "POST /api/v1/connections 403 {} UA-0207 false false",
        refused.body.len()
    );
    let expected = [
        "POST /api/a 201 7 - true false",
        "GET /api/b-again 201 7 - true true",
        "GET /api/c-broken 200 4 - true false",
        "GET /api/d-left 499 0 - false false",
        &own,
    ];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_second_wish_to_stop_cuts_has_its_line() {
    let folder = Folder::new();
    let log = AccessLog::file(&folder.path().join("access.log"), Format::Json).unwrap();
    let api = Scripted::start(|mut connection| async move {
        connection.head().await;
        connection.left().await;
    })
    .await;
    let mut proxy = TestProxy::start_with(&api.upstream(), &[], log);
    let mut cut = proxy.caller().await;
    cut.begin("/api/cut").await;
    api.saw(1).await;
    let app = proxy.app.take().unwrap();
    let stopped = tokio::task::spawn_blocking(move || app.stop(async {}));
    assert_eq!(stopped.await.unwrap(), Stopped::Cut);
    assert_eq!(lines(&folder)[0]["status"], 499);
}
