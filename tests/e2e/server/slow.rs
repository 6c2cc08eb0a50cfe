//! Callers that keep the proxy waiting: cut in time, and not before.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::support::caller::PATIENCE;
use crate::support::tls::{Ca, Folder, connect};
use crate::support::{Caller, H2, Scripted, TestProxy};

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame.
pub(super) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Far above what a `header_timeout` is here, and less than it is if nothing is said of it.
pub(super) const IN_TIME: Duration = Duration::from_secs(8);

/// Waits until the proxy closes `caller`, which reads whatever comes.
pub(super) async fn closed<S>(mut caller: Caller<S>, within: Duration, what: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let end = timeout(within, async { while caller.exactly(1).await.is_ok() {} });
    assert!(end.await.is_ok(), "never closed: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_does_not_finish_a_head_is_cut_within_the_header_timeout() {
    let api = Scripted::constant("never").await;
    let text = format!(
        "{}[server.limits]\nheader_timeout = \"1s\"\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let openings: [&[u8]; 7] = [
        b"",
        b"G",
        b"P",
        b"GET /api/x HTTP/1.1\r\nHost: localh",
        b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n",
        &PREFACE[..12],
        PREFACE,
    ];
    let mut cut = tokio::task::JoinSet::new();
    for opening in openings {
        // The proxy's clock runs as soon as it has the connection.
        let began = Instant::now();
        let mut caller = proxy.caller().await;
        cut.spawn(async move {
            let shown = String::from_utf8_lossy(opening);
            caller.write(opening).await;
            closed(caller, IN_TIME, &shown).await;
            let took = began.elapsed();
            assert!(took > Duration::from_millis(800), "{shown:?}: {took:?}");
        });
    }
    cut.join_all().await;
    assert!(api.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_drips_a_head_is_cut_in_total_time_even_after_a_good_request() {
    let api = Scripted::constant("ok").await;
    let text = format!(
        "{}[server.limits]\nheader_timeout = \"1s\"\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    for good_requests in [0, 1] {
        let mut caller = proxy.caller().await;
        for _ in 0..good_requests {
            caller.get("/api/x").await;
        }
        let head = format!(
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Long: {}",
            "x".repeat(40)
        );
        let mut taken = 0;
        for byte in head.as_bytes() {
            if caller.stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            taken += 1;
            sleep(Duration::from_millis(100)).await;
        }
        assert!(caller.head().await.is_err());
        assert!(taken < head.len(), "never cut");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_handshake_that_stalls_is_cut_within_the_header_timeout() {
    let api = Scripted::constant("never").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let (certificate, key) = ca.issue("localhost");
    let certificate = folder.write("cert.pem", &certificate);
    let key = folder.write("key.pem", &key);
    let proxy = TestProxy::start(&format!(
        "[server]\ntls = {{ cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }} }}\n\
         [server.limits]\nheader_timeout = \"1s\"\n{}",
        api.upstream()
    ));
    let silent = proxy.caller().await;
    let mut half_hello = proxy.caller().await;
    // The beginning of a TLS record that announces 512 bytes of ClientHello.
    half_hello
        .write([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
        .await;
    let done = |alpn| connect(proxy.addr(), "localhost", &ca.pem, alpn);
    let quiet_h1 = Caller::over(done(&["http/1.1"]).await.unwrap());
    let quiet_h2 = Caller::over(done(&["h2"]).await.unwrap());
    tokio::join!(
        closed(silent, IN_TIME, "silent"),
        closed(half_hello, IN_TIME, "half hello"),
        closed(quiet_h1, IN_TIME, "h1"),
        closed(quiet_h2, IN_TIME, "h2")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_for_the_idle_timeout_and_no_longer() {
    let api = Scripted::constant("ok").await;
    let text = format!(
        "{}[server.limits]\nheader_timeout = \"500ms\"\nidle_timeout = \"4s\"\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    // Frames that begin no request do not keep a connection for ever.
    let mut raw = proxy.caller().await;
    raw.write([PREFACE, SETTINGS].concat()).await;
    let (mut h1, mut h2) = (proxy.caller().await, H2::connect(proxy.addr()).await);
    for _ in 0..2 {
        assert_eq!(h1.get("/api/x").await.status, 200);
        assert_eq!(h2.get("/api/x").await.status, 200);
        // Longer than the time for a head: nobody has begun one.
        sleep(Duration::from_millis(1300)).await;
        assert!(!h2.is_closed(), "HTTP/2 was cut early");
    }
    let began = Instant::now();
    assert_eq!(h1.get("/api/x").await.status, 200, "HTTP/1.1 was cut early");
    closed(h1, PATIENCE, "HTTP/1.1").await;
    let took = began.elapsed();
    assert!(took > Duration::from_millis(3500), "{took:?}");
    timeout(PATIENCE, async {
        while !h2.is_closed() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("HTTP/2 was never cut");
    closed(raw, PATIENCE, "HTTP/2 without a request").await;
}

/// An API that finds no body complete.
pub(super) async fn never_complete() -> Scripted {
    Scripted::start(|mut connection| async move {
        if let Some(seen) = connection.head().await {
            assert_eq!(connection.body(&seen).await, None, "it looked complete");
        }
    })
    .await
}

pub(super) fn short_patience(api: &Scripted) -> String {
    format!("{}[server.limits]\nidle_timeout = \"1s\"\n", api.upstream())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_answered_408_and_breaks_off_upstream() {
    let api = never_complete().await;
    let proxy = TestProxy::start(&short_patience(&api));
    for framing in [
        "Content-Length: 10\r\n\r\nx",
        "Content-Length: 1000000\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    ] {
        let mut caller = proxy.caller().await;
        let request = format!("POST /api/up HTTP/1.1\r\nHost: localhost\r\n{framing}");
        let answer = caller.ask(request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "UA-0504"),
            "{framing}"
        );
        assert!(caller.is_closed(PATIENCE).await, "{framing}");
    }
    assert_eq!(
        api.seen().len(),
        2,
        "a short body is read before anything is sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_that_keeps_coming_is_not_cut() {
    let api = Scripted::constant("ok").await;
    let text = format!(
        "{}[server.limits]\nheader_timeout = \"500ms\"\nidle_timeout = \"2500ms\"\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    // Together longer than it may be silent.
    for _ in 0..7 {
        caller.write("1\r\nx\r\n").await;
        sleep(Duration::from_millis(400)).await;
    }
    caller.write("0\r\n\r\n").await;
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    assert_eq!(api.seen()[0].body, b"x".repeat(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_takes_nothing_of_its_answer_is_cut() {
    let (gone, mut went) = mpsc::channel(1);
    let api = Scripted::start_with(&gone, |mut connection, gone| async move {
        if connection.begin("text/plain").await.is_none() {
            return;
        }
        let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while connection.caller.stream.write_all(&piece).await.is_ok() {}
        gone.send(()).await.unwrap();
    })
    .await;
    let limits = "[server.limits]\nidle_timeout = \"200ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let mut caller = proxy.caller().await;
    caller.begin("/api/x").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    timeout(PATIENCE, went.recv()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_size_that_drips_without_end_is_a_body_that_stalls() {
    let api = never_complete().await;
    let proxy = TestProxy::start(&short_patience(&api));
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    caller.piece("hello").await;
    let dripping = async {
        loop {
            // Never a piece, never silence.
            tokio::select! {
                answer = caller.head() => return answer,
                () = sleep(Duration::from_millis(50)) => {}
            }
            caller.write("0").await;
        }
    };
    let answer = timeout(PATIENCE, dripping).await.expect("never cut");
    assert_eq!(answer.unwrap().status, 408);
}
