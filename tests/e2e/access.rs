//! Callers' keys: where they are shown, how far they reach, and that nobody else learns them.

use upauth::secret::Digest;
use upauth::telemetry::{AccessLog, Format};

use crate::support::emulated::CRM;
use crate::support::tls::Folder;
use crate::support::{Caller, Emulated, H2, Scripted, TestProxy};

const ETL: &str = "upauth-0123456789abcdef0123456789abcdef";
const REPORTS: &str = "another key: of one's own, with + and %";

/// `[access] keys`: `etl` for everything, `reports` for reading `api`.
fn keys() -> String {
    let digest = |key: &str| Digest::of(key.as_bytes()).to_hex();
    format!(
        "[access]\nkeys = [\n{{ name = \"etl\", sha256 = \"{}\" }},\n\
         {{ name = \"reports\", sha256 = \"{}\", upstreams = [\"api\"], read_only = true }},\n]\n",
        digest(ETL),
        digest(REPORTS)
    )
}

/// Two upstreams behind one scripted server.
async fn pair() -> (Scripted, TestProxy) {
    let api = Scripted::constant("ok").await;
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let proxy = TestProxy::start(&format!("{}{other}{}", api.upstream(), keys()));
    (api, proxy)
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// `ok`, or the code that the request is refused with; a refusal is a 403 and reaches nobody.
async fn told(proxy: &TestProxy, api: &Scripted, request: &str, lines: &str) -> String {
    let before = api.seen().len();
    let request =
        format!("{request} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: 0\r\n\r\n");
    let answer = proxy.caller().await.ask(&request).await;
    let sent = api.seen().len() - before;
    if answer.status == 200 {
        assert_eq!(sent, 1, "{request}");
        return "ok".to_owned();
    }
    assert_eq!((answer.status, sent), (403, 0), "{request}");
    assert!(answer.header("www-authenticate").is_none());
    answer.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_found_wherever_clients_put_credentials() {
    let (api, proxy) = pair().await;
    let rows = [
        (String::new(), "UA-0220"),
        ("X-Upauth-Key: \r\n".to_owned(), "UA-0220"),
        (format!("X-Upauth-Key: {ETL}\r\n"), "ok"),
        (format!("x-upauth-key: {ETL}x\r\n"), "UA-0221"),
        (format!("X_Upauth_Key: {ETL}\r\n"), "UA-0220"),
        (format!("Authorization: Bearer {ETL}\r\n"), "ok"),
        (format!("Authorization: OAuth {ETL}\r\n"), "ok"),
        (format!("Authorization: {ETL}\r\n"), "UA-0220"),
        ("Authorization: Bearer none\r\n".to_owned(), "UA-0221"),
        (basic("anybody", ETL), "ok"),
        (basic("anybody", REPORTS), "ok"),
        (basic(ETL, "x"), "UA-0221"),
        (basic("anybody", &ETL.to_uppercase()), "UA-0221"),
        (format!("X-SFDC-Session: {ETL}\r\n"), "ok"),
        // A useless credential beside the key is what callers are told that they may send.
        (
            format!("Authorization: OAuth undefined\r\nX-Upauth-Key: {ETL}\r\n"),
            "ok",
        ),
        (
            format!("X-Upauth-Key: {ETL}x\r\nX-Upauth-Key: {ETL}\r\n"),
            "ok",
        ),
        (format!("Cookie: sid={ETL}\r\n"), "UA-0220"),
        // Not the key, but what is kept of it.
        (
            format!("X-Upauth-Key: {}\r\n", Digest::of(ETL.as_bytes()).to_hex()),
            "UA-0221",
        ),
    ];
    for (lines, expected) in rows {
        let found = told(&proxy, &api, "GET /api/v1/x", &lines).await;
        assert_eq!(found, expected, "{lines}");
    }
    let answer = proxy.get("/api/v1/x").await.text();
    assert!(answer.contains("X-Upauth-Key"), "{answer}");
    let mut caller = H2::connect(proxy.addr()).await;
    assert_eq!(caller.get("/api/v1/x").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_looked_for_among_sixteen_credentials_and_no_more() {
    let (api, proxy) = pair().await;
    for (wrong, expected) in [(15, "ok"), (16, "UA-0221"), (80, "UA-0221")] {
        let wrong = "X-Upauth-Key: wrong\r\n".repeat(wrong);
        let lines = format!("{wrong}X-Upauth-Key: {ETL}\r\n");
        assert_eq!(told(&proxy, &api, "GET /api/v1/x", &lines).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_query_is_found_where_sessions_may_stand_there() {
    let it = Emulated::start(&format!(
        "{CRM}{}",
        keys().replace(", upstreams = [\"api\"]", "")
    ))
    .await;
    let limits = "/crm/services/data/v61.0/limits";
    let missing = it.proxy.get(limits).await;
    assert_eq!(
        (missing.status, missing.code()),
        (403, "UA-0220".to_owned())
    );
    let key = REPORTS.replace(' ', "%20").replace('+', "%2B");
    for query in [
        format!("oauth_token={ETL}"),
        format!("a=b&OAUTH_TOKEN={key}"),
    ] {
        let answer = it.proxy.get(&format!("{limits}?{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
    }
    // A key that may only read runs no code either.
    let tests = "/crm/services/data/v61.0/tooling/runTestsSynchronous";
    let runs = it.proxy.get(&format!("{tests}?oauth_token={key}")).await;
    assert_eq!((runs.status, runs.code()), (403, "UA-0223".to_owned()));
    let elsewhere = it.proxy.get(&format!("{limits}?access_token={ETL}")).await;
    assert_eq!(elsewhere.code(), "UA-0220");
    assert_eq!(it.logins(), 1, "a caller without a key costs no login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_as_far_as_its_entry_says() {
    let (api, proxy) = pair().await;
    let reports = basic("", REPORTS);
    let overriding = format!("{reports}X-HTTP-Method-Override: DELETE\r\n");
    let rows = [
        ("GET /api/v1/x", &reports, "ok"),
        ("OPTIONS /api/v1/x", &reports, "ok"),
        ("POST /api/v1/x", &reports, "UA-0223"),
        ("DELETE /api/v1/x", &reports, "UA-0223"),
        ("GET /api/v1/x", &overriding, "UA-0223"),
        ("GET /api/v1/x?_HttpMethod=PATCH", &reports, "UA-0223"),
        ("GET /other/v1/x", &reports, "UA-0222"),
        ("POST /other/v1/x", &reports, "UA-0222"),
    ];
    for (request, lines, expected) in rows {
        assert_eq!(
            told(&proxy, &api, request, lines).await,
            expected,
            "{request}"
        );
    }
    let etl = format!("X-Upauth-Key: {ETL}\r\n");
    for request in ["POST /api/v1/x", "DELETE /other/v1/x"] {
        assert_eq!(told(&proxy, &api, request, &etl).await, "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_goes_on_to_the_upstream() {
    let (api, proxy) = pair().await;
    let carriers = format!(
        "X-Upauth-Key: {ETL}\r\nX_Upauth_Key: {ETL}\r\nX-SFDC-Session: {ETL}\r\n{}Authorization: Bearer {ETL}\r\n",
        basic("u", ETL)
    );
    assert_eq!(told(&proxy, &api, "POST /api/v1/x", &carriers).await, "ok");
    let seen = format!("{:?}", api.seen());
    let password = basic("u", ETL);
    let password = password.trim_end().rsplit(' ').next().unwrap();
    assert!(seen.contains("Bearer token-1"), "{seen}");
    assert!(!seen.contains(ETL) && !seen.contains(password), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_learns_nothing_and_admin_needs_none() {
    let (_api, proxy) = pair().await;
    // Whether a path or a name leads somewhere is told to no stranger.
    for (path, host) in [
        ("/api/v1/x", "localhost"),
        ("/nowhere", "localhost"),
        ("/x", "api.localhost"),
        ("/x", "nobody.localhost"),
    ] {
        let ask = |lines: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n");
        let answer = proxy.caller().await.ask(ask("")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "UA-0220".to_owned()),
            "{host}{path}"
        );
        let wrong = ask("X-Upauth-Key: upauth-none\r\n");
        assert_eq!(proxy.caller().await.ask(wrong).await.code(), "UA-0221");
    }
    let key = format!("X-Upauth-Key: {ETL}\r\n");
    assert_eq!(proxy.get_with("/nowhere", &key).await.code(), "UA-0204");
    let mut admin = Caller::connect(proxy.admin()).await;
    assert_eq!(admin.get("/api/v1/status").await.status, 200);
    // A key is no way around what is refused before.
    let lines = format!("X-Upauth-Key: {ETL}\r\nOrigin: http://evil.example\r\n");
    assert_eq!(proxy.get_with("/api/v1/x", &lines).await.code(), "UA-0203");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_tell_the_name_of_a_key_alone() {
    let folder = Folder::new();
    let path = folder.path().join("access.log");
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start_with(
        &format!("{}{}", api.upstream(), keys()),
        &[],
        AccessLog::file(&path, Format::Json).unwrap(),
    );
    for lines in [
        format!("X-Upauth-Key: {ETL}\r\n"),
        basic("", REPORTS),
        "Authorization: Bearer none\r\n".to_owned(),
    ] {
        proxy.get_with("/api/v1/x", &lines).await;
    }
    let refused = format!(
        "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        basic("", REPORTS)
    );
    assert_eq!(proxy.caller().await.ask(refused).await.code(), "UA-0223");
    let page = proxy.metrics.encode();
    for line in [
        "upauth_key_requests_total{key=\"etl\"} 1",
        "upauth_key_requests_total{key=\"reports\"} 2",
    ] {
        assert!(page.lines().any(|known| known == line), "{page}");
    }
    proxy.stop().await;
    let log = folder.logged("access.log", 4).await;
    let names: Vec<_> = log
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["key"].as_str().unwrap_or("-"), line["status"])
        })
        .collect();
    assert_eq!(names, ["etl 200", "reports 200", "- 403", "reports 403"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_a_listener_may_be_anywhere_and_loopback_needs_them_too() {
    let api = Scripted::constant("ok").await;
    let server = "[server]\nlisten = \"0.0.0.0:0\"\n";
    let proxy = TestProxy::start(&format!("{}{server}{}", api.upstream(), keys()));
    let port = proxy.addr().port();
    let mut caller = Caller::connect(([127, 0, 0, 1], port).into()).await;
    assert_eq!(caller.get("/api/v1/x").await.code(), "UA-0220");
    let lines = format!("X-Upauth-Key: {ETL}\r\n");
    assert_eq!(caller.get_with("/api/v1/x", &lines).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_a_key_back() {
    let api = Scripted::constant("ok").await;
    let mut proxy = TestProxy::start(&format!("{}{}", api.upstream(), keys()));
    let lines = format!("X-Upauth-Key: {ETL}\r\n");
    assert_eq!(proxy.get_with("/api/v1/x", &lines).await.status, 200);
    let digest = Digest::of(ETL.as_bytes()).to_hex();
    let without = keys().replace(&digest, &Digest::of(b"new").to_hex());
    proxy
        .reload(&format!("{}{without}", api.upstream()))
        .unwrap();
    let refused = proxy.get_with("/api/v1/x", &lines).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "UA-0221".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_the_last_key_lets_nobody_in() {
    let api = Scripted::constant("ok").await;
    let mut proxy = TestProxy::start(&format!("{}{}", api.upstream(), keys()));
    let lines = format!("X-Upauth-Key: {ETL}\r\n");
    assert_eq!(proxy.get_with("/api/v1/x", &lines).await.status, 200);
    let none = format!("{}[access]\nkeys = [\n]\n", api.upstream());
    for round in ["after a reload", "after the next", "after a start"] {
        if round == "after a start" {
            proxy = TestProxy::start(&none);
        } else {
            let told = proxy.reload(&none).unwrap();
            assert!(told.warnings[0].contains("nobody is let in"), "{told:?}");
        }
        let before = api.seen().len();
        let empty = Digest::of(b"").tag("upauth placeholder");
        let zeros = Digest::from_hex(&"0".repeat(64)).unwrap();
        let zeros = zeros.tag("upauth placeholder");
        for (lines, code) in [
            (lines.clone(), "UA-0221"),
            (String::new(), "UA-0220"),
            ("X-Upauth-Key: \r\n".to_owned(), "UA-0220"),
            (basic("", ""), "UA-0220"),
            (
                format!("Authorization: Bearer 00D000000000000!upauth.{empty}\r\n"),
                "UA-0221",
            ),
            (
                format!("Authorization: Bearer 00D000000000000!upauth.{zeros}\r\n"),
                "UA-0221",
            ),
            (
                "Authorization: Bearer 00D000000000000!upauth.placeholder\r\n".to_owned(),
                "UA-0221",
            ),
        ] {
            let refused = proxy.get_with("/api/v1/x", &lines).await;
            let found = (refused.status, refused.code());
            assert_eq!(found, (403, code.to_owned()), "{round}: {lines}");
        }
        assert_eq!(api.seen().len(), before);
    }
    assert!(
        !proxy
            .metrics
            .encode()
            .contains("upauth_key_requests_total{")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_without_keys_says_that_none_is_needed_any_more() {
    let api = Scripted::constant("ok").await;
    let with = format!("{}{}", api.upstream(), keys());
    for without in ["", "[access]\n", "[access]\nhosts = [\"a.test\"]\n"] {
        let mut proxy = TestProxy::start(&with);
        let told = proxy
            .reload(&format!("{}{without}", api.upstream()))
            .unwrap();
        assert!(
            told.warnings[0].starts_with("callers need no key any more"),
            "{told:?}"
        );
        assert_eq!(proxy.get("/api/v1/x").await.status, 200);
        // Once is enough.
        assert!(proxy.reload(&api.upstream()).unwrap().warnings.is_empty());
        assert!(proxy.reload(&with).unwrap().warnings.is_empty());
        assert_eq!(proxy.get("/api/v1/x").await.status, 403);
    }
}
