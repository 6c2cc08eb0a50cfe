//! Connections that rest between requests, told to without waiting.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use http::Response;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::server::watch::Watch;

/// A socket that counts how often it was asked to tell when there is something to read, as who rests does, and how often it
/// was shut down, as who lingers does.
struct Bare(TcpStream, Arc<Counts>);

#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    shut: AtomicUsize,
}

impl Wire for Bare {
    fn end_badly(&self) {
        self.0.end_badly();
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.1.asked.fetch_add(1, Ordering::Relaxed);
        self.0.poll_readable(cx)
    }
}

impl AsyncRead for Bare {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Bare {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.shut.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn limits() -> Limits {
    Limits {
        header_bytes: 64 * 1024,
        header_fields: 100,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        connections: 9,
        requests_in_flight: 9,
        replay_bytes: 0,
        buffer_bytes: 0,
    }
}

struct Connected {
    caller: TcpStream,
    counts: Arc<Counts>,
    entry: Entry,
    floor: Floor,
    served: JoinSet<()>,
}

impl Connected {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap());
        let (caller, accepted) = tokio::join!(caller, listener.accept());
        let floor = Floor::new(limits());
        let entry = Watch::new(&floor.limits).enter(Arc::default());
        let counts = Arc::<Counts>::default();
        let bare = Bare(accepted.unwrap().0, counts.clone());
        let (at, own) = (floor.clone(), entry.clone());
        let mut served = JoinSet::new();
        served.spawn(async move {
            let service = tower::service_fn(|_: http::Request<Incoming>| {
                std::future::ready(Ok::<_, Infallible>(Response::new("hello".to_owned())))
            });
            serve(Watched::new(bare, own.clone()), service, &at, &own).await;
        });
        Self {
            caller: caller.unwrap(),
            counts,
            entry,
            floor,
            served,
        }
    }

    async fn say(&mut self, part: &str) {
        self.caller.write_all(part.as_bytes()).await.unwrap();
    }

    async fn hears_hello(&mut self) {
        let mut heard = Vec::new();
        while !heard.ends_with(b"hello") {
            assert_ne!(self.caller.read_buf(&mut heard).await.unwrap(), 0);
        }
        assert!(heard.starts_with(b"HTTP/1."));
        assert!(heard[8..].starts_with(b" 200 "));
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        let met = async {
            while !what(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), met)
            .await
            .expect("it does not come about");
    }

    fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::Relaxed)
    }

    async fn rests(&self) {
        self.until(|this| this.entry.is_idle()).await;
        let before = self.asked();
        self.entry.tell_to_rest();
        self.until(|this| this.asked() > before).await;
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_that_rests_serves_the_next_request() {
    let mut connected = Connected::new().await;
    for _ in 0..3 {
        connected.say(REQUEST).await;
        connected.hears_hello().await;
        connected.rests().await;
    }
}

#[tokio::test]
async fn half_a_request_is_not_given_up() {
    let mut connected = Connected::new().await;
    connected.say(REQUEST).await;
    connected.hears_hello().await;
    let (half, rest) = REQUEST.split_at(9);
    connected.say(half).await;
    connected.until(|this| !this.entry.is_idle()).await;
    connected.entry.tell_to_rest();
    tokio::time::sleep(Duration::from_millis(50)).await;
    connected.say(rest).await;
    connected.hears_hello().await;
    assert_eq!(connected.asked(), 0);
}

#[tokio::test]
async fn a_caller_that_leaves_while_its_connection_rests_is_noticed() {
    let mut connected = Connected::new().await;
    connected.say(REQUEST).await;
    connected.hears_hello().await;
    connected.rests().await;
    drop(connected.caller);
    let served = tokio::time::timeout(Duration::from_secs(30), connected.served.join_next());
    served.await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_drain_ends_idle_connections_but_no_request_that_was_sent() {
    for (rests, asks) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut connected = Connected::new().await;
        connected.say(REQUEST).await;
        connected.hears_hello().await;
        if rests {
            connected.rests().await;
        }
        if asks {
            connected.say(REQUEST).await;
        }
        connected.floor.drain.cancel();
        if asks {
            connected.hears_hello().await;
        }
        assert_eq!(connected.caller.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_caller_that_has_said_its_last_is_not_listened_to_any_longer() {
    let rows = [
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n\r\n", 0),
        ("GET / HTTP/1.0\r\n\r\n", 0),
        // More may be on its way.
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\nGET",
            1,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\n",
            1,
        ),
    ];
    for (said, shut) in rows {
        let mut connected = Connected::new().await;
        connected.say(said).await;
        connected.hears_hello().await;
        assert_eq!(connected.caller.read(&mut [0]).await.unwrap(), 0, "{said}");
        assert_eq!(
            connected.counts.shut.load(Ordering::Relaxed),
            shut,
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_caller_that_has_left_is_not_said_good_bye_to() {
    let mut connected = Connected::new().await;
    connected.say(REQUEST).await;
    connected.hears_hello().await;
    connected.caller.shutdown().await.unwrap();
    assert_eq!(connected.caller.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(connected.counts.shut.load(Ordering::Relaxed), 0);
}
