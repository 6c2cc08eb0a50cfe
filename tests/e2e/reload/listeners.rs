//! Listeners that come, go and stay.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::caller::PATIENCE;
use crate::support::tls::{Ca, Folder, connect};
use crate::support::{Answer, Caller, Scripted, TestProxy};

const OWN: &str = "listen = \"127.0.0.1:0\"\n";

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

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_goes_ends_its_requests_first() {
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let api = Scripted::start_with(&gate, |mut connection, mut gate| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/slow" {
                gate.wait_for(|open| *open).await.unwrap();
            }
            connection.reply("200 OK", "", "hello").await;
        }
    })
    .await;
    let mut proxy = TestProxy::start(&format!("{}{OWN}", api.upstream()));
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
    // The kernel may take a moment to let the port go.
    while TcpStream::connect(gone).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(proxy.get("/api/a").await.status, 200);
}

/// The first answer of the new listener: where an address changed, a connection that reaches the old socket while it
/// closes is reset by the system, or finds nothing there any more (404). It never reaches another upstream.
async fn first_answer(addr: SocketAddr) -> Answer {
    loop {
        if let Ok(mut stream) = TcpStream::connect(addr).await
            && let Ok(()) = stream
                .write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await
            && let Ok(answer) = Caller::over(stream).answer(false).await
            && answer.status != 404
        {
            return answer;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_port_may_come_go_widen_and_lead_elsewhere() {
    let api = Scripted::constant("hello").await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let on = |which: &str, addr: &str| {
        let line = format!("listen = \"{addr}:{port}\"\n");
        let of = |name: &str| if which == name { line.as_str() } else { "" };
        format!(
            "[access]\nopen = true\n{}{}{other}{}",
            api.upstream(),
            of("api"),
            of("other")
        )
    };
    let mut proxy = TestProxy::start(&on("api", "127.0.0.1"));
    for (which, addr) in [
        ("none", ""),
        ("api", "127.0.0.1"),
        ("other", "127.0.0.1"),
        ("other", "0.0.0.0"),
        ("api", "localhost"),
        ("api", "127.0.0.1"),
    ] {
        proxy
            .reload(&on(which, addr))
            .unwrap_or_else(|error| panic!("{which} {addr}: {error}"));
        if which != "none" {
            assert_eq!(proxy.own(which).port(), port);
            let answer = timeout(PATIENCE, first_answer(proxy.own(which))).await;
            let answer = answer.unwrap_or_else(|_| panic!("never answered: {which} {addr}"));
            assert_eq!(answer.status, 200, "{which} {addr}");
            assert_eq!(answer.header("x-upauth-upstream"), Some(which));
        }
    }
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
async fn the_admin_listener_may_move() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    let before = proxy.admin();
    let health = "[admin]\nlisten = \"localhost:0\"\nhealth_listen = \"127.0.0.1:0\"\n";
    proxy
        .reload(&format!("{health}{}", api.upstream()))
        .unwrap();
    let after = proxy.admin();
    assert_ne!(before, after);
    for addr in [after, proxy.addrs.health.unwrap()] {
        assert_eq!(Caller::connect(addr).await.get("/readyz").await.status, 200);
    }
    while TcpStream::connect(before).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
}
