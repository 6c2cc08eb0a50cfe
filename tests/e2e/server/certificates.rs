//! Callers with certificates: who is let in, and what the log calls them.

use std::net::SocketAddr;

use upauth::telemetry::{AccessLog, Format};

use crate::support::frames::{End, Frames};
use crate::support::tls::{Ca, Folder, connect_as};
use crate::support::{Caller, H2, Scripted, TestProxy};

/// A listener that asks for certificates of `callers`.
fn asking(own: &Ca, callers: &Ca, folder: &Folder) -> String {
    let (certificate, key) = own.issue("localhost");
    let certificate = folder.write("cert.pem", &certificate);
    let key = folder.write("key.pem", &key);
    let callers = folder.write("callers.pem", &callers.pem);
    format!(
        "tls = {{ cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }}, client_ca = {{ file = {callers:?} }} }}\n"
    )
}

/// The answer to one request; `Err` if the handshake failed, then or at the first read.
async fn get(caller: Option<&(String, String)>, addr: SocketAddr, ca: &Ca) -> Result<u16, String> {
    let stream = connect_as(caller, addr, "localhost", &ca.pem, &["http/1.1"]).await?;
    let mut caller = Caller::over(stream);
    let request = "GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if tokio::io::AsyncWriteExt::write_all(&mut caller.stream, request.as_bytes())
        .await
        .is_err()
    {
        return Err("closed".to_owned());
    }
    caller.answer(false).await.map(|answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_callers_with_a_certificate_get_in_and_the_log_has_their_name() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let (own, callers, others) = (Ca::new(), Ca::new(), Ca::new());
    let log = AccessLog::file(&folder.path().join("access.log"), Format::Json).unwrap();
    let tls = asking(&own, &callers, &folder);
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{tls}{}",
        api.upstream()
    );
    let proxy = TestProxy::start_with(&text, &[], log);
    let addr = proxy.addr();
    assert!(get(None, addr, &own).await.is_err());
    let stranger = others.issue_caller(Some("etl"), &[]);
    assert!(get(Some(&stranger), addr, &own).await.is_err());
    assert_eq!(api.logins(), 0);
    let named = callers.issue_caller(Some("etl\njob"), &["other.example"]);
    assert_eq!(get(Some(&named), addr, &own).await, Ok(200));
    let unnamed = callers.issue_caller(None, &["job.example"]);
    assert_eq!(get(Some(&unnamed), addr, &own).await, Ok(200));
    let h2 = connect_as(Some(&named), addr, "localhost", &own.pem, &["h2"]).await;
    assert_eq!(H2::over(h2.unwrap()).await.get("/api/x").await.status, 200);
    // It is the handshake that tells, not what a caller says.
    let stream = connect_as(Some(&named), addr, "localhost", &own.pem, &["http/1.1"]).await;
    let mut liar = Caller::over(stream.unwrap());
    let said =
        "X-SSL-Cert: admin\r\nClient-Cert: :admin:\r\nX-Forwarded-Client-Cert: Subject=admin\r\n";
    let request = format!("GET /api/x HTTP/1.1\r\nHost: localhost\r\n{said}\r\n");
    assert_eq!(liar.ask(request).await.status, 200);
    let seen = api.seen().pop().unwrap();
    for name in ["x-ssl-cert", "client-cert", "x-forwarded-client-cert"] {
        assert_eq!(seen.header(name), None);
    }
    proxy.stop().await;
    let log = folder.logged("access.log", 4).await;
    let names: Vec<_> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["client"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "etl\\u000ajob",
            "job.example",
            "etl\\u000ajob",
            "etl\\u000ajob"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_authorities_hold_from_the_reload_on() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let (own, callers, others) = (Ca::new(), Ca::new(), Ca::new());
    let text = |callers: &Ca| {
        let tls = asking(&own, callers, &folder);
        format!("{}listen = \"127.0.0.1:0\"\n{tls}", api.upstream())
    };
    let mut proxy = TestProxy::start(&text(&callers));
    let caller = callers.issue_caller(Some("etl"), &[]);
    let get = |proxy: &TestProxy| {
        let (addr, own, caller) = (proxy.own("api"), &own, &caller);
        async move { get(Some(caller), addr, own).await }
    };
    assert_eq!(get(&proxy).await, Ok(200));
    proxy.reload(&text(&others)).unwrap();
    assert!(get(&proxy).await.is_err());
    proxy.reload(&text(&callers)).unwrap();
    assert_eq!(get(&proxy).await, Ok(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_believed_any_more_begins_no_request_however_deaf_its_caller_is()
{
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
    let folder = Folder::new();
    let (own, callers, others) = (Ca::new(), Ca::new(), Ca::new());
    let text = |callers: &Ca| {
        let tls = asking(&own, callers, &folder);
        // No time ends anything here.
        let limits = "[server.limits]\nheader_timeout = \"10m\"\n";
        format!("{limits}{}listen = \"127.0.0.1:0\"\n{tls}", api.upstream())
    };
    let mut proxy = TestProxy::start(&text(&callers));
    let caller = callers.issue_caller(Some("etl"), &[]);
    let stream = connect_as(
        Some(&caller),
        proxy.own("api"),
        "localhost",
        &own.pem,
        &["h2"],
    );
    let mut deaf = Frames::over(stream.await.unwrap()).await;
    let get = |path: &'static [u8]| -> [(&[u8], &[u8]); 4] {
        [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":path", path),
            (b":authority", b"localhost"),
        ]
    };
    deaf.headers(1, &get(b"/a"), true).await;
    assert_eq!(deaf.end(1).await, End::Status(200));
    deaf.headers(3, &get(b"/slow"), true).await;
    api.saw(2).await;
    proxy.reload(&text(&others)).unwrap();
    // It heeds no good-bye, and answers no ping by which it would tell that it has heard.
    assert_eq!(deaf.end(5).await, End::Gone, "no good-bye");
    deaf.headers(5, &get(b"/late"), true).await;
    assert_eq!(deaf.end(5).await, End::Status(503));
    assert_eq!(api.seen().len(), 2);
    // What had begun is finished.
    go_on.send(true).unwrap();
    assert_eq!(deaf.end(3).await, End::Status(200));
}
