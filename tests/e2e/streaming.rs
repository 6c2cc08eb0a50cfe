//! Streams in both directions, proven by order; disconnects, early answers, broken answers, replays.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, mpsc};

use crate::support::caller::PATIENCE;
use crate::support::{Scripted, TestProxy};

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reaches_the_caller_before_the_next_one_is_sent() {
    let read = Arc::new(Notify::new());
    let told = read.clone();
    let api = Scripted::start(move |mut connection| {
        let told = told.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            connection.write(CHUNKED).await;
            for _ in 0..20 {
                connection.write("5\r\nevent\r\n").await;
                // The next event leaves only when the caller has read this one.
                tokio::time::timeout(PATIENCE, told.notified())
                    .await
                    .expect("the event was held back");
            }
            connection.write("0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    for _ in 0..20 {
        assert_eq!(caller.chunk().await.unwrap().unwrap(), b"event");
        read.notify_one();
    }
    assert_eq!(caller.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_upload_reaches_the_upstream_before_the_next_one_is_sent() {
    let (seen, mut arrived) = mpsc::channel::<Vec<u8>>(1);
    let api = Scripted::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            let Some(_) = connection.head().await else {
                return;
            };
            while let Some(piece) = connection.caller.chunk().await.unwrap() {
                seen.send(piece).await.unwrap();
            }
            connection.reply("200 OK", "", "done").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write("POST /api/up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for piece in ["one", "three", "fifteen"] {
        caller
            .write(format!("{:x}\r\n{piece}\r\n", piece.len()))
            .await;
        let came = tokio::time::timeout(PATIENCE, arrived.recv())
            .await
            .expect("the piece was held back");
        assert_eq!(came.unwrap(), piece.as_bytes());
    }
    caller.write("0\r\n\r\n").await;
    assert_eq!(caller.answer(false).await.unwrap().text(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_is_seen_by_the_upstream() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let api = Scripted::start(move |mut connection| {
        let left = left.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            connection.write(CHUNKED).await;
            connection.write("5\r\nfirst\r\n").await;
            let mut byte = [0];
            let gone =
                tokio::time::timeout(PATIENCE, connection.caller.stream.read(&mut byte)).await;
            assert!(matches!(gone, Ok(Ok(0) | Err(_))), "{gone:?}");
            left.send(()).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    caller.head().await.unwrap();
    caller.chunk().await.unwrap();
    drop(caller);
    tokio::time::timeout(PATIENCE, leaving.recv())
        .await
        .expect("the upstream never heard of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_before_the_head_is_seen_by_the_upstream() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let api = Scripted::start(move |mut connection| {
        let left = left.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            left.send(()).await.unwrap();
            let mut byte = [0];
            let gone =
                tokio::time::timeout(PATIENCE, connection.caller.stream.read(&mut byte)).await;
            assert!(matches!(gone, Ok(Ok(0) | Err(_))), "{gone:?}");
            left.send(()).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write("GET /api/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    leaving.recv().await.unwrap();
    drop(caller);
    tokio::time::timeout(PATIENCE, leaving.recv())
        .await
        .expect("the upstream never heard of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_is_never_presented_as_complete() {
    let api = Scripted::start(|mut connection| async move {
        let Some(seen) = connection.request().await else { return };
        let answer = match seen.target.as_str() {
            "/length" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            "/chunk" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "/in-chunk" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello",
            // A status with a rule is looked at before it passes.
            "/looked" => "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            _ => unreachable!(),
        };
        connection.write(answer).await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for path in ["/length", "/chunk", "/in-chunk", "/looked"] {
        let mut caller = proxy.caller().await;
        caller
            .write(format!(
                "GET /api{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ))
            .await;
        let answer = caller.answer(false).await;
        assert!(answer.is_err(), "{path} looked complete: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_come_before_the_body_is_read() {
    let api = Scripted::start(|mut connection| async move {
        connection.head().await;
        connection
            .reply(
                "413 Payload Too Large",
                "Connection: close\r\n",
                "too large",
            )
            .await;
        // The rest of the upload is not read; the connection stays open for the answer.
        tokio::time::sleep(Duration::from_millis(200)).await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write(
            "POST /api/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nbeginning",
        )
        .await;
    let answer = caller.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_for_100_continue_gets_it_when_the_body_is_wanted() {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.write("POST /api/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").await;
    let interim = tokio::time::timeout(PATIENCE, caller.request_head())
        .await
        .unwrap()
        .unwrap();
    assert!(interim.starts_with("HTTP/1.1 100"), "{interim}");
    caller.write("body").await;
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    assert_eq!(api.seen()[0].body, b"body");
    assert_eq!(api.seen()[0].header("expect"), None);
    let mut refused = proxy.caller().await;
    refused.write("POST /api/oauth/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").await;
    assert_eq!(
        refused.answer(false).await.unwrap().status,
        403,
        "no 100 before the refusal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_closes_between_two_requests_loses_no_get_and_doubles_no_post() {
    // Closes a while after each answer without saying so: the classic keep-alive race.
    let api = Scripted::start(|mut connection| async move {
        if connection.request().await.is_some() {
            connection.reply("200 OK", "", "ok").await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    for number in 0..100 {
        let got = caller.get(&format!("/api/get/{number}")).await;
        assert_eq!(got.status, 200, "{number}: {}", got.text());
        let posted = caller.post(&format!("/api/post/{number}"), "x").await;
        assert!(
            matches!(posted.status, 200 | 502),
            "{number}: {}",
            posted.text()
        );
        tokio::time::sleep(Duration::from_millis(number % 4)).await;
    }
    let mut posts: Vec<String> = api
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| seen.target)
        .collect();
    let all = posts.len();
    posts.dedup();
    assert_eq!(posts.len(), all, "a POST was sent twice");
}
