//! Listeners that come, go and stay.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::caller::PATIENCE;
use crate::support::ports::free_port;
use crate::support::tls::{Ca, Folder, connect, connect_as};
use crate::support::{Caller, Scripted, TestProxy};

const OWN: &str = "listen = \"127.0.0.1:0\"\n";

/// Waits until nobody listens there any more: the kernel may take a moment to let a port go. It must be one that nobody takes then.
async fn let_go(addr: SocketAddr) {
    let refused = timeout(PATIENCE, async {
        while TcpStream::connect(addr).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    refused.await.expect("the door stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_stays_keeps_its_port_and_its_connections() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    let before = proxy.addr();
    let mut caller = proxy.caller().await;
    assert_eq!(caller.get("/api/a").await.status, 200);
    proxy.reload(&format!("{}{OWN}", api.upstream())).unwrap();
    assert_eq!(proxy.addr(), before);
    assert_eq!(
        caller.get("/api/b").await.status,
        200,
        "the same connection"
    );
    let mut own = Caller::connect(proxy.own("api")).await;
    assert_eq!(own.get("/no-prefix").await.status, 200);
    assert_eq!(api.seen().last().unwrap().target, "/no-prefix");
}

/// An API that answers `/slow` only when the gate is open.
async fn gated(gate: &tokio::sync::watch::Receiver<bool>) -> Scripted {
    Scripted::start_with(gate, |mut connection, mut gate| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/slow" {
                gate.wait_for(|open| *open).await.unwrap();
            }
            connection.reply("200 OK", "", "hello").await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_goes_ends_its_requests_first() {
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let api = gated(&gate).await;
    let own = format!("listen = \"127.0.0.1:{}\"\n", free_port());
    let mut proxy = TestProxy::start(&format!("{}{own}", api.upstream()));
    let gone = proxy.own("api");
    let (mut idle, mut busy) = (Caller::connect(gone).await, Caller::connect(gone).await);
    assert_eq!(idle.get("/api/a").await.status, 200);
    busy.begin("/slow").await;
    api.saw(2).await;
    proxy.reload(&api.upstream()).unwrap();
    assert!(proxy.addrs.upstreams.is_empty());
    assert!(idle.is_closed(PATIENCE).await, "an idle connection ends");
    go_on.send(true).unwrap();
    let answer = busy.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert!(busy.is_closed(PATIENCE).await);
    let_go(gone).await;
    assert_eq!(proxy.get("/api/a").await.status, 200);
}

/// HEADERS of a stream, complete: GET, http, `/`, `localhost` (RFC 7541 appendix A).
fn get_root(stream: u32) -> Vec<u8> {
    let block = b"\x82\x86\x84\x41\x09localhost";
    let mut frame = vec![0, 0, 14, 1, 5];
    frame.extend(stream.to_be_bytes());
    frame.extend(block);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_does_not_heed_the_good_bye_is_not_served_for_ever() {
    let api = Scripted::constant("hello").await;
    let limits = "[server.limits]\nheader_timeout = \"1s\"\n";
    let text = format!("{limits}{}", api.upstream());
    let mut proxy = TestProxy::start(&format!("{text}{OWN}"));
    let mut deaf = Caller::connect(proxy.own("api")).await;
    deaf.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    deaf.write(get_root(1)).await;
    api.saw(1).await;
    proxy.reload(&text).unwrap();
    // It answers no PING, so that nothing tells the proxy that it has heard.
    let asking = async {
        for stream in 1.. {
            let asked = deaf.stream.write_all(&get_root(2 * stream + 1)).await;
            if asked.is_err() {
                return;
            }
            // Slowly: it is not the windows that are to end it.
            sleep(Duration::from_millis(10)).await;
            let _ = deaf.stream.try_read(&mut [0; 4096]);
        }
    };
    timeout(PATIENCE, asking).await.expect("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_for_new_connections() {
    let api = Scripted::constant("hello").await;
    let (old, new, folder) = (Ca::new(), Ca::new(), Folder::new());
    let write = |ca: &Ca| {
        let (certificate, key) = ca.issue("localhost");
        (
            folder.write("cert.pem", &certificate),
            folder.write("key.pem", &key),
        )
    };
    let (certificate, key) = write(&old);
    let text = format!(
        "[server]\ntls = {{ cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }} }}\n{}",
        api.upstream()
    );
    let mut proxy = TestProxy::start(&text);
    let stream = connect(proxy.addr(), "localhost", &old.pem, &[]).await;
    let mut caller = Caller::over(stream.unwrap());
    assert_eq!(caller.get("/api/a").await.status, 200);
    write(&new);
    let told = proxy.reload(&text).unwrap();
    assert!(told.changes.is_empty(), "the configuration is the same");
    assert_eq!(caller.get("/api/a").await.status, 200, "the old connection");
    assert!(
        connect(proxy.addr(), "localhost", &old.pem, &[])
            .await
            .is_err()
    );
    let stream = connect(proxy.addr(), "localhost", &new.pem, &[]).await;
    assert_eq!(
        Caller::over(stream.unwrap()).get("/api/a").await.status,
        200
    );
    // And plain text again, on the same port.
    proxy.reload(&api.upstream()).unwrap();
    assert_eq!(proxy.get("/api/a").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_asks_for_more_lets_nobody_stay_who_has_not_been_asked() {
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let api = gated(&gate).await;
    let (own, callers, folder) = (Ca::new(), Ca::new(), Folder::new());
    let (certificate, key) = own.issue("localhost");
    let certificate = folder.write("cert.pem", &certificate);
    let key = folder.write("key.pem", &key);
    let ca = folder.write("callers.pem", &callers.pem);
    let files = format!("cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }}");
    let with = |tls: &str| format!("{}{OWN}{tls}", api.upstream());
    let mut proxy = TestProxy::start(&with(""));
    let addr = proxy.own("api");
    let mut plain = Caller::connect(addr).await;
    assert_eq!(plain.get("/a").await.status, 200);
    let mut busy = Caller::connect(addr).await;
    busy.begin("/slow").await;
    api.saw(2).await;
    proxy
        .reload(&with(&format!("tls = {{ {files} }}\n")))
        .unwrap();
    assert!(plain.is_closed(PATIENCE).await, "it speaks no TLS");
    go_on.send(true).unwrap();
    assert_eq!(busy.answer(false).await.unwrap().status, 200);
    let anybody = connect(addr, "localhost", &own.pem, &[]).await.unwrap();
    let mut anybody = Caller::over(anybody);
    assert_eq!(anybody.get("/a").await.status, 200);
    // What is asked is the same: nobody has to come again.
    proxy
        .reload(&with(&format!("read_only = true\ntls = {{ {files} }}\n")))
        .unwrap();
    assert_eq!(anybody.get("/a").await.status, 200);
    let asking = format!("tls = {{ {files}, client_ca = {{ file = {ca:?} }} }}\n");
    proxy.reload(&with(&asking)).unwrap();
    assert!(anybody.is_closed(PATIENCE).await, "it has no certificate");
    let named = callers.issue_caller(Some("etl"), &[]);
    let come = async || connect_as(Some(&named), addr, "localhost", &own.pem, &[]).await;
    let mut named_once = Caller::over(come().await.unwrap());
    assert_eq!(named_once.get("/a").await.status, 200);
    // The same file with another authority in it.
    folder.write("callers.pem", &Ca::new().pem);
    assert!(proxy.reload(&with(&asking)).unwrap().changes.is_empty());
    assert!(named_once.is_closed(PATIENCE).await, "not of this one");
    proxy.reload(&with("")).unwrap();
    assert_eq!(Caller::connect(addr).await.get("/a").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_may_move_and_widen() {
    let api = Scripted::constant("hello").await;
    let on = |listen: &str, more: &str| {
        format!(
            "[access]\nopen = true\n[admin]\nlisten = \"{listen}\"\n{more}{}",
            api.upstream()
        )
    };
    let mut proxy = TestProxy::start(&on(&format!("127.0.0.1:{}", free_port()), ""));
    let before = proxy.admin();
    let mut operator = Caller::connect(before).await;
    let port = free_port();
    proxy
        .reload(&on(
            &format!("127.0.0.1:{port}"),
            "health_listen = \"127.0.0.1:0\"\n",
        ))
        .unwrap();
    let after = proxy.admin();
    assert_ne!(before, after);
    for addr in [after, proxy.addrs.health.unwrap()] {
        assert_eq!(Caller::connect(addr).await.get("/readyz").await.status, 200);
    }
    assert!(operator.is_closed(PATIENCE).await);
    let_go(before).await;
    // Operators' stays on this machine, whoever may call; health may be anywhere.
    let refused = proxy.reload(&on(&format!("0.0.0.0:{port}"), ""));
    assert!(refused.unwrap_err().to_string().contains("UA-0120"));
    let mut operator = Caller::connect(after).await;
    let health = free_port();
    let at_health: SocketAddr = ([127, 0, 0, 1], health).into();
    for (host, wide) in [("localhost", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")] {
        let more = format!("health_listen = \"{wide}:{health}\"\n");
        proxy.reload(&on(&format!("{host}:{port}"), &more)).unwrap();
        assert_eq!(operator.get("/readyz").await.status, 200, "{host}");
        for addr in [after, at_health] {
            let mut another = Caller::connect(addr).await;
            assert_eq!(another.get("/readyz").await.status, 200, "{host} {wide}");
        }
    }
}
