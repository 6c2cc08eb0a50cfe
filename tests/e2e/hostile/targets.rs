//! What is asked for and of whom (RFC 9112 section 3): the rows A20 to A35, C2, C12 and C32.

use tokio::net::TcpListener;

use super::capture::Capture;
use super::{Closed, Last, Once, Outcome, Refused, Row, Sent, body, exchange, fire, row, target};
use crate::support::TestProxy;

/// `GET` of this target.
pub(super) fn asks(id: &str, asked: &str, outcome: Outcome) -> Row {
    let bytes = format!("GET {asked} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    row(format!("{id} {asked:?}"), bytes, outcome)
}

/// A request with these lines for a Host.
fn of_host(id: &str, lines: &str, outcome: Outcome) -> Row {
    let bytes = format!("GET /api/x HTTP/1.1\r\n{lines}\r\n");
    row(format!("{id} {lines:?}"), bytes, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_one_name_of_ours() {
    let mut rows = vec![
        of_host("A20 none", "", Closed(400)),
        of_host(
            "A20 two",
            "Host: localhost\r\nHost: evil.example\r\n",
            Closed(400),
        ),
        of_host(
            "A20 twice the same",
            "Host: localhost\r\nHost: localhost\r\n",
            Closed(400),
        ),
        of_host(
            "A20 twice in odd case",
            "Host: localhost\r\nhOST: localhost\r\n",
            Closed(400),
        ),
        of_host("A20", "Host:\r\n", Closed(400)),
        of_host(
            "A9 blank before the colon",
            "Host : localhost\r\n",
            Closed(400),
        ),
    ];
    for host in [
        "a@b/..",
        "u:p@localhost",
        "evil@localhost",
        "localhost/x",
        "localhost?x",
        "localhost#x",
        "localhost:",
        "localhost:x",
        "localhost:99999",
        "localhost:-1",
        "localhost localhost",
        "localhost,evil",
        "[::1",
        "::1",
        "[localhost]",
        "[::1]x",
        "loc%61lhost",
        "localhost:80:80",
        "localhost\\evil",
        "http://localhost",
        "\u{212a}ocalhost",
    ] {
        rows.push(of_host(
            "A20 A23",
            &format!("Host: {host}\r\n"),
            Closed(400),
        ));
    }
    for host in [
        "evil.example",
        "127.1",
        "0.0.0.0",
        "localhost.evil.example",
        "localhost..",
        "2130706433",
        "api.evil.example",
    ] {
        rows.push(of_host(
            "C2 A21",
            &format!("Host: {host}\r\n"),
            Refused(421),
        ));
    }
    fire(34, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_is_a_path_of_ours() {
    let line = |id: &str, line: &str, outcome| {
        row(
            format!("{id} {line:?}"),
            format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            outcome,
        )
    };
    let rows = vec![
        asks("A22", "http://evil.example/api/x", Refused(421)),
        asks("A22", "http://localhost.evil.example/api/x", Refused(421)),
        asks("A22", "HTTP://LOCALHOST/api/x", Once(body(""))),
        asks("A22", "http://localhost:1/api/x?y", Once(target("/x?y"))),
        asks("A22", "ftp://localhost/api/x", Closed(400)),
        asks("A22", "file:///api/x", Closed(400)),
        asks("A22", "http:///api/x", Closed(400)),
        asks("A22", "http:/api/x", Closed(400)),
        asks("A23", "http://u:p@localhost/api/x", Closed(400)),
        asks("A23", "http://localhost@evil.example/api/x", Closed(400)),
        asks("A23", "@evil.example/api/x", Closed(400)),
        asks("A25", "*", Closed(400)),
        asks("A25", "evil.example:80", Closed(400)),
        asks("A25", "api/x", Closed(400)),
        asks("A25", "?x", Closed(400)),
        asks("A25", "/*", Once(target("/*"))),
        line("A25", "OPTIONS *", Refused(204)),
        line("A24", "CONNECT evil.example:443", Refused(501)),
        line("A24", "CONNECT localhost:80", Refused(501)),
        line("A24", "CONNECT /api/x", Refused(501)),
        line("A26", "TRACE /api/x", Refused(405)),
        line("A26", "TRACK /api/x", Refused(405)),
        line("A27", "get /api/x", Refused(405)),
        line("A27", "Get /api/x", Refused(405)),
        line("A27", "FOO!#$ /api/x", Refused(405)),
        line("A27", "PROPFIND /api/x", Refused(405)),
        line("A27", "PRI /api/x", Refused(405)),
        line("A27", "G\u{e9}T /api/x", Closed(400)),
        row(
            "A26 Max-Forwards 0",
            "OPTIONS /api/x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n",
            Refused(204),
        ),
        row(
            "A34 absolute-form of HTTP/1.0",
            "GET http://localhost/api/x HTTP/1.0\r\n\r\n",
            Last(body("")),
        ),
        row(
            "A34 a foreign one",
            "GET http://evil.example/api/x HTTP/1.0\r\n\r\n",
            Refused(421),
        ),
    ];
    fire(31, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_path_pass_as_they_came() {
    let mut rows = Vec::new();
    for path in [
        "/a/../b/%2e%2e/c",
        "/a/%252e%252e/b",
        "/a%2fb%5cc%00",
        "/a\\..\\b",
        "/a;p=1/b;q",
        "/a/b.",
        "/a%c0%ae%c0%ae/b",
        "//evil.example/x",
        "///x",
        "/.//x",
        "/http://evil.example/",
        "/%",
        "/%zz",
        "/a?b?c",
        "/?x=/../y",
        "/a%0d%0aX:1",
        "/a%20HTTP/1.1",
        "/@evil.example/",
        "/:80",
        "/*",
        "/a|b^c~d{e}\"",
        "/\u{e9}",
        "/a%u002e%u002e/b",
        "/a%f8%80%80%80%afb",
        "/\u{ff0e}%ef%bc%8f\u{212a}",
        "/x.json",
    ] {
        rows.push(asks(
            "A29 A30 A31",
            &format!("/api{path}"),
            Once(target(path)),
        ));
    }
    let raw = [b"GET /api/\xff\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice()].concat();
    rows.push(row("A30 bytes that are no text", raw, Closed(400)));
    for odd in ["`", "<", ">", "\u{7f}", "\u{1}", "\t"] {
        rows.push(asks("A30", &format!("/api/x{odd}"), Closed(400)));
    }
    // What is dropped is dropped before any rule looks.
    rows.push(asks("A32", "/api/x#/allowed", Once(body(""))));
    rows.push(asks("A32", "/api/x?y#z", Once(target("/x?y"))));
    for (path, status) in [
        ("/apix", 404),
        ("/API/x", 404),
        ("/%61pi/x", 404),
        ("/x/../api/x", 404),
        ("//api/x", 404),
        ("/./api/x", 404),
    ] {
        rows.push(asks("C12", path, Refused(status)));
    }
    fire(41, rows, "[upstream.other]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_path_is_denied_in_every_disguise() {
    let mut rows = Vec::new();
    for path in [
        "/oauth/token",
        "/oauth/token/",
        "/OAuth/Token",
        "/oauth%2ftoken",
        "/%6fauth/token",
        "/%256fauth/token",
        "/oauth/%74oken",
        "//oauth/token",
        "/oauth//token",
        "/./oauth/token",
        "/x/../oauth/token",
        "/x/%2e%2e/oauth/token",
        "/x/..%2foauth/token",
        "/oauth/x/../token",
        "/oauth/./token",
        "/oauth\\token",
        "/oauth%5ctoken",
        "/\\oauth/token",
        "/oauth;a=b/token",
        "/oauth/token;a=b",
        "/x/..;/oauth/token",
        "/oauth/token?x=y",
        "/oauth/token%3fx",
        "/oauth/token%2f",
        "/oauth/token/.",
        "/oauth/token%23x",
        "/oauth/token#x",
        "/%2foauth/token",
        "/oauth/token%00",
        "/oauth/token%20",
        "/oauth/token.",
    ] {
        rows.push(asks("C32", &format!("/api{path}"), Refused(403)));
    }
    for path in [
        "/shut/x",
        "/SHUT/x",
        "/open/../shut/x",
        "/open/%2e%2e/shut/x",
        "/%73hut/x",
        "/shut%2fx",
        "//shut/x",
    ] {
        rows.push(asks("A29", &format!("/api{path}"), Refused(403)));
    }
    rows.push(asks(
        "A32",
        "/api/private?x=/shut/x",
        Once(target("/private?x=/shut/x")),
    ));
    fire(39, rows, "deny = [\"/shut/**\"]\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_upstream_is_read_only_in_every_disguise() {
    let line = |line: &str, more: &str| {
        row(
            format!("A28 {line:?} {more:?}"),
            format!("{line} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"),
            Refused(403),
        )
    };
    let mut rows = vec![
        line("GET /api/x?_HttpMethod=PATCH", ""),
        line("GET /api/x?%5FHttpMethod=PATCH", ""),
        line("GET /api/x?%5fhttp%4dethod=DELETE", ""),
        line("GET /api/x?a;_method=PUT", ""),
        line("GET /api/x", "X-HTTP-Method-Override: DELETE\r\n"),
        line("GET /api/x", "X_HTTP_Method_Override: DELETE\r\n"),
        line(
            "GET /api/x",
            "X-Method-Override: PUT\r\nX-Method-Override: GET\r\n",
        ),
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        rows.push(line(&format!("{method} /api/x"), "Content-Length: 0\r\n"));
    }
    let sent = Sent {
        fields: vec![("x-http-method", b"GET")],
        ..body("")
    };
    rows.push(row(
        "A28 the same method",
        "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method: GET\r\n\r\n",
        Once(sent),
    ));
    fire(12, rows, "read_only = true\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_leads_the_proxy_to_another_host() {
    let api = Capture::start().await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let evil = trap.local_addr().unwrap();
    let proxy = TestProxy::start(&api.upstream());
    for head in [
        format!("GET http://{evil}/api/x HTTP/1.1\r\nHost: {evil}\r\n"),
        format!("GET http://{evil}/api/x HTTP/1.1\r\nHost: localhost\r\n"),
        format!("GET /api//{evil}/x HTTP/1.1\r\nHost: {evil}\r\n"),
        format!(
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: {evil}\r\nForwarded: host={evil}\r\n"
        ),
        format!(
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: http://{evil}/\r\nX-Rewrite-URL: http://{evil}/\r\n"
        ),
        format!("GET /api/@{evil}/ HTTP/1.1\r\nHost: localhost\r\n"),
        format!("GET @{evil}/ HTTP/1.1\r\nHost: localhost\r\n"),
        format!("GET :{}/ HTTP/1.1\r\nHost: localhost\r\n", evil.port()),
        format!("CONNECT {evil} HTTP/1.1\r\nHost: {evil}\r\n"),
    ] {
        let answers = exchange(&proxy, &row(&head, format!("{head}\r\n"), Refused(0))).await;
        assert!(!answers.is_empty(), "{head}");
        // Whatever arrived had our Host on it: the capture looks at that.
        api.take(&head);
    }
    let dialled = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(dialled.is_err(), "somebody was led away");
}
