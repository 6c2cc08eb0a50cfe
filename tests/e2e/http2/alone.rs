//! Some servers end a connection, with all requests that are on it, for what one of them is: that has one of HTTP/1.1 of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::support::caller::PATIENCE;
use crate::support::frames::{DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, SETTINGS};
use crate::support::{Caller, Framed, TestProxy};

/// An upstream that has both, and says in each answer over which it was asked. A connection of HTTP/2 ends with the third request, for
/// this reason.
async fn both(reason: u8) -> Framed {
    Framed::accept(&["h2", "http/1.1"], move |stream, _| async move {
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => over_http2(stream, reason).await,
            _ => over_http1(stream).await,
        }
    })
    .await
}

async fn over_http2(stream: TlsStream<TcpStream>, reason: u8) {
    let mut frames = Frames::accept(stream).await.unwrap();
    frames.frame(SETTINGS, 0, 0, &[]).await;
    for _ in 0..2 {
        let Some(id) = frames.request().await else {
            return;
        };
        frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
        frames.frame(DATA, END_STREAM, id, b"HTTP/2").await;
    }
    if let Some(id) = frames.request().await {
        let last = u8::try_from(id).unwrap();
        frames
            .frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, reason])
            .await;
    }
}

async fn over_http1(stream: TlsStream<TcpStream>) {
    let mut caller = Caller::over(stream);
    while let Some(head) = caller.request_head().await {
        if head.to_ascii_lowercase().contains("chunked") {
            while caller.chunk().await.unwrap().is_some() {}
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1";
        caller.write(answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_some_server_ends_a_connection_for_has_one_of_its_own() {
    let api = both(0).await;
    let proxy = api.proxy();
    assert_eq!(proxy.get("/api/x").await.text(), "HTTP/2");
    let long = format!("X-Long: {}\r\n", "x".repeat(5000));
    assert_eq!(proxy.get_with("/api/x", &long).await.text(), "HTTP/1.1");
    let query = format!("/api/x?q={}", "x".repeat(5000));
    assert_eq!(proxy.get(&query).await.text(), "HTTP/1.1");
    assert_eq!(proxy.get("/api/100%").await.text(), "HTTP/1.1");
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/x").await;
    caller.piece("x").await;
    caller.end().await;
    assert_eq!(caller.answer(false).await.unwrap().text(), "HTTP/1.1");
    assert_eq!(proxy.post("/api/x", "x").await.text(), "HTTP/2");
    assert_eq!(api.agreed(), ["h2", "http/1.1"], "both are used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_good_bye_that_names_an_error_all_have_for_an_hour() {
    // ENHANCE_YOUR_CALM, and no error.
    for (reason, next) in [(11, "HTTP/1.1"), (0, "HTTP/2")] {
        let api = both(reason).await;
        let proxy = api.proxy();
        for _ in 0..2 {
            assert_eq!(proxy.get("/api/x").await.text(), "HTTP/2");
        }
        // The third is sent again, and where it may be to blame itself, not on a connection of others.
        assert_eq!(proxy.get("/api/x").await.text(), next, "{reason}");
        assert_eq!(proxy.post("/api/x", "x").await.text(), next, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_http2_is_all_there_is_they_share_it() {
    let api = Framed::calls(h2::server::Builder::new(), &(), |mut call, ()| async move {
        let body = call.body().await;
        assert_eq!(body, b"piece");
        call.reply("HTTP/2");
    })
    .await;
    let proxy = api.proxy();
    for _ in 0..3 {
        let mut caller = proxy.caller().await;
        caller.begin_upload("/api/x").await;
        caller.piece("piece").await;
        caller.end().await;
        assert_eq!(caller.answer(false).await.unwrap().text(), "HTTP/2");
    }
    assert_eq!(api.agreed(), ["h2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pieces_of_a_body_of_known_length_are_gathered() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let api = Framed::frames(&sizes, |mut frames, _, sizes| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some((kind, id, payload)) = frames.next().await {
            if kind == DATA {
                sizes.lock().unwrap().push(payload.len());
            }
            if sizes.lock().unwrap().iter().sum::<usize>() == LENGTH - 50 {
                frames
                    .frame(HEADERS, END_HEADERS | END_STREAM, id, &[0x88])
                    .await;
            }
        }
    })
    .await;
    // It is longer than what is kept to be sent again, and so goes on as it comes.
    const LENGTH: usize = 4000;
    let limits = "[server.limits]\nreplay_bytes = \"1KiB\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream("http2 = true")));
    let mut caller = proxy.caller().await;
    let head =
        format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n");
    caller.write(head).await;
    // What is there goes on in the end, though no more comes.
    caller.write([b'x'; 50]).await;
    let first = async {
        while sizes.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, first).await.expect("it is held for ever");
    assert_eq!(std::mem::take(&mut *sizes.lock().unwrap()), [50]);
    for _ in 1..LENGTH / 50 {
        caller.write([b'x'; 50]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    let sizes = sizes.lock().unwrap();
    let (_, all_but_last) = sizes.split_last().unwrap();
    assert!(all_but_last.len() >= 2, "{sizes:?}");
    assert!(all_but_last.iter().all(|size| *size >= 1024), "{sizes:?}");
}
