//! TLS towards callers and towards upstreams.

use std::path::Path;

use crate::support::tls::{Ca, Folder, connect};
use crate::support::{Caller, H2, Scripted, TestProxy};

/// `[server]` with TLS from files for `localhost`.
fn from_files(ca: &Ca, folder: &Folder) -> String {
    let (certificate, key) = ca.issue("localhost");
    let certificate = folder.write("cert.pem", &certificate);
    let key = folder.write("key.pem", &key);
    format!(
        "[server]\ntls = {{ cert = {{ file = {certificate:?} }}, key = {{ file = {key:?} }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_operators_certificate_offers_both_versions_of_http() {
    let api = Scripted::constant("hello").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let proxy = TestProxy::start(&format!("{}{}", from_files(&ca, &folder), api.upstream()));
    for (alpn, chosen) in [
        (&["h2", "http/1.1"] as &[&str], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = connect(proxy.addr(), "localhost", &ca.pem, alpn)
            .await
            .unwrap();
        let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(agreed.as_deref(), chosen.map(str::as_bytes));
        let answer = match chosen {
            Some("h2") => H2::over(stream).await.get("/api/x").await,
            _ => Caller::over(stream).get("/api/x").await,
        };
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{alpn:?}"
        );
    }
    let plain = proxy
        .caller()
        .await
        .is_closed_after("GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(plain, "plain text on a TLS port gets no answer");
    let stranger = Ca::new();
    let refused = connect(proxy.addr(), "localhost", &stranger.pem, &[]).await;
    assert!(refused.is_err(), "the test's caller does verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_auto_makes_a_ca_once_and_certificates_that_it_vouches_for() {
    let api = Scripted::constant("hello").await;
    let folder = Folder::new();
    let state = folder.path().join("state");
    let text = format!(
        "[server]\nstate = {state:?}\ntls = \"auto\"\n{}listen = \"127.0.0.1:0\"\ntls = \"auto\"\nhost = \"api.example\"\n",
        api.upstream()
    );
    let authority = || std::fs::read_to_string(upauth::tls::own_ca(&state)).unwrap();
    let mut first = None;
    for _ in 0..2 {
        let proxy = TestProxy::start(&text);
        let ca = authority();
        assert_eq!(
            *first.get_or_insert_with(|| ca.clone()),
            ca,
            "the CA was made anew"
        );
        for (addr, name) in [
            (proxy.addr(), "localhost"),
            (proxy.addr(), "127.0.0.1"),
            (proxy.addr(), "api.example"),
            (proxy.own("api"), "localhost"),
        ] {
            let stream = connect(addr, name, &ca, &["http/1.1"]).await;
            let stream = stream.unwrap_or_else(|error| panic!("{name}: {error}"));
            let path = if addr == proxy.addr() { "/api/x" } else { "/x" };
            assert_eq!(
                Caller::over(stream).get(path).await.text(),
                "hello",
                "{name}"
            );
        }
    }
}

/// An upstream whose logins go to `api` in plain text, and its calls over TLS to `port` of `host`.
fn over_tls(api: &Scripted, host: &str, port: u16, ca: Option<&Path>, leg: &str) -> String {
    let ca = ca.map_or_else(String::new, |path| {
        format!("[{leg}]\nca = {{ file = {path:?} }}\n")
    });
    format!(
        "{}api_url = \"https://{host}:{port}\"\n{ca}",
        api.upstream()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_reached_over_tls_when_its_authority_is_known() {
    let api = Scripted::constant("hello").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    let port = ca.front("localhost", api.addr).await.port();
    for leg in ["outbound", "upstream.api.api"] {
        let proxy = TestProxy::start(&over_tls(&api, "localhost", port, Some(&pem), leg));
        let answer = proxy.get("/api/x").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{leg}"
        );
        let seen = api.seen().pop().unwrap();
        assert_eq!(
            seen.header("host"),
            Some(format!("localhost:{port}").as_str())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_or_of_another_name_is_never_accepted() {
    let api = Scripted::constant("never").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    let trusted = ca.front("localhost", api.addr).await.port();
    let other_name = ca.front("elsewhere.example", api.addr).await.port();
    for (why, host, port, pem) in [
        ("unknown authority", "localhost", trusted, None),
        (
            "authority of the other leg",
            "localhost",
            trusted,
            Some("upstream.api.token"),
        ),
        ("other name", "localhost", other_name, Some("outbound")),
        ("other address", "127.0.0.1", trusted, Some("outbound")),
    ] {
        let ca = pem.map(|_| folder.path().join("ca.pem"));
        let text = over_tls(&api, host, port, ca.as_deref(), pem.unwrap_or("outbound"));
        let proxy = TestProxy::start(&text);
        let answer = proxy.get("/api/x").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "UA-0401"),
            "{why}"
        );
        assert!(
            answer
                .header("proxy-status")
                .unwrap()
                .contains("error=tls_protocol_error"),
            "{why}: {answer:?}"
        );
    }
    assert!(
        pem.exists() && api.seen().is_empty(),
        "a token went to a stranger"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_as_long_as_its_connection_is_whole_only_with_the_good_bye_of_tls() {
    let api = Scripted::constant("never").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    for good_bye in [true, false] {
        let answer = "HTTP/1.1 200 OK\r\n\r\nhello";
        let port = ca.once("localhost", answer, good_bye).await.port();
        let proxy = TestProxy::start(&over_tls(&api, "localhost", port, Some(&pem), "outbound"));
        let mut caller = proxy.caller().await;
        caller.begin("/api/x").await;
        let answer = caller.answer(false).await;
        assert_eq!(answer.is_ok(), good_bye, "{answer:?}");
    }
}
