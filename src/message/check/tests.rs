//! Tables for the check of a request's head.

use super::*;

type Fields = &'static [(&'static str, &'static str)];

fn parts(version: Version, method: &str, target: &str, headers: Fields) -> Parts {
    let mut request = http::Request::builder()
        .version(version)
        .method(method)
        .uri(target);
    for (name, value) in headers {
        let value = value.chars().map(|c| c as u8).collect::<Vec<_>>();
        request = request.header(*name, HeaderValue::from_bytes(&value).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

/// Malformed, whatever the text.
const BAD: Result<(), Rejection> = Err(Rejection::Malformed(""));

/// Whether a request is sound.
fn check(parts: &Parts) -> Result<(), Rejection> {
    super::check(parts).map(|_| ())
}

fn plain(result: Result<(), Rejection>) -> Result<(), Rejection> {
    result.map_err(|rejection| match rejection {
        Rejection::Malformed(_) => Rejection::Malformed(""),
        other => other,
    })
}

#[test]
fn methods_outside_the_list_are_refused() {
    let rows = [
        ("GET", Ok(())),
        ("HEAD", Ok(())),
        ("POST", Ok(())),
        ("PUT", Ok(())),
        ("PATCH", Ok(())),
        ("DELETE", Ok(())),
        ("OPTIONS", Ok(())),
        ("CONNECT", Err(Rejection::NotBuilt)),
        ("TRACE", Err(Rejection::Method)),
        ("TRACK", Err(Rejection::Method)),
        ("get", Err(Rejection::Method)),
        ("FOO!#$", Err(Rejection::Method)),
        ("PROPFIND", Err(Rejection::Method)),
    ];
    for (method, expected) in rows {
        let parts = parts(Version::HTTP_11, method, "/x", &[("host", "localhost")]);
        assert_eq!(check(&parts), expected, "{method}");
    }
}

#[test]
fn targets_that_are_no_path_are_refused() {
    let rows = [
        ("GET", "/", Ok(())),
        ("GET", "//evil.example/x", Ok(())),
        ("GET", "http://localhost/x", Ok(())),
        ("GET", "https://localhost", Ok(())),
        ("GET", "*", BAD),
        ("OPTIONS", "*", Ok(())),
        ("GET", "evil.example:80", BAD),
        ("GET", "@evil.example", BAD),
        ("GET", "http://u:p@localhost/", BAD),
        ("GET", "http://@localhost/", BAD),
        ("GET", "ftp://localhost/", BAD),
        ("GET", "http://localhost:x/", BAD),
        ("GET", "http://[::1/", BAD),
    ];
    for (method, target, expected) in rows {
        let Ok(uri) = target.parse::<http::Uri>() else {
            assert_eq!(expected, BAD, "{target}");
            continue;
        };
        let mut parts = parts(Version::HTTP_11, method, "/", &[("host", "localhost")]);
        parts.uri = uri;
        assert_eq!(plain(check(&parts)), expected, "{method} {target}");
    }
}

#[test]
fn what_http_2_alone_lets_through_is_refused_there() {
    let quoted = HeaderName::from_lowercase(b"x\"y").unwrap();
    for (version, expected) in [(V11, Ok(())), (H2, BAD)] {
        let query_alone = parts(version, "GET", "http://h?x", &[("host", "h")]);
        let mut odd_name = parts(version, "GET", "http://h/", &[("host", "h")]);
        odd_name
            .headers
            .insert(&quoted, HeaderValue::from_static("1"));
        for parts in [query_alone, odd_name] {
            assert_eq!(plain(check(&parts)), expected, "{parts:?}");
        }
    }
}

/// Version, target, fields, and the host asked for; `Err`: malformed.
type HostRow = (
    Version,
    &'static str,
    Fields,
    Result<Option<&'static str>, ()>,
);

const V10: Version = Version::HTTP_10;
const V11: Version = Version::HTTP_11;
const H2: Version = Version::HTTP_2;

const HOSTS: &[HostRow] = &[
    (
        V11,
        "/",
        &[("host", "localhost:7717")],
        Ok(Some("localhost:7717")),
    ),
    (V11, "/", &[("host", "LOCALHOST.")], Ok(Some("LOCALHOST."))),
    (V11, "/", &[("host", "[::1]:80")], Ok(Some("[::1]:80"))),
    (V11, "/", &[("host", "127.1")], Ok(Some("127.1"))),
    (V11, "/", &[], Err(())),
    (V11, "/", &[("host", "a"), ("host", "a")], Err(())),
    (V11, "/", &[("host", "a"), ("host", "b")], Err(())),
    (V11, "/", &[("host", "")], Err(())),
    (V11, "/", &[("host", "a@b")], Err(())),
    (V11, "/", &[("host", "a@b/..")], Err(())),
    (V11, "/", &[("host", "a/b")], Err(())),
    (V11, "/", &[("host", "a, b")], Err(())),
    (V11, "/", &[("host", "a b")], Err(())),
    (V11, "/", &[("host", "a?x")], Err(())),
    (V11, "/", &[("host", "a\\b")], Err(())),
    (V11, "/", &[("host", "http://a")], Err(())),
    (V11, "/", &[("host", "a:")], Err(())),
    (V11, "/", &[("host", "a:0")], Err(())),
    (V11, "/", &[("host", "a:65536")], Err(())),
    (V11, "/", &[("host", "a:80:80")], Err(())),
    (V11, "/", &[("host", ":80")], Err(())),
    (V11, "/", &[("host", "[::1")], Err(())),
    (V11, "/", &[("host", "[x]")], Err(())),
    (V11, "/", &[("host", "::1")], Err(())),
    (V11, "/", &[("host", "a%2eb")], Err(())),
    (V11, "/", &[("host", "\u{e9}")], Err(())),
    (
        V11,
        "http://evil/x",
        &[("host", "localhost")],
        Ok(Some("evil")),
    ),
    (V11, "http://evil/x", &[], Err(())),
    (V11, "http://evil/x", &[("host", "a@b")], Err(())),
    (V10, "/", &[], Ok(None)),
    (V10, "/", &[("host", "a")], Ok(Some("a"))),
    (V10, "/", &[("host", "a"), ("host", "a")], Err(())),
    (V10, "http://evil/x", &[], Ok(Some("evil"))),
    (H2, "http://a/", &[], Ok(Some("a"))),
    (H2, "http://a/", &[("host", "A")], Ok(Some("a"))),
    (H2, "http://a/", &[("host", "evil.example")], Err(())),
    (H2, "http://a/", &[("host", "a"), ("host", "a")], Err(())),
    (H2, "http://u@a/", &[], Err(())),
    (H2, "/", &[("host", "a")], Ok(Some("a"))),
    (H2, "/", &[], Err(())),
];

#[test]
fn the_host_is_one_and_well_formed() {
    for (version, target, headers, expected) in HOSTS {
        let parts = parts(*version, "GET", target, headers);
        let got = authority(&parts).map_err(|_| ());
        assert_eq!(
            got.as_ref().map(Option::as_deref),
            expected.as_ref().map(|e| *e),
            "{version:?} {target} {headers:?}"
        );
        assert_eq!(
            check(&parts).is_ok(),
            expected.is_ok(),
            "{version:?} {target} {headers:?}"
        );
    }
}

const HEADS: &[(Fields, Result<(), Rejection>)] = &[
    (&[("content-length", "5")], Ok(())),
    (&[("content-length", "5"), ("content-length", "5")], BAD),
    (&[("content-length", "5, 5")], BAD),
    (&[("content-length", "+5")], BAD),
    (&[("content-length", "-0")], BAD),
    (&[("content-length", "")], BAD),
    (&[("content-length", "18446744073709551616")], BAD),
    (&[("transfer-encoding", "chunked")], Ok(())),
    (&[("transfer-encoding", "Chunked")], Ok(())),
    (&[("transfer-encoding", "gzip, chunked")], BAD),
    (
        &[
            ("transfer-encoding", "gzip"),
            ("transfer-encoding", "chunked"),
        ],
        BAD,
    ),
    (
        &[
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ],
        BAD,
    ),
    (&[("transfer-encoding", "chunked, chunked")], BAD),
    (&[("transfer-encoding", "chunked, identity")], BAD),
    (&[("transfer-encoding", "xchunked")], BAD),
    (&[("transfer-encoding", "\"chunked\"")], BAD),
    (&[("transfer-encoding", "chunked;x=y")], BAD),
    (&[("transfer-encoding", "chunked\u{ff}")], BAD),
    (&[("transfer-encoding", "identity")], BAD),
    (&[("transfer-encoding", "")], BAD),
    (
        &[("transfer-encoding", "chunked"), ("content-length", "5")],
        BAD,
    ),
    (&[("expect", "100-continue")], Ok(())),
    (&[("expect", "100-Continue")], Ok(())),
    (&[("expect", "200-maybe")], BAD),
    (&[("expect", "100-continue, x")], BAD),
    (
        &[("expect", "100-continue"), ("expect", "100-continue")],
        BAD,
    ),
    (&[("expect", "")], BAD),
    (&[("upgrade", "h2c")], Ok(())),
    (&[("upgrade", "TLS/1.0, h2c")], Ok(())),
    (&[("upgrade", "websocket")], Err(Rejection::NotBuilt)),
    (&[("upgrade", "WebSocket")], Err(Rejection::NotBuilt)),
    (&[("upgrade", "websocket/13")], Err(Rejection::NotBuilt)),
    (&[("upgrade", "h2c , websocket")], Err(Rejection::NotBuilt)),
    (
        &[("upgrade", "h2c"), ("upgrade", "websocket")],
        Err(Rejection::NotBuilt),
    ),
];

#[test]
fn framing_expectations_and_upgrades_are_looked_at() {
    for (headers, expected) in HEADS {
        let mut parts = parts(Version::HTTP_11, "POST", "/x", headers);
        parts
            .headers
            .insert(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(&plain(check(&parts)), expected, "{headers:?}");
    }
    let old = parts(
        Version::HTTP_10,
        "POST",
        "/",
        &[("transfer-encoding", "chunked")],
    );
    assert_eq!(plain(check(&old)), BAD);
}

#[test]
fn a_name_is_lower_case_without_port_and_dot() {
    let rows = [
        ("localhost", "localhost"),
        ("LocalHost.:7717", "localhost"),
        ("[::1]:80", "[::1]"),
        ("crm.localhost:7717", "crm.localhost"),
        ("a..", "a."),
    ];
    for (host, expected) in rows {
        assert_eq!(name(host), expected, "{host}");
    }
}

#[test]
fn some_options_are_for_the_proxy_itself() {
    let rows: &[(&str, &str, Fields, bool)] = &[
        ("OPTIONS", "*", &[], true),
        ("OPTIONS", "/x", &[("max-forwards", "0")], true),
        ("OPTIONS", "/x", &[("max-forwards", "10")], false),
        ("OPTIONS", "/x", &[], false),
        ("GET", "/x", &[("max-forwards", "0")], false),
    ];
    for (method, target, headers, expected) in rows {
        let parts = parts(Version::HTTP_11, method, target, headers);
        assert_eq!(
            asks_about_proxy(&parts),
            *expected,
            "{method} {target} {headers:?}"
        );
    }
}
