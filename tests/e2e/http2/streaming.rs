//! Streams in both directions over HTTP/2: at once, as there is room, and no longer than somebody wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream, server};
use http::{Response, StatusCode};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::support::caller::PATIENCE;
use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS};
use crate::support::{Call, Caller, Framed, H2, TestProxy, together};

/// Waits until something may be sent, and sends it.
async fn send(stream: &mut SendStream<Bytes>, piece: Bytes) -> bool {
    stream.reserve_capacity(piece.len());
    let mut piece = piece;
    while !piece.is_empty() {
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = room else {
            return false;
        };
        let part = piece.split_to(room.min(piece.len()));
        if stream.send_data(part, false).is_err() {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_the_caller_before_the_next_one_is_sent() {
    let read = Arc::new(Notify::new());
    let api = Framed::calls(server::Builder::new(), &read, |mut call, read| async move {
        let mut answer = Response::new(());
        let kind = http::HeaderValue::from_static("text/event-stream");
        answer.headers_mut().insert("content-type", kind);
        let mut stream = call.respond.send_response(answer, false).unwrap();
        for _ in 0..20 {
            assert!(send(&mut stream, Bytes::from_static(b"event")).await);
            timeout(PATIENCE, read.notified()).await.expect("held back");
        }
        stream.send_data(Bytes::new(), true).unwrap();
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin("/api/x").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    for _ in 0..20 {
        assert_eq!(caller.chunk().await.unwrap().unwrap(), b"event");
        read.notify_one();
    }
    assert_eq!(caller.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_passes_as_it_comes_and_its_answer_meanwhile() {
    let api = Framed::calls(server::Builder::new(), &(), |mut call, ()| async move {
        let mut stream = call.begin();
        while let Some(Ok(piece)) = call.request.body_mut().data().await {
            let flow = call.request.body_mut().flow_control();
            flow.release_capacity(piece.len()).unwrap();
            send(&mut stream, piece).await;
        }
        stream.send_data(Bytes::new(), true).unwrap();
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/echo").await;
    caller.piece("first").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"first");
    for number in 0..20 {
        let piece = format!("piece {number}");
        caller.piece(&piece).await;
        assert_eq!(caller.chunk().await.unwrap().unwrap(), piece.as_bytes());
    }
    caller.end().await;
    assert_eq!(caller.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_reads_nothing_is_sent_little_and_is_in_no_others_way() {
    let sent = Arc::new(AtomicUsize::new(0));
    let api = Framed::calls(server::Builder::new(), &sent, |mut call, sent| async move {
        if call.request.uri().path() != "/endless" {
            return call.reply("hello");
        }
        let mut stream = call.begin();
        let piece = Bytes::from(vec![b'x'; 16 * 1024]);
        while send(&mut stream, piece.clone()).await {
            sent.fetch_add(piece.len(), Ordering::SeqCst);
        }
    })
    .await;
    let proxy = api.proxy();
    // Its window is all that it is sent: nothing is hidden in the buffers of sockets.
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut caller = H2::connect(proxy.addr()).await;
        slow.push(tokio::task::spawn(async move {
            let stuck = caller.stuck("/api/endless").await;
            std::future::pending::<()>().await;
            drop(stuck);
        }));
    }
    let settled = async {
        let mut before = 1;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = sent.load(Ordering::SeqCst);
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    };
    let sent = timeout(PATIENCE, settled).await.expect("it goes on and on");
    // To each 256 KiB that wait here, what its own window takes, and a few pieces on their way.
    let most = 40 * 3 * 1024 * 1024;
    assert!(sent < most, "{sent} of {most}");
    assert_eq!(proxy.get("/api/x").await.text(), "hello");
    assert_eq!(api.agreed().len(), 1, "all on one connection");
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_upstream_does_not_take_is_not_taken_from_its_caller() {
    let api = Framed::calls(server::Builder::new(), &(), |call: Call, ()| async move {
        std::future::pending::<()>().await;
        drop(call);
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    let piece = "x".repeat(64 * 1024);
    let mut taken = 0;
    // What sockets hold on either side is a few MiB.
    while taken < 64 * 1024 * 1024 {
        let sent = timeout(Duration::from_secs(2), caller.piece(&piece));
        if sent.await.is_err() {
            return;
        }
        taken += piece.len();
    }
    panic!("{taken} bytes were taken and wait somewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_larger_than_what_may_wait_here_pass_whole() {
    let api = Framed::calls(server::Builder::new(), &(), |mut call, ()| async move {
        let mut stream = call.begin();
        for number in 0..64_u8 {
            let piece = Bytes::from(vec![number; 64 * 1024]);
            assert!(send(&mut stream, piece).await);
        }
        stream.send_data(Bytes::new(), true).unwrap();
    })
    .await;
    let proxy = api.proxy();
    let addr = proxy.addr();
    let get = |_| async move { Caller::connect(addr).await.get("/api/x").await.body };
    let whole: Vec<u8> = (0..64).flat_map(|number| [number; 64 * 1024]).collect();
    // Together they are larger than what may wait on a connection.
    for body in together(10, get).await {
        assert!(body == whole, "{} bytes", body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_the_upload_was_read_passes_whole() {
    let api = Framed::frames(&(), |mut frames, _, ()| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some(id) = frames.request().await {
            let head = b"\x08\x03413\x0f\x0d\x018";
            frames.frame(HEADERS, END_HEADERS, id, head).await;
            frames.frame(DATA, END_STREAM, id, b"too much").await;
            // No more of it, please (RFC 9113 section 8.1).
            frames.frame(RST_STREAM, 0, id, &[0; 4]).await;
        }
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    caller.piece("some of it").await;
    let answer = caller.answer(false).await.unwrap();
    let told = (answer.status, answer.text());
    assert_eq!(told, (413, "too much".to_owned()));
    assert_eq!(proxy.get("/api/x").await.status, 413);
    assert_eq!(api.agreed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_resets_its_stream_and_no_other() {
    let (told, mut gone) = mpsc::channel::<Reason>(1);
    let api = Framed::calls(
        server::Builder::new(),
        &told,
        |mut call: Call, told| async move {
            if call.request.uri().path() == "/x" {
                return call.reply("hello");
            }
            let mut stream = call.begin();
            let body = Bytes::from_static(b"some");
            assert!(send(&mut stream, body).await);
            let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
            told.send(reason.unwrap()).await.unwrap();
        },
    )
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin("/api/long").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"some");
    drop(caller);
    let reason = timeout(PATIENCE, gone.recv()).await.expect("it goes on");
    assert_eq!(reason, Some(Reason::CANCEL));
    assert_eq!(proxy.get("/api/x").await.text(), "hello");
    assert_eq!(api.agreed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_its_caller_gives_up_never_looks_whole() {
    let (told, mut ends) = mpsc::channel::<bool>(1);
    let begun = Arc::new(Notify::new());
    let shared = (told, begun.clone());
    let api = Framed::calls(
        server::Builder::new(),
        &shared,
        |mut call: Call, (told, begun)| async move {
            let body = call.request.body_mut();
            assert!(matches!(body.data().await, Some(Ok(_))));
            begun.notify_one();
            // A reset; not an end.
            let whole = body.data().await.is_none();
            told.send(whole).await.unwrap();
        },
    )
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    caller.piece("some").await;
    begun.notified().await;
    drop(caller);
    let whole = timeout(PATIENCE, ends.recv()).await.expect("it hangs");
    assert_eq!(whole, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_may_be_silent_only_so_long() {
    let api = Framed::calls(
        server::Builder::new(),
        &(),
        |mut call: Call, ()| async move {
            if call.request.uri().path() == "/body" {
                let mut stream = call.begin();
                send(&mut stream, Bytes::from_static(b"some")).await;
                std::future::pending::<()>().await;
            }
            std::future::pending::<()>().await;
        },
    )
    .await;
    let text = api.upstream("http2 = true\nresponse_timeout = \"2s\"");
    let proxy = TestProxy::start(&text);
    let mut caller = proxy.caller().await;
    caller.begin("/api/body").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"some");
    let (rest, answer) = tokio::join!(caller.chunk(), proxy.get("/api/head"));
    assert!(rest.is_err(), "it seems to be whole");
    assert_eq!((answer.status, answer.code().as_str()), (504, "UA-0402"));
    assert_eq!(api.agreed().len(), 1, "the connection is not to blame");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_noticed_and_the_request_sent_once_more() {
    let api = Framed::calls(
        server::Builder::new(),
        &(),
        |mut call: Call, ()| async move {
            call.body().await;
            if call.request.headers()["authorization"] == "Bearer token-2" {
                return call.reply("hello");
            }
            let mut answer = Response::new(());
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            let kind = http::HeaderValue::from_static("application/json");
            answer.headers_mut().insert("content-type", kind);
            let mut stream = call.respond.send_response(answer, false).unwrap();
            let body = Bytes::from_static(br#"{"message":"Authentication error"}"#);
            stream.send_data(body, true).unwrap();
        },
    )
    .await;
    let proxy = api.proxy();
    let answer = proxy.post("/api/v1/x", "body").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    assert_eq!(api.agreed().len(), 1);
}
