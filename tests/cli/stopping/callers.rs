//! Who is there when the stop begins.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::scene::{LARGE, Scene};
use crate::support::caller::Answer;
use crate::support::frames::{End, Frames};
use crate::support::{Caller, H2, h2};
use crate::until;

/// A body that is too long to be read whole before it is sent on.
const UPLOAD: usize = 100_000;
const PART: usize = 70_000;

/// Reads the rest of an answer slowly.
async fn sip(mut caller: Caller, head: &Answer) -> Result<usize, String> {
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    let mut read = 0;
    while read < length {
        let piece = caller.exactly((length - read).min(64 * 1024)).await?;
        read += piece.len();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(read)
}

/// Asks again and again on one connection, as long as it is answered: how often it was, and whether the last answer said
/// that it was the last.
pub(super) fn keep_asking(mut caller: Caller) -> JoinHandle<(usize, bool)> {
    tokio::task::spawn(async move {
        let (mut answered, mut is_last) = (0, false);
        loop {
            let request = "GET /api/again HTTP/1.1\r\nHost: localhost\r\n\r\n";
            if caller.stream.write_all(request.as_bytes()).await.is_err() {
                return (answered, is_last);
            }
            let Ok(head) = caller.head().await else {
                assert!(caller.buffered().is_empty(), "a part of a head came");
                return (answered, is_last);
            };
            is_last = head.header("connection") == Some("close");
            let answer = caller.rest_of(head, false).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
            answered += 1;
        }
    })
}

/// Callers with a request under way, in every phase of one.
pub(super) struct Busy {
    /// Half of a body that is read whole before it is sent on.
    small: Caller,
    /// A part of one that is sent on as it comes.
    upload: Caller,
    /// No head of an answer yet.
    waits: Caller,
    /// Half of an answer.
    half: Caller,
    /// The head of a large answer, of which nothing else is read.
    reader: (Caller, Answer),
    /// No head, and half of an answer, on one connection of HTTP/2.
    streams: Vec<JoinHandle<Result<Answer, String>>>,
}

impl Busy {
    pub(super) async fn begin(scene: &Scene<'_>) -> Self {
        let mut small = scene.caller().await;
        let head = "POST /api/up?small HTTP/1.1\r\nHost: localhost\r\n\
             Expect: 100-continue\r\nContent-Length: 6\r\n\r\n";
        small.write(head).await;
        let wanted = b"HTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(small.exactly(wanted.len()).await.unwrap(), wanted);
        small.write("abc").await;
        let mut upload = scene.caller().await;
        let head = format!(
            "POST /api/up?large HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD}\r\n\r\n"
        );
        upload.write(head).await;
        upload.write([b'u'; PART]).await;
        let mut waits = scene.caller().await;
        waits.begin("/api/wait").await;
        let mut half = scene.caller().await;
        half.begin("/api/long").await;
        assert_eq!(half.head().await.unwrap().status, 200);
        assert_eq!(half.exactly(5).await.unwrap(), b"hello");
        let mut reader = scene.caller().await;
        reader.begin("/api/large").await;
        let head = reader.head().await.unwrap();
        let h2 = H2::connect(scene.addr).await;
        let streams = ["/api/wait?h2", "/api/long?h2"].map(|path| {
            let mut h2 = h2.clone();
            tokio::task::spawn(async move { h2.ask(h2::get(path)).await })
        });
        scene.has_sent_on(&["/up?large", "/wait", "/wait?h2", "/long?h2"]);
        Self {
            small,
            upload,
            waits,
            half,
            reader: (reader, head),
            streams: streams.into(),
        }
    }

    /// Each sends and reads what is left; none loses anything.
    pub(super) async fn finish(mut self) {
        self.small.write("def").await;
        for _ in (PART..UPLOAD).step_by(1000) {
            self.upload.write([b'u'; 1000]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (caller, body) in [
            (&mut self.small, "6"),
            (&mut self.upload, "100000"),
            (&mut self.waits, "waited"),
        ] {
            let answer = caller.answer(false).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, body));
            assert_eq!(answer.header("connection"), Some("close"));
        }
        assert_eq!(self.half.exactly(5).await.unwrap(), b"world");
        let (reader, head) = self.reader;
        assert_eq!(sip(reader, &head).await, Ok(LARGE));
        for (stream, body) in self.streams.into_iter().zip(["waited", "helloworld"]) {
            let answer = stream.await.unwrap().unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, body));
        }
    }

    /// None has got an answer that looks whole.
    pub(super) async fn was_cut(mut self) {
        for caller in [&mut self.small, &mut self.upload, &mut self.waits] {
            let answer = caller.answer(false).await;
            assert!(answer.is_err(), "{answer:?}");
        }
        assert!(self.half.exactly(5).await.is_err());
        let (reader, head) = self.reader;
        assert!(sip(reader, &head).await.is_err());
        for stream in self.streams {
            let answer = stream.await.unwrap();
            assert!(answer.is_err(), "{answer:?}");
        }
    }

    /// What they ask for.
    pub(super) const TARGETS: [&str; 4] = ["up", "wait", "long", "large"];
}

/// Callers that are not to hold the stop.
pub(super) struct Lingering {
    idle: Caller,
    idle_h2: H2,
    silent: Caller,
    /// Half a head.
    half: Caller,
    /// HTTP/2: it was answered, and acknowledges nothing.
    deaf: Frames,
}

impl Lingering {
    pub(super) async fn begin(scene: &Scene<'_>) -> Self {
        let mut idle = scene.caller().await;
        assert_eq!(idle.get("/api/x").await.status, 200);
        let mut idle_h2 = H2::connect(scene.addr).await;
        assert_eq!(idle_h2.get("/api/x").await.status, 200);
        let mut deaf = Frames::connect(scene.addr).await;
        let fields: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/api/x"),
            (b":authority", b"localhost"),
        ];
        deaf.headers(1, &fields, true).await;
        assert_eq!(deaf.end(1).await, End::Status(200));
        let silent = scene.caller().await;
        let mut half = scene.caller().await;
        half.write("GET /api/never HTTP/1.1\r\nHost: loc").await;
        Self {
            idle,
            idle_h2,
            silent,
            half,
            deaf,
        }
    }

    /// All connections are over, and nobody was told anything.
    pub(super) async fn are_gone(mut self) {
        let soon = Duration::from_secs(10);
        for caller in [&mut self.idle, &mut self.silent, &mut self.half] {
            assert!(caller.is_closed(soon).await);
        }
        while self.deaf.next().await.is_some() {}
        until("HTTP/2 goes on", || self.idle_h2.is_closed());
    }
}
