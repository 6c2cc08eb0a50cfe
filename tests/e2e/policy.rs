//! What an upstream lets through: methods, paths, read-only; headers set and removed; what is never forwarded.

use crate::support::{H2, Scripted, TestProxy};

async fn pair(more: &str) -> (Scripted, TestProxy) {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&format!("{}{more}", api.upstream()));
    (api, proxy)
}

/// Each row: method, target (with further header lines after a blank), and the code it is refused with, or `ok`.
async fn check(proxy: &TestProxy, api: &Scripted, rows: &[(&str, &str, &str)]) {
    let mut passed = 0;
    for (method, target, expected) in rows {
        let (target, lines) = target.split_once('\n').unwrap_or((target, ""));
        let request = format!(
            "{method} /api{target} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        let answer = proxy.caller().await.ask(request).await;
        let told = match answer.status {
            200 => "ok".to_owned(),
            _ if *method == "HEAD" => format!("{}", answer.status),
            _ => answer.code(),
        };
        assert_eq!(told, *expected, "{method} {target} {lines}");
        passed += usize::from(*expected == "ok");
        assert_eq!(
            api.seen().len(),
            passed,
            "{method} {target}: refused and sent all the same"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_limit_and_are_named_in_the_answer() {
    let (api, proxy) = pair("methods = [\"GET\", \"POST\"]\n").await;
    check(
        &proxy,
        &api,
        &[
            ("GET", "/x", "ok"),
            ("POST", "/x", "ok"),
            ("HEAD", "/x", "405"),
            ("DELETE", "/x", "UA-0205"),
            ("POST", "/x\nX-HTTP-Method-Override: DELETE\r\n", "UA-0211"),
            ("POST", "/x\nX_HTTP_Method_Override: DELETE\r\n", "UA-0211"),
            ("POST", "/x\nX-HTTP-Method: PATCH\r\n", "UA-0211"),
            ("POST", "/x?_HttpMethod=PATCH", "UA-0211"),
            ("POST", "/x?a=1&%5fHttpMethod=PATCH", "UA-0211"),
            ("POST", "/x\nX-HTTP-Method-Override: POST\r\n", "ok"),
        ],
    )
    .await;
    let refused = proxy
        .caller()
        .await
        .ask("PUT /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(refused.header("allow"), Some("GET, POST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_lets_reads_pass_without_a_method_override() {
    let (api, proxy) = pair("read_only = true\n").await;
    check(
        &proxy,
        &api,
        &[
            ("GET", "/x", "ok"),
            ("HEAD", "/x", "ok"),
            ("OPTIONS", "/x", "ok"),
            ("POST", "/x", "UA-0209"),
            ("PUT", "/x", "UA-0209"),
            ("PATCH", "/x", "UA-0209"),
            ("DELETE", "/x", "UA-0209"),
            ("GET", "/x\nX-HTTP-Method-Override: DELETE\r\n", "UA-0209"),
            ("GET", "/x?_HttpMethod=DELETE", "UA-0209"),
            ("GET", "/x?_httpmethod=delete", "UA-0209"),
            ("GET", "/x?_method=DELETE", "UA-0209"),
            ("GET", "/x?%20_HttpMethod=DELETE", "UA-0209"),
            ("GET", "/x?.method=DELETE", "UA-0209"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_one_method_is_not_evaded_by_a_method_override() {
    for rules in [
        "deny = [\"DELETE /v1/**\"]\n",
        "allow = [\"POST /v1/**\"]\n",
    ] {
        let (api, proxy) = pair(rules).await;
        check(
            &proxy,
            &api,
            &[
                ("POST", "/v1/x", "ok"),
                ("POST", "/v1/x?_HttpMethod=DELETE", "UA-0211"),
                (
                    "POST",
                    "/v1/x\nX-HTTP-Method-Override: DELETE\r\n",
                    "UA-0211",
                ),
            ],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_path_is_denied_however_it_is_written() {
    let (api, proxy) = pair("deny = [\"/shut/**\", \"DELETE /v1/**\", \"/v1/*/secret\"]\n").await;
    check(
        &proxy,
        &api,
        &[
            ("GET", "/shut", "UA-0206"),
            ("GET", "/shut/", "UA-0206"),
            ("GET", "/shut/x?y", "UA-0206"),
            ("GET", "/SHUT/x", "UA-0206"),
            ("GET", "/%73hut/x", "UA-0206"),
            ("GET", "/%2573hut/x", "UA-0206"),
            ("GET", "//shut/x", "UA-0206"),
            ("GET", "/./shut/x", "UA-0206"),
            ("GET", "/a/../shut/x", "UA-0206"),
            ("GET", "/a/%2e%2e/shut/x", "UA-0206"),
            ("GET", "/a/..%2fshut/x", "UA-0206"),
            ("GET", "/a%2f..%2fshut%2fx", "UA-0206"),
            ("GET", "/shut%2fx", "UA-0206"),
            ("GET", "/shut;v=1/x", "UA-0206"),
            ("GET", "/a/..;/shut/x", "UA-0206"),
            ("GET", "/shut\\x", "UA-0206"),
            ("GET", "/a/..\\shut/x", "UA-0206"),
            ("GET", "/shutter", "ok"),
            ("GET", "/a/shut", "ok"),
            ("GET", "/x?path=/shut/x", "ok"),
            ("DELETE", "/v1/x", "UA-0206"),
            ("GET", "/v1/x", "ok"),
            ("GET", "/v1/x/secret", "UA-0206"),
            ("GET", "/v1/x/y/secret", "ok"),
            // Under the other names that the API may serve it by.
            ("GET", "/v1/x/secret.json", "UA-0206"),
            ("GET", "/v1/x/secret.XML/", "UA-0206"),
            ("GET", "/v1/x/%u017fecret%2ejson", "UA-0206"),
            ("GET", "/v1/x/\u{17f}ecret", "UA-0206"),
            ("GET", "/%u0073hut/x", "UA-0206"),
            ("GET", "/v1/x/secret.json/y", "ok"),
            ("GET", "/v1/x/secret.csv", "ok"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_is_the_whole_list_and_deny_beats_it() {
    let more = "allow = [\"/v1/**\", \"GET /open\", \"/oauth/token\"]\ndeny = [\"/v1/shut/**\"]\n";
    let (api, proxy) = pair(more).await;
    check(
        &proxy,
        &api,
        &[
            ("GET", "/v1/x", "ok"),
            ("GET", "/open", "ok"),
            ("POST", "/open", "UA-0206"),
            ("GET", "/v1/shut/x", "UA-0206"),
            ("GET", "/v2/x", "UA-0206"),
            ("GET", "/", "UA-0206"),
            // One reading of the path leaves the list.
            ("GET", "/v1/../v2/x", "UA-0206"),
            ("GET", "/v1/%2e%2e/v2/x", "UA-0206"),
            ("GET", "/v1/..%252fv2/x", "UA-0206"),
            ("GET", "/v1/%u002e%u002e/v2/x", "UA-0206"),
            ("GET", "/v1/%ef%bc%8e%ef%bc%8e/v2/x", "UA-0206"),
            // It is listed by the name that is asked for.
            ("GET", "/v1/x.json", "ok"),
            ("GET", "/open.json", "UA-0206"),
            ("GET", "/v1/shut.json", "UA-0206"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_allow_is_refused_and_what_is_to_be_written_instead_allows_nothing() {
    let (api, mut proxy) = pair("allow = [\"/v1/**\"]\n").await;
    let refused = proxy.reload(&format!("{}allow = []\n", api.upstream()));
    let told = refused.err().unwrap().to_string();
    assert!(told.contains("deny = [\"/**\"]"), "{told}");
    check(
        &proxy,
        &api,
        &[("GET", "/v1/x", "ok"), ("GET", "/v2/x", "UA-0206")],
    )
    .await;
    let (api, proxy) = pair("deny = [\"/**\"]\n").await;
    let rows = [
        ("GET", "/", "UA-0206"),
        ("POST", "/v1/x", "UA-0206"),
        ("GET", "/a/../b", "UA-0206"),
    ];
    check(&proxy, &api, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn login_calls_are_denied_however_they_are_written_unless_they_are_allowed() {
    let (api, proxy) = pair("local_login = false\n").await;
    check(
        &proxy,
        &api,
        &[
            ("POST", "/oauth/token", "UA-0207"),
            ("POST", "/OAuth/Token", "UA-0207"),
            ("POST", "/%6fauth/token", "UA-0207"),
            ("POST", "/v1/../oauth/token", "UA-0207"),
            ("POST", "//oauth//token", "UA-0207"),
            ("POST", "/oauth/token/", "UA-0207"),
            ("GET", "/v1/x", "ok"),
        ],
    )
    .await;
    assert_eq!(api.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_set_and_removed_whatever_the_caller_sent() {
    let more = "set_headers = { X-Team = \"sales\", User-Agent = \"upauth\" }\nremove_headers = [\"X-Internal\"]\n";
    let (api, proxy) = pair(more).await;
    let request = "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Team: mine\r\nx-team: other\r\nX-Internal: 1\r\nUser-Agent: curl\r\nX-Kept: 1\r\n\r\n";
    assert_eq!(proxy.caller().await.ask(request).await.status, 200);
    let mut h2 = H2::connect(proxy.addr()).await;
    let mut request = crate::support::h2::get("/api/x");
    for (name, value) in [("x-team", "mine"), ("x-internal", "1"), ("x-kept", "1")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    assert_eq!(h2.ask(request).await.unwrap().status, 200);
    for seen in api.seen() {
        assert_eq!(
            (seen.header("x-team"), seen.count("x-team")),
            (Some("sales"), 1)
        );
        assert_eq!(
            (seen.header("user-agent"), seen.count("user-agent")),
            (Some("upauth"), 1)
        );
        assert_eq!(seen.header("x-internal"), None);
        assert_eq!(seen.header("x-kept"), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_connect_and_websocket_are_refused_and_other_upgrades_are_served_plainly() {
    let (api, proxy) = pair("").await;
    let websocket = "/x\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    check(
        &proxy,
        &api,
        &[
            ("TRACE", "/x", "UA-0205"),
            ("TRACK", "/x", "UA-0205"),
            ("BREW", "/x", "UA-0205"),
            ("get", "/x", "UA-0205"),
            ("GET", websocket, "UA-0208"),
            ("GET", "/x\nConnection: upgrade\r\nUpgrade: h2c, WebSocket/13\r\n", "UA-0208"),
            ("GET", "/x\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n", "ok"),
            ("POST", "/x\nConnection: upgrade\r\nUpgrade: TLS/1.2\r\n", "ok"),
        ],
    )
    .await;
    for seen in api.seen() {
        for gone in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(seen.header(gone), None, "{gone}");
        }
    }
    for target in ["localhost:443", "evil.example:443"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        let answer = proxy.caller().await.ask(request).await;
        assert!(
            matches!(answer.status, 400 | 421 | 501),
            "{target}: {}",
            answer.status
        );
    }
    assert_eq!(api.seen().len(), 2);
    assert_eq!(
        proxy
            .caller()
            .await
            .ask("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .status,
        501
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_proxy_itself_are_told_by_the_proxy() {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&api.upstream());
    for request in [
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "OPTIONS /api/x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n",
    ] {
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!(answer.status, 204);
        assert!(answer.header("allow").unwrap().contains("PATCH"));
    }
    assert!(api.seen().is_empty());
}
