//! Foreign Hosts, foreign pages, and the pages that are allowed.

use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use upauth::config::Config;

use crate::support::{Answer, H2, Scripted, TestProxy};

async fn pair(more: &str) -> (Scripted, TestProxy) {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&format!("{}{more}", api.upstream()));
    (api, proxy)
}

/// A request with these lines, on a new connection.
async fn ask(proxy: &TestProxy, method: &str, lines: &str) -> Answer {
    let request = format!("{method} /api/x HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n");
    proxy.caller().await.ask(request).await
}

fn is_untouched(api: &Scripted) {
    assert!(api.seen().is_empty(), "{:?}", api.seen());
    assert_eq!(api.logins(), 0, "a refused request cost a login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_ours_is_refused_with_the_line_to_add() {
    let (api, proxy) = pair("").await;
    let port = proxy.addr().port();
    let foreign = [
        "evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "localhost.localdomain",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "localhost.",
        "10.0.0.1",
        "127.0.0.1.evil.example",
        "api.evil.example",
    ];
    for name in foreign {
        for host in [
            name.to_owned(),
            format!("{name}:{port}"),
            name.to_uppercase(),
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let answer = ask(&proxy, method, &format!("Host: {host}\r\n")).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (421, "UA-0202"),
                    "{host}"
                );
                let detail = answer.json()["detail"].as_str().unwrap().to_lowercase();
                let line = format!("[access] hosts = [\"{name}\"]").to_lowercase();
                assert!(detail.contains(&line), "{detail}");
            }
            let request = Request::get(format!("http://{host}/api/x"))
                .body(Full::<Bytes>::default())
                .unwrap();
            let answer = H2::connect(proxy.addr()).await.ask(request).await.unwrap();
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (421, "UA-0202"),
                "h2 {host}"
            );
        }
    }
    // In absolute-form the target's host counts, not the Host field.
    let target = "GET http://evil.example/api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(proxy.caller().await.ask(target).await.status, 421);
    for broken in [
        "user@localhost",
        "localhost:x",
        "localhost:99999",
        "",
        "localhost,evil",
        "local host",
    ] {
        let answer = ask(&proxy, "GET", &format!("Host: {broken}\r\n")).await;
        assert_eq!(answer.status, 400, "{broken:?}");
    }
    is_untouched(&api);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_names_are_served_on_any_port_in_any_case() {
    let (_api, proxy) = pair("[access]\nhosts = [\"Proxy.Example\"]\n").await;
    for host in [
        "localhost",
        "localhost:1",
        "LOCALHOST",
        "127.0.0.1",
        "127.0.0.2:7717",
        "[::1]",
        "[::1]:7717",
        "anything.localhost",
        "proxy.example",
        "PROXY.example.:443",
    ] {
        let answer = ask(&proxy, "GET", &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
    let sub = ask(&proxy, "GET", "Host: sub.proxy.example\r\n").await;
    assert_eq!(sub.status, 421, "a listed name is not a suffix");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_refused_for_every_method() {
    let (api, proxy) = pair("[access]\norigins = [\"http://localhost:5173\"]\n").await;
    let port = proxy.addr().port();
    let foreign = [
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        "Origin: http://localhost:1\r\n".to_owned(),
        "Origin: http://localhost\r\n".to_owned(),
        "Origin: http://localhost:51730\r\n".to_owned(),
        "Origin: http://localhost:5173.evil.example\r\n".to_owned(),
        format!("Origin: http://localhost:{port}\r\nOrigin: https://evil.example\r\n"),
        "Origin: http://localhost:5173\r\nOrigin: https://evil.example\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n".to_owned(),
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: no-cors\r\n".to_owned(),
        "Sec-Fetch-Mode: no-cors\r\n".to_owned(),
        "Referer: https://evil.example/page\r\n".to_owned(),
    ];
    for lines in &foreign {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
            let lines = format!("Host: localhost:{port}\r\n{lines}");
            let answer = ask(&proxy, method, &lines).await;
            assert_eq!(answer.status, 403, "{method} {lines}");
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{lines}"
            );
            if method != "HEAD" {
                assert_eq!(answer.code(), "UA-0203", "{method} {lines}");
            }
        }
    }
    let page = format!("Host: localhost:{port}\r\nOrigin: http://localhost:3000\r\n");
    let detail = ask(&proxy, "GET", &page).await.json()["detail"].to_string();
    let line = r#"[access] origins = [\"http://localhost:3000\"]"#;
    assert!(detail.contains(line), "{detail}");
    let request = Request::get("http://localhost/api/x")
        .header("origin", "https://evil.example")
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = H2::connect(proxy.addr()).await.ask(request).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (403, "UA-0203"));
    is_untouched(&api);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_and_own_pages_pass() {
    let (_api, proxy) = pair("").await;
    let port = proxy.addr().port();
    for lines in [
        String::new(),
        format!("Origin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
        format!("Referer: http://localhost:{port}/page\r\n"),
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n".to_owned(),
    ] {
        for method in ["GET", "POST"] {
            let lines = format!("Host: localhost:{port}\r\n{lines}");
            assert_eq!(
                ask(&proxy, method, &lines).await.status,
                200,
                "{method} {lines}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_page_that_hides_itself_is_refused_by_a_name_over_plain_http() {
    let opened = "Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n";
    let named = "[access]\nhosts = [\"any.test\"]\n";
    let (api, proxy) = pair(named).await;
    let foreign = ask(&proxy, "GET", &format!("Host: any.test\r\n{opened}")).await;
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "UA-0203"));
    is_untouched(&api);
    let program = "User-Agent: Mozilla/5.0\r\nAccept: text/html, */*\r\n";
    let rows = [
        format!("Host: any.test\r\n{program}"),
        format!("Host: any.test\r\nReferer: http://any.test/x\r\n{opened}"),
        format!("Host: localhost\r\n{opened}"),
    ];
    for lines in rows {
        assert_eq!(ask(&proxy, "GET", &lines).await.status, 200, "{lines}");
    }
    // A key is what no page knows.
    let digest = upauth::secret::Digest::of(b"a key").to_hex();
    let keys = format!("{named}keys = [{{ name = \"a\", sha256 = \"{digest}\" }}]\n");
    let (_api, proxy) = pair(&keys).await;
    let lines = format!("Host: any.test\r\nX-Upauth-Key: a key\r\n{opened}");
    assert_eq!(ask(&proxy, "GET", &lines).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_page_gets_cors_and_its_preflight_is_answered_here() {
    let api = Scripted::start(|mut connection| async move {
        while connection.request().await.is_some() {
            let headers =
                "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n";
            connection.reply("200 OK", headers, "ok").await;
        }
    })
    .await;
    let origin = "http://localhost:5173";
    let access = format!("[access]\norigins = [\"{origin}\"]\n");
    let proxy = TestProxy::start(&format!("{}deny = [\"/shut\"]\n{access}", api.upstream()));
    let page = format!("Host: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: same-site\r\n");
    let asked = "Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: x-one, content-type\r\n";
    let preflight = ask(&proxy, "OPTIONS", &format!("{page}{asked}")).await;
    assert_eq!(preflight.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "PATCH"),
        ("access-control-allow-headers", "x-one, content-type"),
        ("vary", "Origin"),
    ] {
        assert_eq!(preflight.header(name), Some(value), "{name}");
    }
    is_untouched(&api);
    let answer = ask(&proxy, "GET", &page).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let allowed: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("access-control-allow-origin"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(allowed, [origin], "the upstream's own word is replaced");
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(api.seen()[0].header("origin"), None);
    let refused = format!("GET /api/shut HTTP/1.1\r\n{page}\r\n");
    let refused = proxy.caller().await.ask(refused).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some(origin),
        "a page may read why"
    );
    let program = ask(&proxy, "GET", "Host: localhost\r\n").await;
    assert_eq!(program.header("access-control-allow-origin"), None);
}

#[test]
fn a_listener_that_others_can_reach_is_refused_without_a_word() {
    let api = "[upstream.api]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n";
    let problems = |text: &str| {
        Config::parse(text, "test.toml", Path::new("."), &|_| None)
            .err()
            .map(|problems| problems.render(false))
    };
    for text in [
        format!("[server]\nlisten = \"0.0.0.0:0\"\n{api}"),
        format!("[server]\nlisten = \"[::]:0\"\n{api}"),
        format!("[server]\nlisten = \"192.168.1.2:7717\"\n{api}"),
        format!("{api}listen = \"0.0.0.0:0\"\n"),
    ] {
        let told = problems(&text).unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(
            told.contains("UA-0120") && told.contains("open = true"),
            "{told}"
        );
        let meant = format!("[access]\nopen = true\n{text}");
        assert_eq!(problems(&meant), None, "{text}");
    }
    let health = format!("[admin]\nhealth_listen = \"0.0.0.0:0\"\n{api}");
    assert_eq!(problems(&health), None, "health may be anywhere");
    // Nobody shows a credential at the admin listener, and whoever reaches it can have the proxy log in anew.
    for word in ["", "[access]\nopen = true\n"] {
        for place in ["0.0.0.0:0", "[::]:0", "192.168.1.2:7718"] {
            let text = format!("{word}[admin]\nlisten = \"{place}\"\n{api}");
            let told = problems(&text).unwrap_or_else(|| panic!("accepted: {text}"));
            let told_of = told.contains("UA-0120") && told.contains("health_listen");
            assert!(told_of, "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_a_preflight_goes_to_the_api() {
    let (api, proxy) = pair("[access]\norigins = [\"http://localhost:5173\"]\n").await;
    let page = "Host: localhost\r\nOrigin: http://localhost:5173\r\nSec-Fetch-Site: same-site\r\n";
    let asked = "Access-Control-Request-Method: PATCH\r\n";
    let rows = [
        ("OPTIONS", page.to_owned()),
        ("GET", format!("{page}{asked}")),
        // A program's, which no page sent.
        ("OPTIONS", format!("Host: localhost\r\n{asked}")),
    ];
    for (count, (method, lines)) in (1..).zip(rows) {
        let answer = ask(&proxy, method, &lines).await;
        assert_eq!(answer.status, 200, "{method} {lines}");
        assert_eq!(answer.header("access-control-allow-methods"), None);
        assert_eq!(api.seen().len(), count, "{method} {lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_let_into_a_private_network() {
    let (api, proxy) = pair("[access]\norigins = [\"https://app.example\"]\n").await;
    // A page of the internet that calls this machine (WICG, Private Network Access, 3.1): an allowed one is allowed to call, but a
    // browser that asks is not told to go on.
    let asked =
        "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true\r\n";
    for (origin, status) in [("https://app.example", 204), ("https://evil.example", 403)] {
        let page = format!("Host: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\n");
        let answer = ask(&proxy, "OPTIONS", &format!("{page}{asked}")).await;
        assert_eq!(answer.status, status, "{origin}");
        let granted = answer.header("access-control-allow-private-network");
        assert_eq!(granted, None, "{origin}");
    }
    is_untouched(&api);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_worker_is_served_where_an_upstream_has_an_origin_of_its_own() {
    let (api, proxy) = pair("").await;
    let lines = "Service-Worker: script\r\nSec-Fetch-Site: same-origin\r\n";
    let answer = ask(&proxy, "GET", &format!("Host: localhost\r\n{lines}")).await;
    assert_eq!(answer.code(), "UA-0208");
    is_untouched(&api);
    let answer = ask(&proxy, "GET", &format!("Host: api.localhost\r\n{lines}")).await;
    assert_eq!(answer.text(), "ok");
}
