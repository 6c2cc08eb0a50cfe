//! Unix sockets: the same proxy behind a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::sleep;
use upauth::telemetry::{AccessLog, Format};

use crate::support::tls::Folder;
use crate::support::{Caller, H2, Scripted, TestProxy, together};

async fn connect(path: &Path) -> Caller<UnixStream> {
    Caller::over(UnixStream::connect(path).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_as_a_port_does_and_its_file_goes_with_the_proxy() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let (all, own) = (
        folder.path().join("all.sock"),
        folder.path().join("own.sock"),
    );
    let log = AccessLog::file(&folder.path().join("access.log"), Format::Json).unwrap();
    let text = format!(
        "[server]\nlisten = [\"unix:{}\", \"127.0.0.1:0\"]\nworkers = 2\n{}listen = \"unix:{}\"\n",
        all.display(),
        api.upstream(),
        own.display()
    );
    // One that was killed left its file.
    drop(std::os::unix::net::UnixListener::bind(&own).unwrap());
    let proxy = TestProxy::start_with(&text, &[], log);
    let mode = std::fs::metadata(&all).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(connect(&all).await.get("/api/a").await.text(), "hello");
    assert_eq!(connect(&own).await.get("/services/b").await.text(), "hello");
    assert_eq!(api.seen().last().unwrap().target, "/services/b");
    assert_eq!(proxy.get("/api/c").await.status, 200);
    let old = connect(&all).await.ask("GET /api/d HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200, "HTTP/1.0 has no Host");
    let foreign = "GET /api/e HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(connect(&all).await.ask(foreign).await.status, 421);
    let stream = UnixStream::connect(&all).await.unwrap();
    assert_eq!(H2::over(stream).await.get("/api/f").await.status, 200);
    proxy.stop().await;
    assert!(!all.exists() && !own.exists());
    let log = folder.logged("access.log", 6).await;
    let with_caller = log
        .lines()
        .filter(|line| line.contains("127.0.0.1:"))
        .count();
    assert_eq!((log.lines().count(), with_caller), (6, 1), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_workers_accept_at_one_file() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let path = folder.path().join("all.sock");
    let text = format!(
        "[server]\nlisten = \"unix:{}\"\nworkers = 3\n{}",
        path.display(),
        api.upstream()
    );
    let _proxy = TestProxy::start(&text);
    let statuses = together(100, move |_| {
        let path = path.clone();
        async move { connect(&path).await.get("/api/a").await.status }
    })
    .await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_opens_keeps_and_closes_unix_sockets() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let path = folder.path().join("own.sock");
    let with = format!("{}listen = \"unix:{}\"\n", api.upstream(), path.display());
    let mut proxy = TestProxy::start(&api.upstream());
    for _ in 0..3 {
        proxy.reload(&with).unwrap();
        let mut caller = connect(&path).await;
        assert_eq!(caller.get("/a").await.status, 200);
        proxy
            .reload(&format!("{with}token_wait = \"1s\"\n"))
            .unwrap();
        assert_eq!(caller.get("/b").await.status, 200, "the same connection");
        proxy.reload(&api.upstream()).unwrap();
        assert!(!path.exists());
        assert!(caller.is_closed(crate::support::caller::PATIENCE).await);
    }
    // What another listens on is not taken.
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(proxy.reload(&with).is_err());
    assert_eq!(proxy.get("/api/a").await.status, 200);
    proxy.stop().await;
    assert!(path.exists(), "it is not ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_may_be_a_unix_socket() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let path = folder.path().join("admin.sock");
    let admin = format!("[admin]\nlisten = \"unix:{}\"\n", path.display());
    let proxy = TestProxy::start(&format!("{admin}{}", api.upstream()));
    assert_eq!(connect(&path).await.get("/readyz").await.status, 200);
    let mut caller = connect(&path).await;
    let answer = caller
        .post_with("/api/v1/reload", "X-Upauth-Admin: 1\r\n", "")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    proxy.stop().await;
    assert!(!path.exists());
}

/// Bytes of which none can be missing, doubled or in another place without being noticed.
fn long() -> Vec<u8> {
    let numbers = 0..500_000_u32;
    numbers
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_every_byte_of_a_long_answer() {
    let api = Scripted::start(|mut connection| async move {
        let body = long();
        while connection.request().await.is_some() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            connection.write([head.as_bytes(), &body].concat()).await;
        }
    })
    .await;
    let folder = Folder::new();
    let path = folder.path().join("all.sock");
    let text = format!(
        "[server]\nlisten = \"unix:{}\"\n{}",
        path.display(),
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let slow = |number: usize| {
        let path = path.clone();
        async move {
            let mut caller = connect(&path).await;
            // The end of a connection is when what waits in a buffer may be lost.
            let last = ["", "Connection: close\r\n"][number % 2];
            caller
                .write(format!(
                    "GET /api/x HTTP/1.1\r\nHost: localhost\r\n{last}\r\n"
                ))
                .await;
            assert_eq!(caller.head().await.unwrap().status, 200);
            let (mut got, whole) = (caller.buffered(), long());
            let mut piece = vec![0; 60_000 + 7919 * number];
            while got.len() < whole.len() {
                sleep(Duration::from_millis((got.len() % 4) as u64)).await;
                let read = caller.stream.read(&mut piece).await.unwrap();
                assert!(read > 0, "it ended after {} bytes", got.len());
                got.extend(&piece[..read]);
            }
            got == whole
        }
    };
    assert_eq!(together(12, slow).await, [true; 12]);
    proxy.stop().await;
}
