//! Which requests are sent again after a dead session, how often, and with which bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::{Answer, Connection, Scripted, Seen, TestProxy};

const JSON: &str = "Content-Type: application/json\r\n";
const DEAD: &str = r#"{"message":"Authentication error"}"#;
const HICCUP: &str = r#"{"message":"Failed to get user info"}"#;

/// An API that takes every token but the first.
async fn first_token_is_dead() -> Scripted {
    Scripted::start(|mut connection: Connection| async move {
        while let Some(seen) = connection.request().await {
            if seen.header("authorization") == Some("Bearer token-1") {
                connection.reply("401 Unauthorized", JSON, DEAD).await;
            } else {
                connection.reply("200 OK", JSON, "{}").await;
            }
        }
    })
    .await
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect()
}

async fn post_chunked(proxy: &TestProxy, body: &[u8]) -> Answer {
    let mut caller = proxy.caller().await;
    let mut request =
        b"POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for piece in body.chunks(10_000) {
        request.extend(format!("{:x}\r\n", piece.len()).bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    caller.ask(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_not_told_in_a_coding_that_cannot_be_read() {
    let api = first_token_is_dead().await;
    let proxy = TestProxy::start(&api.upstream());
    let browser = "Accept-Encoding: gzip, deflate, br, zstd\r\n";
    let answer = proxy.get_with("/api/object/x", browser).await;
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    assert_eq!(proxy.get("/api/object/x").await.status, 200);
    let asked: Vec<_> = api
        .seen()
        .iter()
        .map(|seen| seen.header("accept-encoding").map(str::to_owned))
        .collect();
    let known = Some("gzip, deflate".to_owned());
    assert_eq!(asked, [known.clone(), known, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_up_to_the_limit_are_sent_again_byte_for_byte() {
    for (length, chunked) in [
        (0, false),
        (1, false),
        (30_000, false),
        (65_536, false),
        (0, true),
        (1, true),
        (30_000, true),
        (65_536, true),
    ] {
        let api = first_token_is_dead().await;
        let proxy = TestProxy::start(&api.upstream());
        let body = bytes(length);
        let answer = if chunked {
            post_chunked(&proxy, &body).await
        } else {
            proxy.post("/api/v1/x", &body).await
        };
        assert_eq!(answer.status, 200, "{length} {chunked}");
        assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
        let seen = api.seen();
        assert_eq!(seen.len(), 2, "{length} {chunked}");
        for request in &seen {
            assert!(request.body == body, "{length} {chunked}: other bytes");
        }
        assert_eq!(seen[1].header("authorization"), Some("Bearer token-2"));
        assert_eq!(
            seen[1].count("transfer-encoding") + seen[1].count("content-length"),
            1
        );
        assert_eq!(api.logins(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn larger_bodies_are_not_sent_again_but_the_next_request_finds_a_new_token() {
    for chunked in [false, true] {
        let api = first_token_is_dead().await;
        let proxy = TestProxy::start(&api.upstream());
        let body = bytes(65_537);
        let answer = if chunked {
            post_chunked(&proxy, &body).await
        } else {
            proxy.post("/api/v1/x", &body).await
        };
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, DEAD),
            "{chunked}"
        );
        assert_eq!(answer.header("x-upauth-replayed"), None);
        let next = proxy.get("/api/v1/next").await;
        assert_eq!((next.status, next.header("x-upauth-replayed")), (200, None));
        let seen = api.seen();
        assert_eq!(seen.len(), 2);
        assert!(seen[0].body == body, "{chunked}: other bytes");
        assert_eq!(seen[1].header("authorization"), Some("Bearer token-2"));
        assert_eq!(api.logins(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_the_operators() {
    let api = first_token_is_dead().await;
    let proxy = TestProxy::start(&format!(
        "[server.limits]\nreplay_bytes = \"1KiB\"\n{}",
        api.upstream()
    ));
    assert_eq!(proxy.post("/api/v1/x", bytes(1025)).await.status, 401);
    let api = first_token_is_dead().await;
    let proxy = TestProxy::start(&format!(
        "[server.limits]\nreplay_bytes = \"128KiB\"\n{}",
        api.upstream()
    ));
    assert_eq!(proxy.post("/api/v1/x", bytes(131_072)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_three_times_at_most() {
    // Lost on a reused connection, then a hiccup, then a dead session: each alone is a reason to send again.
    let api = Scripted::start(|mut connection: Connection| async move {
        while connection.request().await.is_some() {
            match connection.number_of("/tried") {
                0 => connection.reply("200 OK", "", "").await,
                1 => return,
                2 => connection.reply("401 Unauthorized", JSON, HICCUP).await,
                _ => connection.reply("401 Unauthorized", JSON, DEAD).await,
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    assert_eq!(proxy.get("/api/warm").await.status, 200);
    let answer = proxy.get("/api/tried").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, DEAD));
    assert_eq!(sent(&api, "/tried").len(), 3);
}

fn sent(api: &Scripted, target: &str) -> Vec<Seen> {
    let seen = api.seen().into_iter();
    seen.filter(|seen| seen.target == target).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_dead_again_after_the_renewal_is_not_renewed_for_again() {
    let api = Scripted::start(|mut connection: Connection| async move {
        while connection.request().await.is_some() {
            connection.reply("401 Unauthorized", JSON, DEAD).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let answer = proxy.get("/api/v1/x").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, DEAD));
    assert_eq!((api.seen().len(), api.logins()), (2, 2));
    // The new token has had no good answer yet: what is said of it passes, and nothing is sent again.
    let answer = proxy.get("/api/v1/x").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, DEAD));
    assert_eq!((api.seen().len(), api.logins()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_may_have_acted_is_never_sent_again() {
    // After the warm-up the connection is lost where it hurts: when the whole request was read.
    let api = Scripted::start(|mut connection: Connection| async move {
        while let Some(seen) = connection.request().await {
            match seen.target.as_str() {
                "/lost" => return,
                "/acted" if seen.header("authorization") == Some("Bearer token-1") => {
                    let body = r#"{"success":false,"reasons":[{"code":90000011}]}"#;
                    connection.reply("200 OK", JSON, body).await;
                }
                _ => connection.reply("200 OK", JSON, "{}").await,
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(proxy.get("/api/warm").await.status, 200);
        let request =
            format!("{method} /api/lost HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0403"));
    }
    assert_eq!(sent(&api, "/lost").len(), 4);
    let answer = proxy.post("/api/acted", "x").await;
    assert_eq!(answer.json()["success"], false);
    assert_eq!(sent(&api, "/acted").len(), 1);
    assert_eq!(proxy.post("/api/acted", "x").await.text(), "{}");
    assert_eq!((sent(&api, "/acted").len(), api.logins()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_to_head_counts_as_dead() {
    let api = Scripted::start(|mut connection: Connection| async move {
        while let Some(seen) = connection.request().await {
            let dead = seen.header("authorization") == Some("Bearer token-1");
            let status = if dead { "401 Unauthorized" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\n{JSON}Content-Length: 34\r\n\r\n");
            connection.write(head).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let request = "HEAD /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = proxy.caller().await.ask(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    assert_eq!(answer.header("content-length"), Some("34"));
    assert_eq!((api.seen().len(), api.logins()), (2, 2));
}

/// An API that says 401 to the first token after a piece of the body, and takes the second token's body whole.
async fn early_401(answered: &Arc<Notify>) -> Scripted {
    Scripted::start_with(answered, |mut connection, answered| async move {
        while let Some(seen) = connection.head().await {
            if seen.header("authorization") == Some("Bearer token-1") {
                connection.caller.chunk().await.unwrap();
                connection.reply("401 Unauthorized", JSON, DEAD).await;
                answered.notify_one();
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
            let body = connection.body(&seen).await.unwrap();
            let body = String::from_utf8(body).unwrap();
            connection.reply("200 OK", JSON, &body).await;
        }
    })
    .await
}

const UPLOAD: &str =
    "POST /api/up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_still_coming_when_the_401_comes_is_waited_for_and_sent_again_whole() {
    // There is much more room than it needs, or just enough.
    for limit in ["64KiB", "7B"] {
        let answered = Arc::new(Notify::new());
        let api = early_401(&answered).await;
        let limits = format!("[server.limits]\nreplay_bytes = \"{limit}\"\n");
        let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
        let mut caller = proxy.caller().await;
        caller.write(UPLOAD).await;
        answered.notified().await;
        caller.piece(" two").await;
        caller.end().await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "one two"));
        assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
        assert_eq!(api.logins(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_rest_does_not_come_or_is_too_large_is_not_sent_again() {
    for rest in [
        String::new(),
        format!("fa00\r\n{}\r\n", "x".repeat(64_000)).repeat(2),
    ] {
        let answered = Arc::new(Notify::new());
        let api = early_401(&answered).await;
        let proxy = TestProxy::start(&api.upstream());
        let mut caller = proxy.caller().await;
        caller.write(UPLOAD).await;
        answered.notified().await;
        caller.write(rest).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (401, DEAD));
        let next = proxy.get("/api/next").await;
        assert_eq!((next.status, next.header("x-upauth-replayed")), (200, None));
        assert_eq!(api.seen().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_that_is_reset_away_while_the_body_is_sent_counts_as_dead() {
    let answered = Arc::new(Notify::new());
    let api = Scripted::start_with(&answered, |mut connection, told| async move {
            while let Some(seen) = connection.head().await {
                if seen.header("authorization") == Some("Bearer token-1") {
                    // Head and half a body; the rest is lost with the connection.
                    let half = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n{\"mess";
                    connection.write(half).await;
                    told.notify_one();
                    return;
                }
                let body = connection.body(&seen).await.unwrap();
                let body = String::from_utf8(body).unwrap();
                connection.reply("200 OK", JSON, &body).await;
            }
})
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.write(UPLOAD).await;
    answered.notified().await;
    caller.write("4\r\n two\r\n0\r\n\r\n").await;
    let answer = caller.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "one two"));
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
}
