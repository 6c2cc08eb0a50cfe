//! The end: what is in flight is finished, nobody holds the proxy longer than `drain_timeout`.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use upauth::app::Stopped;

use crate::support::caller::PATIENCE;
use crate::support::ports::free_port;
use crate::support::{Caller, H2, Scripted, TestProxy};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// HEADERS of stream 1, complete: GET, http, `/`, `localhost` (RFC 7541 appendix A).
const GET_ROOT: &[u8] = b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x84\x41\x09localhost";

/// Beginning of an answer, then its end when told; another one that says nothing of its length, without an end.
async fn held(end: &Arc<Notify>) -> Scripted {
    Scripted::start_with(end, |mut connection, end| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/long" {
                connection
                    .write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
                    .await;
                end.notified().await;
                connection.write("world").await;
            } else if seen.target == "/endless" {
                connection.write("HTTP/1.1 200 OK\r\n\r\nhello").await;
                connection.left().await;
                return;
            } else {
                connection.reply("200 OK", "", "ok").await;
            }
        }
    })
    .await
}

/// A proxy that may take long to drain, and should not.
fn start(api: &Scripted) -> TestProxy {
    start_with(api, "drain_timeout = \"60s\"")
}

/// One with these keys for its end, at a port that nobody takes when it is let go.
fn start_with(api: &Scripted, end: &str) -> TestProxy {
    let port = free_port();
    TestProxy::start(&format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nworkers = 1\n{end}\n[server.limits]\nheader_timeout = \"1s\"\n{}",
        api.upstream()
    ))
}

/// Begins the stop, and waits until it has really begun: nobody is let in any more.
async fn stopping(proxy: TestProxy) -> tokio::task::JoinHandle<(Stopped, Duration)> {
    let addr = proxy.addr();
    let began = Instant::now();
    let stop = tokio::task::spawn(async move {
        let stopped = proxy.stop().await;
        (stopped, began.elapsed())
    });
    let refused = timeout(PATIENCE, async {
        while tokio::net::TcpStream::connect(addr).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    refused.await.expect("the door stayed open");
    stop
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_silent_connections_end_at_once() {
    let api = held(&Arc::default()).await;
    let proxy = start(&api);
    let mut idle = proxy.caller().await;
    assert_eq!(idle.get("/api/x").await.status, 200);
    let mut idle_h2 = H2::connect(proxy.addr()).await;
    assert_eq!(idle_h2.get("/api/x").await.status, 200);
    let _silent = proxy.caller().await;
    let (stopped, took) = stopping(proxy).await.await.unwrap();
    assert_eq!(stopped, Stopped::Drained);
    assert!(took < PATIENCE, "{took:?}");
    assert!(idle.is_closed(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_and_a_client_that_acknowledges_nothing_do_not_hold_the_drain() {
    let api = held(&Arc::default()).await;
    let proxy = start(&api);
    let mut half = proxy.caller().await;
    half.write("GET /api/x HTTP/1.1\r\nHost: loc").await;
    let mut half_preface = proxy.caller().await;
    half_preface.write(&PREFACE[..10]).await;
    // It was served once; it answers neither ours nor GOAWAY nor PING.
    let mut deaf = proxy.caller().await;
    deaf.write(PREFACE).await;
    deaf.write(GET_ROOT).await;
    api.saw(1).await;
    let (stopped, took) = stopping(proxy).await.await.unwrap();
    assert_eq!(stopped, Stopped::Drained);
    assert!(took < PATIENCE, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_that_finish_are_complete() {
    let end = Arc::new(Notify::new());
    let api = held(&end).await;
    let proxy = start(&api);
    let mut upload = proxy.caller().await;
    upload
        .write("POST /api/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    let mut long = proxy.caller().await;
    long.begin("/api/long").await;
    let head = long.head().await.unwrap();
    assert_eq!(head.status, 200);
    let mut h2 = H2::connect(proxy.addr()).await;
    let long_h2 =
        tokio::task::spawn(async move { h2.ask(crate::support::h2::get("/api/long")).await });
    api.saw(2).await;
    let stop = stopping(proxy).await;
    upload.write("def").await;
    let answer = upload.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    end.notify_waiters();
    assert_eq!(long.exactly(10).await.unwrap(), b"helloworld");
    assert_eq!(long_h2.await.unwrap().unwrap().text(), "helloworld");
    let (stopped, took) = stop.await.unwrap();
    assert_eq!(stopped, Stopped::Drained);
    assert!(took < PATIENCE, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_is_cut_at_the_deadline_and_does_not_look_complete() {
    let api = held(&Arc::default()).await;
    let proxy = start_with(&api, "drain_timeout = \"3s\"");
    let mut upload = proxy.caller().await;
    upload
        .write("POST /api/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    let mut long = proxy.caller().await;
    long.begin("/api/long").await;
    let mut h2 = H2::connect(proxy.addr()).await;
    let long_h2 =
        tokio::task::spawn(async move { h2.ask(crate::support::h2::get("/api/long")).await });
    let mut old = proxy.caller().await;
    old.write("GET /api/endless HTTP/1.0\r\n\r\n").await;
    old.head().await.unwrap();
    api.saw(3).await;
    let (stopped, took) = stopping(proxy).await.await.unwrap();
    assert_eq!(stopped, Stopped::Cut);
    assert!(took > Duration::from_millis(2900), "{took:?}");
    assert!(took < PATIENCE, "{took:?}");
    assert!(upload.answer(false).await.is_err());
    assert!(long.answer(false).await.is_err());
    let rest = old.stream.read_to_end(&mut Vec::new()).await;
    assert!(rest.is_err(), "it looks complete");
    assert!(long_h2.await.unwrap().is_err());
}

/// How long a connection without a request is waited for when the drain begins.
const LAST_CALL: Duration = Duration::from_millis(250);

/// Connections that are known to the proxy, silent when the drain begins, and ask a moment later: whether that was in time,
/// and what came of it.
async fn late_requests() -> Vec<(bool, Result<u16, String>)> {
    let api = held(&Arc::default()).await;
    let proxy = start(&api);
    let mut callers = Vec::new();
    for _ in 0..16 {
        callers.push(proxy.caller().await);
    }
    assert_eq!(
        proxy.get("/api/x").await.status,
        200,
        "the ones before it were accepted"
    );
    // The drain does not begin before this.
    let until = Instant::now() + LAST_CALL;
    let stop = stopping(proxy).await;
    let mut asked = tokio::task::JoinSet::new();
    for mut caller in callers {
        asked.spawn(async move {
            let request = b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let written = caller.stream.write_all(request).await;
            let in_time = written.is_ok() && Instant::now() < until;
            let answer = match written {
                Ok(()) => caller.answer(false).await.map(|answer| answer.status),
                Err(error) => Err(error.to_string()),
            };
            (in_time, answer)
        });
    }
    let answers = asked.join_all().await;
    assert_eq!(stop.await.unwrap().0, Stopped::Drained);
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_on_its_way_when_the_drain_began_is_served() {
    // A busy machine may write too late, which may be lost and says nothing: then it is tried again, until enough were in
    // time. Of those none may be lost.
    let mut in_time = 0;
    for _ in 0..40 {
        for (was_in_time, answer) in late_requests().await {
            if was_in_time {
                assert_eq!(answer, Ok(200), "the one after {in_time} that were served");
                in_time += 1;
            }
        }
        if in_time >= 64 {
            return;
        }
    }
    panic!("this machine is too busy: {in_time} in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_wish_to_stop_cuts_at_once() {
    let api = held(&Arc::default()).await;
    let mut proxy = start(&api);
    let mut long = proxy.caller().await;
    long.begin("/api/long").await;
    long.head().await.unwrap();
    let app = proxy.app.take().unwrap();
    let began = Instant::now();
    let now = async { sleep(Duration::from_millis(300)).await };
    let stopped = tokio::task::spawn_blocking(move || app.stop(now))
        .await
        .unwrap();
    assert_eq!(stopped, Stopped::Cut);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_drain_delay_callers_are_served_and_readiness_says_no() {
    let api = held(&Arc::default()).await;
    let mut proxy = start_with(&api, "drain_delay = \"90s\"");
    let (addr, admin) = (proxy.addr(), proxy.admin());
    assert_eq!(
        Caller::connect(admin).await.get("/readyz").await.status,
        200
    );
    let app = proxy.app.take().unwrap();
    let (enough, now) = tokio::sync::oneshot::channel::<()>();
    let stop = tokio::task::spawn_blocking(move || app.stop(async { drop(now.await) }));
    timeout(PATIENCE, async {
        while Caller::connect(admin).await.get("/readyz").await.status != 503 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it stayed ready");
    assert_eq!(Caller::connect(admin).await.get("/livez").await.status, 200);
    assert_eq!(Caller::connect(addr).await.get("/api/x").await.status, 200);
    enough.send(()).unwrap();
    assert_eq!(stop.await.unwrap(), Stopped::Cut);
    // One that is over is no end of its own.
    let proxy = start_with(&api, "drain_delay = \"200ms\"\ndrain_timeout = \"60s\"");
    let (stopped, took) = stopping(proxy).await.await.unwrap();
    assert_eq!(stopped, Stopped::Drained);
    assert!(took >= Duration::from_millis(200), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_arrives_whole_though_more_requests_are_on_their_way() {
    const LENGTH: usize = 8 * 1024 * 1024;
    let api = Scripted::constant("~".repeat(LENGTH).leak()).await;
    let proxy = start(&api);
    let mut caller = proxy.caller().await;
    let get = b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    caller.stream.write_all(get).await.unwrap();
    caller.stream.readable().await.unwrap();
    let stop = tokio::task::spawn(proxy.stop());
    // One that is read ahead, and one behind it that nobody reads.
    for _ in 0..2 {
        caller.stream.write_all(get).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match caller.stream.read(&mut piece).await {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => panic!("{error} after {} bytes", bytes.len()),
        }
        // So that much is still on its way when the last of it is written.
        sleep(Duration::from_millis(1)).await;
    }
    let of_body = bytes.iter().filter(|byte| **byte == b'~').count();
    assert_eq!(of_body, LENGTH);
    assert_eq!(stop.await.unwrap(), Stopped::Drained);
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let api = "[upstream.api]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n";
    for (text, what) in [
        (
            format!("[server]\nlisten = \"{addr}\"\n[admin]\nlisten = \"\"\n{api}"),
            "server",
        ),
        (
            format!("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"{addr}\"\n{api}"),
            "admin",
        ),
        (
            format!(
                "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"\"\n{api}listen = \"{addr}\"\n"
            ),
            "upstream",
        ),
    ] {
        let checked =
            upauth::config::Config::parse(&text, "test.toml", std::path::Path::new("."), &|_| None);
        let config = checked
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config;
        let log = upauth::telemetry::AccessLog::off();
        let started = upauth::app::App::start(&config, &upauth::telemetry::Metrics::new(), log);
        let error = started
            .err()
            .unwrap_or_else(|| panic!("{what}: it started"))
            .to_string();
        assert!(error.contains(&addr.to_string()), "{what}: {error}");
    }
}
