//! Callers of HTTP/2, and within TLS, that keep the proxy waiting.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::slow::{IN_TIME, PREFACE, SETTINGS, closed, never_complete, short_patience};
use crate::support::caller::PATIENCE;
use crate::support::frames::{END_STREAM, End, Frames, HEADERS, PING, WINDOW_UPDATE, frame};
use crate::support::tls::{Ca, Folder, connect};
use crate::support::{Caller, H2, Scripted, TestProxy};

/// A flag of SETTINGS and PING.
const ACK: u8 = 1;

/// The fields of a `GET`.
fn get(path: &[u8]) -> [(&[u8], &[u8]); 4] {
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", path),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_http2_connection_outlives_the_time_for_a_head() {
    let api = Scripted::constant("ok").await;
    let limits = "[server.limits]\nheader_timeout = \"400ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let mut caller = H2::connect(proxy.addr()).await;
    assert_eq!(caller.get("/api/x").await.status, 200);
    // Idle, but for pings.
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(caller.get("/api/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_not_finished_are_cut_over_tls_and_http2_as_well() {
    let api = Scripted::constant("ok").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let (certificate, key) = ca.issue("localhost");
    let certificate = folder.write("cert.pem", &certificate);
    let key = folder.write("key.pem", &key);
    let tls =
        format!("tls = {{ cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }} }}");
    let limits = "[server.limits]\nheader_timeout = \"500ms\"\nidle_timeout = \"60s\"\n";
    let plain = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let secure = TestProxy::start(&format!("[server]\n{tls}\n{limits}{}", api.upstream()));
    // A HEADERS frame of stream 1 that another one would have to end.
    let half = frame(HEADERS, END_STREAM, 1, b"\x82\x86\x84");
    let half = [PREFACE, SETTINGS, &half].concat();
    let openings: [(&str, &[u8]); 6] = [
        ("http/1.1", b"G"),
        ("http/1.1", b"GET /api/x HTTP/1.1\r\nHost: localh"),
        (
            "http/1.1",
            b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n",
        ),
        ("h2", &PREFACE[..12]),
        ("h2", PREFACE),
        ("h2", &half),
    ];
    for (alpn, opening) in openings {
        let stream = connect(secure.addr(), "localhost", &ca.pem, &[alpn]).await;
        let mut over_tls = Caller::over(stream.unwrap());
        let mut over_tcp = plain.caller().await;
        over_tls.write(opening).await;
        over_tcp.write(opening).await;
        let shown = format!("{alpn} {:?}", String::from_utf8_lossy(opening));
        tokio::join!(
            closed(over_tls, IN_TIME, &shown),
            closed(over_tcp, IN_TIME, &shown)
        );
    }
    assert!(api.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_half_a_head_nor_pings_keep_a_connection_of_http2_that_has_no_request() {
    let api = Scripted::constant("ok").await;
    let limits = "[server.limits]\nheader_timeout = \"500ms\"\nidle_timeout = \"1s\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    for pings in [false, true] {
        let mut caller = Frames::connect(proxy.addr()).await;
        caller.headers(1, &get(b"/api/x"), true).await;
        assert_eq!(caller.end(1).await, End::Status(200));
        if !pings {
            caller.frame(HEADERS, END_STREAM, 3, b"\x82\x86\x84").await;
        }
        let closed = async {
            loop {
                tokio::select! {
                    next = caller.next() => if next.is_none() { break },
                    () = sleep(Duration::from_millis(100)) => {}
                }
                if pings {
                    caller.frame(PING, 0, 0, b"12345678").await;
                }
            }
        };
        timeout(IN_TIME, closed).await.expect("never closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_answers_pings_late_is_not_cut_and_one_that_never_does_is_in_the_end() {
    let api = Scripted::start_with(&(), |mut connection, ()| async move {
        connection.request().await;
        connection.write("HTTP/1.1 200 OK\r\n\r\n").await;
        while connection.caller.stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    // A caller may take nothing for four times as long as it may be idle.
    let limits = "[server.limits]\nheader_timeout = \"100ms\"\nidle_timeout = \"500ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let stays = async |answers: bool| {
        let mut caller = Frames::connect(proxy.addr()).await;
        caller.headers(1, &get(b"/api/x"), true).await;
        let began = Instant::now();
        let pings = async {
            while let Some((kind, _, ping)) = caller.next().await {
                if kind == PING && answers {
                    sleep(Duration::from_secs(1)).await;
                    caller.frame(PING, ACK, 0, &ping).await;
                }
            }
        };
        let _ = timeout(Duration::from_secs(6), pings).await;
        began.elapsed()
    };
    let (late, never) = tokio::join!(stays(true), stays(false));
    assert!(late >= Duration::from_secs(6), "{late:?}");
    let bounds = Duration::from_secs(2)..Duration::from_secs(6);
    assert!(bounds.contains(&never), "{never:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_over_http2_that_stalls_is_answered_408() {
    let api = never_complete().await;
    let proxy = TestProxy::start(&short_patience(&api));
    let length: [&[&[u8]]; 2] = [&[b"1000000"], &[]];
    for length in length {
        let mut caller = Frames::connect(proxy.addr()).await;
        let mut fields: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", b"localhost"),
            (b":path", b"/api/up"),
        ];
        fields.extend(
            length
                .iter()
                .map(|length| (&b"content-length"[..], *length)),
        );
        caller.headers(1, &fields, false).await;
        caller.data(1, b"x", false).await;
        assert_eq!(caller.end(1).await, End::Status(408), "{length:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_on_a_stream_whose_window_stays_shut_is_given_up_and_its_connection_goes_on() {
    let (gone, mut went) = mpsc::channel(1);
    let api = Scripted::start_with(&gone, |mut connection, gone| async move {
        while let Some(seen) = connection.request().await {
            if seen.target != "/endless" {
                connection.reply("200 OK", "", "ok").await;
                continue;
            }
            connection.write("HTTP/1.1 200 OK\r\n\r\n").await;
            let piece = [b'x'; 0x10000];
            while connection.caller.stream.write_all(&piece).await.is_ok() {}
            return gone.send(()).await.unwrap();
        }
    })
    .await;
    let limits = "[server.limits]\nidle_timeout = \"200ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let mut caller = Frames::connect(proxy.addr()).await;
    let ask = async |caller: &mut Frames, id, path: &[u8]| {
        caller.headers(id, &get(path), true).await;
        caller.end(id).await
    };
    let more = 0x10000_u32.to_be_bytes();
    assert_eq!(ask(&mut caller, 1, b"/api/endless").await, End::Status(200));
    let mut id = 1;
    let given_up = async {
        while went.try_recv().is_err() {
            id += 2;
            caller.frame(WINDOW_UPDATE, 0, 0, &more).await;
            match ask(&mut caller, id, b"/api/x").await {
                // Idle by then: this machine is slow.
                End::Gone => return went.recv().await.unwrap(),
                end => assert_eq!(end, End::Status(200)),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, given_up).await.expect("never given up");
    caller.frame(WINDOW_UPDATE, 0, 1, &more).await;
    // Or it is gone: idle by now, if this machine is slow.
    let end = caller.end(1).await;
    assert!(matches!(end, End::Reset | End::Gone), "{end:?}");
}
