//! Answers in pieces that are small or empty: a connection that others share bears them, whoever reads them or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::caller::PATIENCE;
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, HEADERS, SETTINGS, WINDOW_UPDATE,
};
use crate::support::{Call, Caller, Framed, together};

/// More than waits here, with what a caller's window takes.
const LENGTH: usize = 512 * 1024;

fn body() -> Bytes {
    (0..LENGTH).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

#[derive(Clone, Default)]
struct Shared {
    came: Arc<Notify>,
    end: Arc<Notify>,
    sent: Arc<AtomicUsize>,
}

/// `/slow` is answered when it may; others in pieces of so many bytes.
async fn answer(mut call: Call, shared: Shared, size: usize) {
    if call.request.uri().path() == "/slow" {
        shared.came.notify_one();
        shared.end.notified().await;
        return call.reply("slow");
    }
    let (mut stream, mut body) = (call.begin(), body());
    while !body.is_empty() {
        stream.reserve_capacity(size);
        while stream.capacity() < size.min(body.len()) {
            let more = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            assert!(matches!(more, Some(Ok(_))), "it is not wanted any more");
        }
        let piece = body.split_to(size.min(body.len()));
        shared.sent.fetch_add(piece.len(), Ordering::SeqCst);
        stream.send_data(piece, false).unwrap();
    }
    let _ = stream.send_data(Bytes::new(), true);
}

/// Begins a request and takes nothing of its answer but what a window holds.
async fn reader(addr: std::net::SocketAddr) -> Frames {
    let mut frames = Frames::connect(addr).await;
    let fields: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", b"/api/pieces"),
    ];
    frames.headers(1, &fields, true).await;
    frames
}

/// Reads the rest of its answer.
async fn rest(mut frames: Frames) -> Vec<u8> {
    let most = [0x3f, 0, 0, 0];
    frames.frame(WINDOW_UPDATE, 0, 0, &most).await;
    frames.frame(WINDOW_UPDATE, 0, 1, &most).await;
    let mut body = Vec::new();
    let read = async {
        while body.len() < LENGTH {
            let Some((kind, _, payload)) = frames.next().await else {
                return;
            };
            if kind == DATA {
                body.extend(payload);
            }
        }
    };
    timeout(PATIENCE, read).await.expect("it hangs");
    body
}

async fn settled(count: &AtomicUsize) {
    let settled = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = count.load(Ordering::SeqCst);
            if now == before && now > 0 {
                return;
            }
            before = now;
        }
    };
    timeout(PATIENCE, settled).await.expect("it goes on and on");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_read_nothing_of_small_pieces_are_in_nobodys_way() {
    for (readers, size) in [(1, 3), (8, 20), (40, 100)] {
        let shared = Shared::default();
        let mut builder = server::Builder::new();
        // What it has sent has left it.
        builder.max_send_buffer_size(8 * 1024);
        let script = move |call, shared| answer(call, shared, size);
        let api = Framed::calls(builder, &shared, script).await;
        let proxy = api.proxy();
        let addr = proxy.addr();
        let slow = async { proxy.post("/api/slow", "x").await };
        let others = async {
            timeout(PATIENCE, shared.came.notified()).await.unwrap();
            let readers = together(readers, move |_| reader(addr)).await;
            settled(&shared.sent).await;
            shared.end.notify_one();
            readers
        };
        let (slow, mut readers) = tokio::join!(slow, others);
        assert_eq!(slow.text(), "slow", "{size}");
        // They have lost nothing.
        let late = readers.split_off(readers.len().saturating_sub(8));
        for reader in late {
            let got = rest(reader).await;
            assert!(got == body(), "{size}: {} bytes", got.len());
        }
        drop(readers);
        assert_eq!(api.agreed().len(), 1, "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_are_empty_cost_no_connection() {
    let shared = Shared::default();
    let api = Framed::frames(&shared, |mut frames, _, shared| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        let slow = frames.request().await.unwrap();
        shared.came.notify_one();
        loop {
            let id = tokio::select! {
                () = shared.end.notified() => slow,
                id = frames.request() => match id {
                    Some(id) => id,
                    None => return,
                }
            };
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, 0, id, &[]).await;
            frames.frame(DATA, END_STREAM, id, b"flushed").await;
        }
    })
    .await;
    let proxy = api.proxy();
    let slow = async { proxy.post("/api/slow", "x").await };
    let others = async {
        timeout(PATIENCE, shared.came.notified()).await.unwrap();
        let addr = proxy.addr();
        let ask = |_| async move {
            let mut caller = Caller::connect(addr).await;
            let post = "POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
            for _ in 0..25 {
                assert_eq!(caller.ask(post).await.text(), "flushed");
            }
        };
        together(10, ask).await;
        shared.end.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.text(), "flushed");
    assert_eq!(api.agreed().len(), 1);
}
