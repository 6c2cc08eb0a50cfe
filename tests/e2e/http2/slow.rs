//! Uploads that an upstream takes slowly, each in its turn: what comes with a body must not stand behind them all.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, HEADERS, SETTINGS, WINDOW_UPDATE,
};
use crate::support::{Framed, TestProxy};

/// Has room for a little more of all bodies twice a second, and answers what has the body `x`.
async fn serve(mut frames: Frames<TlsStream<TcpStream>>) {
    // SETTINGS_INITIAL_WINDOW_SIZE: a stream has room for all.
    frames.frame(SETTINGS, 0, 0, &[0, 4, 0, 0x10, 0, 0]).await;
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(500)) => {
                frames.frame(WINDOW_UPDATE, 0, 0, &1000_u32.to_be_bytes()).await;
            }
            frame = frames.next() => match frame {
                None => return,
                Some((DATA, id, data)) if data == b"x" => {
                    frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                    frames.frame(DATA, END_STREAM, id, b"ok").await;
                }
                Some(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_taken_slowly_hold_up_no_other_body_for_long() {
    let api = Framed::frames(&(), |frames, _, ()| serve(frames)).await;
    let proxy = TestProxy::start(&api.upstream("http2 = true"));
    let mut uploads = Vec::new();
    for _ in 0..20 {
        let mut upload = proxy.caller().await;
        upload.begin_upload("/api/upload").await;
        upload.piece(&"y".repeat(10_000)).await;
        uploads.push(upload);
    }
    sleep(Duration::from_millis(2500)).await;
    let began = Instant::now();
    assert_eq!(proxy.post("/api/x", "x").await.text(), "ok");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(api.agreed().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_slow_callers_share_a_connection() {
    let api = Framed::frames(&(), |frames, _, ()| serve(frames)).await;
    let proxy = TestProxy::start(&api.upstream("http2 = true"));
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut upload = proxy.caller().await;
        upload.begin_upload("/api/upload").await;
        for _ in 0..4 {
            upload.piece("y").await;
            sleep(Duration::from_millis(400)).await;
        }
        uploads.push(upload);
    }
    assert_eq!(proxy.post("/api/x", "x").await.text(), "ok");
    assert_eq!(api.agreed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_for_which_the_socket_has_no_room_holds_up_nobody_for_long() {
    let api = Framed::frames(&(), |mut frames, number, ()| async move {
        // Room for all in HTTP/2: who reads slowly, or a slow way, holds back by TCP alone.
        let wide = 0x7fff_0000_u32.to_be_bytes();
        let window = [&[0, 4][..], &wide].concat();
        frames.frame(SETTINGS, 0, 0, &window).await;
        frames.frame(WINDOW_UPDATE, 0, 0, &wide).await;
        while let Some(id) = frames.request().await {
            if number == 0 {
                return std::future::pending().await;
            }
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, END_STREAM, id, b"ok").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream("http2 = true"));
    let mut upload = proxy.caller().await;
    upload.begin_upload("/api/upload").await;
    let all = "y".repeat(32 * 1024 * 1024);
    let taken = timeout(Duration::from_millis(2500), upload.piece(&all)).await;
    assert!(taken.is_err(), "there was room for all of it");
    for _ in 0..2 {
        assert_eq!(proxy.get("/api/x").await.text(), "ok");
        assert_eq!(proxy.post("/api/x", "x").await.text(), "ok");
    }
    assert_eq!(api.agreed().len(), 2);
}
