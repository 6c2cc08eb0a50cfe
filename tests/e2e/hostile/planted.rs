//! The oracle of the tables looked at itself: whatever may not leave the proxy is found when it is planted.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::capture::Capture;
use crate::support::caller::PATIENCE;

/// Writes what a proxy should not, or should, and tells what the capturing upstream says of it.
async fn told(api: &Capture, request: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(api.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    // It has looked at everything once it has closed.
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "it hangs: {request}");
    api.faults()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_may_not_leave_the_proxy_is_found_by_the_upstream_of_the_tables() {
    let api = Capture::start().await;
    let addr = api.addr;
    let host = format!("Host: {addr}\r\n");
    let fields = format!("{host}Authorization: Bearer token-1\r\nVia: 1.1 us\r\n");
    let get = |more: &str| format!("GET /x HTTP/1.1\r\n{fields}{more}\r\n");
    let post = |more: &str, rest: &str| format!("POST /x HTTP/1.1\r\n{fields}{more}\r\n\r\n{rest}");
    let te = "Transfer-Encoding: chunked";
    let rows = [
        ("two Hosts", get(&host), "exactly one Host"),
        (
            "another Host",
            get("").replace(&host, "Host: localhost\r\n"),
            "exactly one Host",
        ),
        (
            "the caller's credential",
            get("Authorization: Bearer mine\r\n"),
            "exactly one credential",
        ),
        (
            "no credential",
            get("").replace("Authorization: Bearer token-1\r\n", ""),
            "exactly one credential",
        ),
        ("two Via", get("Via: 1.1 other\r\n"), "exactly one Via"),
        (
            "a length and chunks",
            post(&format!("Content-Length: 5\r\n{te}"), "0\r\n\r\n"),
            "at most one framing field",
        ),
        (
            "two lengths",
            post("Content-Length: 2\r\nContent-Length: 2", "ok"),
            "at most one framing field",
        ),
        (
            "an odd length",
            post("Content-Length: 0x2", "ok"),
            "an odd length",
        ),
        (
            "a length with a sign",
            post("Content-Length: +2", "ok"),
            "an odd length",
        ),
        (
            "a bare LF within",
            get("X-A: 1\nX-B: 2\r\n"),
            "a field is odd",
        ),
        ("bare LFs alone", get("").replace('\r', ""), "a bare LF"),
        (
            "a folded line",
            get("X-A: 1\r\n 2\r\n"),
            "a line without a colon",
        ),
        (
            "a folded field",
            get("X-A: 1\r\n X-B: 2\r\n"),
            "a field is odd",
        ),
        (
            "a blank before the colon",
            get("X-A : 1\r\n"),
            "a field is odd",
        ),
        (
            "blanks around a value",
            get("X-A: 1 \r\n"),
            "blanks around a value",
        ),
        (
            "a URL for the target",
            get("").replace("/x", "http://evil.example/x"),
            "the target is odd",
        ),
        (
            "another version",
            get("").replace("HTTP/1.1", "HTTP/1.0"),
            "the request line is odd",
        ),
        ("a byte behind", get("") + "x", "left over"),
        ("a request behind", get("").repeat(2), "left over"),
        (
            "a request behind a body",
            post("Content-Length: 2", &format!("ok{}", get(""))),
            "left over",
        ),
        (
            "a request behind chunks",
            post(te, &format!("2\r\nok\r\n0\r\n\r\n{}", get(""))),
            "left over",
        ),
        (
            "a trailer",
            post(te, "2\r\nok\r\n0\r\nX-A: 1\r\n\r\n"),
            "a chunk or the trailers",
        ),
        (
            "a chunk extension",
            post(te, "2;a=b\r\nok\r\n0\r\n\r\n"),
            "a chunk size is odd",
        ),
        (
            "a field of the hop",
            get("Connection: close\r\n"),
            "connection",
        ),
        (
            "a twin of a field",
            get("X_Forwarded_For: 1\r\n"),
            "x_forwarded_for",
        ),
        ("a cookie", get("Cookie: sid=1\r\n"), "cookie"),
    ];
    let mut wrong = Vec::new();
    for (name, request, expected) in rows {
        let faults = told(&api, &request).await;
        if !faults.iter().any(|fault| fault.starts_with(expected)) {
            wrong.push(format!("{name}: {faults:?}"));
        }
    }
    assert!(wrong.is_empty(), "not found:\n{}", wrong.join("\n"));
    let _ = api.take("the planted ones");
    for good in [
        get(""),
        post("Content-Length: 2", "ok"),
        post(te, "2\r\nok\r\n0\r\n\r\n"),
    ] {
        assert_eq!(told(&api, &good).await, [] as [String; 0]);
        assert_eq!(api.take("a good one").len(), 1);
    }
}
