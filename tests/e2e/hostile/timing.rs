//! What a table of bytes cannot say: floods, half-closed sockets, surplus that comes late, bombs, missing tokens. The rows
//! A47, A59, A61, A65, A66, B12, B13, C17 and C37.

use std::io::Write;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use upauth::telemetry::{AccessLog, Format};

use super::capture::{Capture, Taken};
use super::get;
use crate::support::caller::PATIENCE;
use crate::support::tls::Folder;
use crate::support::{Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_without_end_are_cut_off() {
    let api = Scripted::start(|mut connection| async move {
        let flood = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(50);
        while let Some(seen) = connection.request().await {
            if seen.target == "/probe" {
                connection.reply("200 OK", "", "probe").await;
                continue;
            }
            let stream = &mut connection.caller.stream;
            while stream.write_all(flood.as_bytes()).await.is_ok() {}
            return;
        }
    })
    .await;
    let proxy = TestProxy::start(&format!("{}response_timeout = \"0s\"\n", api.upstream()));
    let answer = tokio::time::timeout(PATIENCE, proxy.get("/api/x")).await;
    assert_eq!(answer.expect("it goes on for ever").status, 502);
    assert_eq!(proxy.get("/api/probe").await.text(), "probe");
}

#[tokio::test(flavor = "multi_thread")]
async fn surplus_that_comes_between_two_requests_is_no_answer() {
    let (surplus, there) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (send, sent) = (surplus.clone(), there.clone());
    let api = Scripted::start(move |mut connection| {
        let (send, sent) = (send.clone(), sent.clone());
        async move {
            while connection.request().await.is_some() {
                connection.reply("200 OK", "", "mine").await;
                if connection.number_of("/first") == 1 && connection.number_of("/second") == 0 {
                    send.notified().await;
                    connection.reply("200 OK", "", "poison").await;
                    sent.notify_one();
                }
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    assert_eq!(caller.get("/api/first").await.text(), "mine");
    surplus.notify_one();
    there.notified().await;
    assert_eq!(caller.get("/api/second").await.text(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_closes_its_side_is_taken_for_one_that_left() {
    // The upstream would answer, but not before it is hung up on.
    let (came, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let shared = (came.clone(), left.clone());
    let api = Scripted::start_with(&shared, |mut connection, (came, left)| async move {
        if connection.request().await.is_some() {
            came.notify_one();
            connection.left().await;
            left.notify_one();
        }
    })
    .await;
    let folder = Folder::new();
    let log = AccessLog::file(&folder.path().join("access.log"), Format::Json).unwrap();
    let proxy = TestProxy::start_with(&api.upstream(), &[], log);
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    stream.write_all(&get("X-A: 1")).await.unwrap();
    let came = tokio::time::timeout(PATIENCE, came.notified()).await;
    came.expect("it was not sent");
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("the connection hangs").unwrap();
    assert!(answer.is_empty(), "{}", answer.escape_ascii());
    let left = tokio::time::timeout(PATIENCE, left.notified()).await;
    left.expect("its request goes on");
    assert_eq!(api.seen().len(), 1);
    proxy.stop().await;
    let told = folder.logged("access.log", 1).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["status"], 499);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_closes_its_side_at_once_has_a_whole_answer_or_none() {
    let api = Capture::start().await;
    let proxy = TestProxy::start(&api.upstream());
    let mut whole = 0;
    for _ in 0..50 {
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        stream.write_all(&get("X-A: 1")).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.expect("the connection hangs").unwrap();
        let is_whole = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\nok");
        assert!(is_whole || answer.is_empty(), "{}", answer.escape_ascii());
        whole += usize::from(is_whole);
    }
    let sent = api.take("A65").len();
    eprintln!("{whole} of 50 had an answer, {sent} were sent");
    assert!((whole..=50).contains(&sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_never_whole_upstream() {
    for api in Capture::both().await {
        let proxy = TestProxy::start(&api.upstream());
        for start in [
            "Content-Length: 10\r\n\r\nhello",
            "Content-Length: 1000000\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Transfer-Encoding: chunked\r\n\r\nff\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ] {
            let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
            let head = format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\n{start}");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
            read.expect("the connection hangs").unwrap();
            assert!(!answer.starts_with(b"HTTP/1.1 200"), "{start:?}");
            assert_eq!(proxy.get("/api/probe").await.status, 200);
            let taken = api.take(start);
            assert!(taken.iter().all(Taken::is_probe), "{start:?}: {taken:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_that_is_looked_at_passes_as_it_came() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 20 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let size = bomb.len();
    let api = Scripted::start(move |mut connection| {
        let bomb = bomb.clone();
        async move {
            while connection.request().await.is_some() {
                let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
                connection.write(format!("{head}Content-Length: {}\r\n\r\n", bomb.len())).await;
                connection.write(&bomb).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.body.len()), (401, size));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_never_followed() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let evil = trap.local_addr().unwrap();
    let api = Scripted::start(move |mut connection| async move {
        while let Some(seen) = connection.request().await {
            let status = format!("{} Elsewhere", &seen.target[1..]);
            let to = format!("Location: http://{evil}/x?y\r\n");
            connection.reply(&status, &to, "").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for status in [301, 302, 303, 307, 308] {
        let answer = proxy.get(&format!("/api/{status}")).await;
        let there = format!("http://{evil}/x?y");
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(there.as_str()))
        );
    }
    let dialled = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(dialled.is_err(), "it was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_is_sent() {
    // Closes at once whatever asks: no token can be had.
    let api = Scripted::start(|connection| async move { drop(connection) }).await;
    let proxy = TestProxy::start(&format!("{}token_wait = \"200ms\"\n", api.upstream()));
    for head in ["", "Authorization: Bearer mine\r\n"] {
        let answer = proxy.get_with("/api/x", head).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
    }
    assert!(api.seen().is_empty(), "{:?}", api.seen());
}
