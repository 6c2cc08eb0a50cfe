//! The way out: the proxy on it, which gets `CONNECT` for https targets and nothing else; and the authorities that it goes by.

use std::time::Duration;

use crate::support::tls::{Ca, Folder};
use crate::support::{Outbound, Scripted, TestProxy};

/// A Zuora upstream at `api.example` and its token endpoint at `login.example`, names that nobody here resolves.
fn upstream(pem: &std::path::Path, proxy: &str) -> String {
    format!(
        "[outbound]\nca = {{ file = {pem:?} }}\n{proxy}\n[upstream.api]\nprovider = \"zuora\"\n\
         login_url = \"https://login.example\"\napi_url = \"https://api.example:8443\"\n\
         client_id = \"id\"\nclient_secret = {{ env = \"SECRET\" }}\n"
    )
}

fn start(text: &str, variables: &[(&str, String)]) -> TestProxy {
    let mut all: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    all.push(("SECRET".to_owned(), "secret".to_owned()));
    TestProxy::start_with(text, &all, upauth::telemetry::AccessLog::off())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_legs_go_through_the_proxy_that_the_file_or_the_environment_names() {
    let api = Scripted::constant("hello").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    // One server for both names, told apart by nobody: what matters is who was asked for what.
    let front = ca
        .front_for(&["login.example", "api.example"], api.addr)
        .await;
    let outbound = Outbound::start(front, "200 OK").await;
    let url = format!("http://{}", outbound.addr);
    let with_user = format!("http://me:p%40ss@{}", outbound.addr);
    let table = format!(
        "proxy = {{ url = {url:?}, username = \"me\", password = \"p@ss\", except = \"elsewhere.example\" }}"
    );
    let basic = "Basic bWU6cEBzcw==";
    let elsewhere = "http://127.0.0.1:9".to_owned();
    let rows = [
        (&*table, ("HTTPS_PROXY", elsewhere), Some(basic)),
        ("", ("HTTPS_PROXY", url), None),
        ("proxy = \"env\"", ("https_proxy", with_user), Some(basic)),
    ];
    for (line, variable, authorization) in rows {
        let proxy = start(&upstream(&pem, line), &[variable]);
        let answer = proxy.get("/api/x").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{line}"
        );
        let asked = std::mem::take(&mut *outbound.asked.lock().unwrap());
        for (head, target) in asked.iter().zip(["login.example:443", "api.example:8443"]) {
            assert!(
                head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")),
                "{head}"
            );
            let sent = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("proxy-authorization")
                    .then_some(value)
            });
            assert_eq!(sent, authorization, "{head}");
            assert!(
                !head.contains("secret") && !head.contains("token"),
                "{head}"
            );
        }
        assert_eq!(asked.len(), 2, "{line}");
    }
    let seen = api.seen().pop().unwrap();
    assert_eq!(
        (seen.header("host"), seen.header("proxy-authorization")),
        (Some("api.example:8443"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_this_machine_and_exceptions_never_see_the_proxy() {
    let api = Scripted::constant("hello").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    let front = ca.front("localhost", api.addr).await;
    let outbound = Outbound::start(front, "200 OK").await;
    let variables = [("HTTPS_PROXY", format!("http://{}", outbound.addr))];
    let all = [
        ("HTTPS_PROXY", variables[0].1.clone()),
        ("HTTP_PROXY", variables[0].1.clone()),
        ("ALL_PROXY", variables[0].1.clone()),
    ];

    let plain = start(&api.upstream(), &all);
    assert_eq!(plain.get("/api/x").await.status, 200);
    let port = front.port();
    let here = api.upstream()
        + &format!("api_url = \"https://localhost:{port}\"\nca = {{ file = {pem:?} }}\n");
    let here = start(&here, &all);
    assert_eq!(here.get("/api/x").await.status, 200);
    assert!(outbound.asked().is_empty(), "{:?}", outbound.asked());

    // Names that nobody resolves, so that going there directly fails.
    let rows = [
        ("proxy = \"off\"", ""),
        ("", "example"),
        ("", ".example, 10.0.0.0/8"),
        ("", "*"),
    ];
    for (line, except) in rows {
        let variables = [variables[0].clone(), ("NO_PROXY", except.to_owned())];
        let text = upstream(&pem, line) + "token_wait = \"1s\"\n";
        let direct = start(&text, &variables);
        assert_eq!(direct.get("/api/x").await.status, 503, "{line} {except}");
    }
    assert!(outbound.asked().is_empty(), "{:?}", outbound.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_expired_is_accepted_on_neither_leg() {
    let api = Scripted::constant("never").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let pem = folder.write("ca.pem", &ca.pem);
    let good = ca.front("localhost", api.addr).await.port();
    let expired = ca.expired_front("localhost", api.addr).await.port();
    let outbound = format!("[outbound]\nca = {{ file = {pem:?} }}\n");
    let at = |login: u16, calls: u16| {
        let login = format!("https://localhost:{login}");
        let text = api
            .upstream()
            .replace(&format!("http://{}", api.addr), &login);
        let calls = format!("api_url = \"https://localhost:{calls}\"\n");
        start(
            &format!("{outbound}{text}{calls}token_wait = \"1s\"\n"),
            &[],
        )
    };
    assert_eq!(at(good, good).get("/api/x").await.status, 200);
    let (served, logins) = (api.seen().len(), api.logins());
    let answer = at(good, expired).get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0401"));
    let told = answer.header("proxy-status").unwrap();
    assert!(told.contains("error=tls_protocol_error"), "{told}");
    assert_eq!(api.logins(), logins + 1);
    let proxy = at(expired, good);
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    let why = proxy.status("api").await["why"].to_string();
    assert!(why.contains("expired"), "{why}");
    assert_eq!((api.seen().len(), api.logins()), (served, logins + 1));
}

/// Upstreams `a` and `b` at one API, each with `more`.
fn two(api: &Scripted, a: &str, b: &str) -> String {
    let one = |name: &str, more: &str| {
        let text = api
            .upstream()
            .replace("upstream.api", &format!("upstream.{name}"));
        format!("{text}{more}")
    };
    one("a", a) + &one("b", b)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_cannot_be_read_takes_its_own_upstream_alone_until_it_can() {
    let api = Scripted::constant("hello").await;
    let (ca, folder) = (Ca::new(), Folder::new());
    let front = ca.front("localhost", api.addr).await;
    let url = format!("api_url = \"https://localhost:{}\"\n", front.port());
    for place in ["", "[upstream.b.api]\n", "[upstream.b.token]\n"] {
        let pem = folder.path().join("late.pem");
        let _ = std::fs::remove_file(&pem);
        let line = format!("{url}{place}ca = {{ file = {pem:?} }}\n");
        // Without it the certificate of the API would not be believed.
        let line = match place.contains("token") {
            true => {
                line + &format!(
                    "[upstream.b.api]\nca = {{ file = {:?} }}\n",
                    folder.write("ca.pem", &ca.pem)
                )
            }
            false => line,
        };
        let mut proxy = start(&two(&api, "", &line), &[]);
        for content in [None, Some("not a certificate")] {
            if let Some(content) = content {
                folder.write("late.pem", content);
            }
            assert_eq!(proxy.get("/a/x").await.status, 200, "{place}");
            let answer = proxy.get("/b/x").await;
            assert_eq!(answer.status, 503, "{place}");
            assert_eq!(answer.json()["code"], "UA-0303", "{place}");
            assert!(answer.header("retry-after").is_some());
            assert!(
                !answer.text().contains("late.pem"),
                "it is nobody's business"
            );
        }
        let told = proxy.status("b").await;
        let has_token = place.contains("api");
        let state = if has_token { "valid" } else { "unavailable" };
        assert_eq!(told["state"], state, "{told}");
        let why = told["why"].as_str().unwrap();
        assert!(why.contains("ca: ") && why.contains("late.pem"), "{why}");
        folder.write("late.pem", &ca.pem);
        let served = async {
            while proxy.get("/b/x").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(100), served);
        in_time.await.expect("it is never read again");
        assert!(proxy.status("b").await["why"].is_null(), "{place}");
        // What can be read now is not given up for what cannot: a reload is whole or not at all.
        let text = two(&api, "", &line);
        proxy.reload(&text).unwrap();
        assert_eq!(proxy.get("/b/x").await.status, 200, "{place}");
        std::fs::remove_file(&pem).unwrap();
        let refused = proxy.reload(&text).unwrap_err().to_string();
        assert!(
            refused.contains("ca: cannot read") && refused.contains("late.pem"),
            "{refused}"
        );
        assert_eq!(proxy.get("/b/x").await.status, 200, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_could_not_be_read_at_the_start_stands_in_the_way_of_no_reload() {
    let api = Scripted::constant("hello").await;
    let late = "ca = { file = \"/nowhere/ca.pem\" }\n";
    let mut proxy = start(&two(&api, "", late), &[]);
    proxy.reload(&two(&api, "deny = [\"/x\"]\n", late)).unwrap();
    assert_eq!(proxy.get("/a/x").await.status, 403);
    assert_eq!(proxy.get("/b/x").await.status, 503);
}
