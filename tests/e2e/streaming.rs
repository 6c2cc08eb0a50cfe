//! Streams in both directions, proven by order; disconnects, early answers, broken answers.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::support::caller::PATIENCE;
use crate::support::{H2, Scripted, TestProxy};

/// The type of an answer that is events.
const EVENTS: &str = "text/event-stream";

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_answer_reaches_the_caller_before_the_next_one_is_sent() {
    // JSON is looked at where it may say that a session is dead.
    for (kind, piece) in [(EVENTS, "event"), ("application/json", "{}")] {
        let read = Arc::new(Notify::new());
        let api = Scripted::start_with(&read, move |mut connection, read| async move {
            if connection.begin(kind).await.is_none() {
                return;
            }
            for _ in 0..20 {
                connection.piece(piece).await;
                // The next piece leaves only when the caller has read this one.
                timeout(PATIENCE, read.notified()).await.expect("held back");
            }
            connection.end().await;
        })
        .await;
        let proxy = TestProxy::start(&api.upstream());
        let mut caller = proxy.caller().await;
        caller.begin("/api/v1/x").await;
        assert_eq!(caller.head().await.unwrap().status, 200);
        for _ in 0..20 {
            assert_eq!(caller.chunk().await.unwrap().unwrap(), piece.as_bytes());
            read.notify_one();
        }
        assert_eq!(caller.chunk().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_upload_reaches_the_upstream_before_the_next_one_is_sent() {
    let (seen, mut arrived) = mpsc::channel::<Vec<u8>>(1);
    let api = Scripted::start_with(&seen, |mut connection, seen| async move {
        if connection.head().await.is_none() {
            return;
        }
        while let Some(piece) = connection.caller.chunk().await.unwrap() {
            seen.send(piece).await.unwrap();
        }
        connection.reply("200 OK", "", "done").await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    for piece in ["one", "three", "fifteen"] {
        caller.piece(piece).await;
        let came = timeout(PATIENCE, arrived.recv()).await.expect("held back");
        assert_eq!(came.unwrap(), piece.as_bytes());
    }
    caller.end().await;
    assert_eq!(caller.answer(false).await.unwrap().text(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_is_seen_by_the_upstream() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let api = Scripted::start_with(&left, |mut connection, left| async move {
        if connection.begin(EVENTS).await.is_none() {
            return;
        }
        connection.piece("first").await;
        connection.left().await;
        left.send(()).await.unwrap();
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin("/api/events").await;
    caller.head().await.unwrap();
    caller.chunk().await.unwrap();
    drop(caller);
    let heard = timeout(PATIENCE, leaving.recv()).await;
    heard.expect("the upstream never heard of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_before_the_head_is_seen_by_the_upstream() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let api = Scripted::start_with(&left, |mut connection, left| async move {
        if connection.request().await.is_none() {
            return;
        }
        left.send(()).await.unwrap();
        connection.left().await;
        left.send(()).await.unwrap();
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin("/api/slow").await;
    leaving.recv().await.unwrap();
    drop(caller);
    let heard = timeout(PATIENCE, leaving.recv()).await;
    heard.expect("the upstream never heard of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_http_2_that_is_given_up_is_seen_by_the_upstream_and_the_others_go_on() {
    let (left, mut leaving) = mpsc::channel::<()>(1);
    let api = Scripted::start_with(&left, |mut connection, left| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/quick" {
                connection.reply("200 OK", "", "ok").await;
                continue;
            }
            left.send(()).await.unwrap();
            connection.left().await;
            left.send(()).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = H2::connect(proxy.addr()).await;
    let mut hasty = caller.clone();
    let asking = tokio::task::spawn(async move { hasty.get("/api/slow").await });
    leaving.recv().await.unwrap();
    asking.abort();
    let heard = timeout(PATIENCE, leaving.recv()).await;
    heard.expect("the upstream never heard of it");
    assert_eq!(caller.get("/api/quick").await.status, 200);
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
        caller.begin(&format!("/api{path}")).await;
        let answer = caller.answer(false).await;
        assert!(answer.is_err(), "{path} looked complete: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_may_be_of_a_dead_session_and_drips_is_passed_on_in_the_end() {
    let read = Arc::new(Notify::new());
    let api = Scripted::start_with(&read, |mut connection, read| async move {
        if connection.request().await.is_none() {
            return;
        }
        let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n";
        connection
            .write(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
            .await;
        connection.piece("{").await;
        // The rest comes only when the caller has read this much.
        timeout(PATIENCE, read.notified()).await.expect("held back");
        connection.piece("}").await;
        connection.end().await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin("/api/x").await;
    assert_eq!(caller.head().await.unwrap().status, 401);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"{");
    read.notify_one();
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"}");
    assert_eq!(caller.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_is_not_complete_to_a_caller_who_knows_by_the_end_of_its_connection() {
    let read = Arc::new(Notify::new());
    let api = Scripted::start_with(&read, |mut connection, read| async move {
        let Some(seen) = connection.begin(EVENTS).await else {
            return;
        };
        connection.piece("hello").await;
        read.notified().await;
        if seen.target == "/whole" {
            connection.end().await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for (path, whole) in [("/whole", true), ("/broken", false)] {
        let mut caller = proxy.caller().await;
        caller
            .write(format!("GET /api{path} HTTP/1.0\r\n\r\n"))
            .await;
        let head = caller.head().await.unwrap();
        assert_eq!((head.status, head.header("content-length")), (200, None));
        assert_eq!(caller.exactly(5).await.unwrap(), b"hello");
        read.notify_one();
        let end = caller.stream.read(&mut [0]).await;
        assert_eq!(end.is_ok(), whole, "{path}: {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_an_answer_that_breaks_off_at_once_is_passed_on_over_http2_too() {
    let api = Scripted::start(|mut connection| async move {
        connection.request().await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
        connection.write(format!("{head}hello")).await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut answer = H2::connect(proxy.addr()).await.stuck("/api/x").await;
    assert_eq!(answer.status(), 200);
    let first = answer.frame().await.unwrap().unwrap();
    assert_eq!(&first.into_data().unwrap()[..], b"hello");
    let end = answer.frame().await;
    assert!(matches!(end, Some(Err(_))), "{end:?}");
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
    let interim = timeout(PATIENCE, caller.request_head())
        .await
        .unwrap()
        .unwrap();
    assert!(interim.starts_with("HTTP/1.1 100"), "{interim}");
    caller.write("body").await;
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    assert_eq!(api.seen()[0].body, b"body");
    assert_eq!(api.seen()[0].header("expect"), None);
    let mut refused = proxy.caller().await;
    refused.write("POST /api/v1/connections HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").await;
    assert_eq!(
        refused.answer(false).await.unwrap().status,
        403,
        "no 100 before the refusal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_100_asks_for_a_long_body_without_a_token_and_none_is_for_http_1_0() {
    let lines = "Host: localhost\r\nExpect: 100-continue\r\nContent-Length: ";
    let shut = Scripted::start(|connection| async move { drop(connection) }).await;
    let proxy = TestProxy::start(&format!("{}token_wait = \"200ms\"\n", shut.upstream()));
    let mut caller = proxy.caller().await;
    caller
        .write(format!("POST /api/x HTTP/1.1\r\n{lines}1000000\r\n\r\n"))
        .await;
    let first = timeout(PATIENCE, caller.request_head()).await.unwrap();
    let first = first.unwrap();
    assert!(first.starts_with("HTTP/1.1 503"), "{first}");
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&api.upstream());
    let mut old = proxy.caller().await;
    old.write(format!("POST /api/x HTTP/1.0\r\n{lines}4\r\n\r\nbody"))
        .await;
    let first = timeout(PATIENCE, old.request_head()).await.unwrap();
    let first = first.unwrap();
    assert!(first.starts_with("HTTP/1.0 200"), "{first}");
    assert_eq!(api.seen()[0].body, b"body");
}
