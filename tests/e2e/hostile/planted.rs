//! The oracle of the tables looked at itself: whatever may not leave the proxy is found when it is planted.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::capture::{Capture, Taken};
use super::{Closed, Dropped, Last, Once, Refused, Sent, body, fields, judge, post, row};
use crate::support::caller::PATIENCE;

/// Writes what a proxy should not, or should, and tells what the capturing upstream says of it.
async fn told(api: &Capture, request: &str) -> Vec<String> {
    told_late(api, request, "").await
}

/// The same, with more that is written behind the answer.
async fn told_late(api: &Capture, request: &str, late: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(&api.authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    if !late.is_empty() {
        let mut begun = [0];
        stream.read_exact(&mut begun).await.unwrap();
        stream.write_all(late.as_bytes()).await.unwrap();
    }
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
    let host = format!("Host: {}\r\n", api.authority);
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
    for late in ["x", "\r\n", "\0", &format!("x{}", get("")), "HEADER"] {
        let faults = told_late(&api, &get(""), late).await;
        if !faults.iter().any(|fault| fault.starts_with("no method")) {
            wrong.push(format!("{late:?}, late: {faults:?}"));
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

/// A request that was changed on its way.
fn but(change: fn(&mut Taken)) -> Taken {
    let own = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let mut taken = Taken {
        method: "POST".to_owned(),
        target: b"/x".to_vec(),
        fields: vec![own("via", b"1.1 us"), own("x-a", b"1")],
        body: b"ok".to_vec(),
    };
    change(&mut taken);
    taken
}

/// What is asked last, with this method.
fn probe(method: &str) -> Taken {
    Taken {
        method: method.to_owned(),
        target: b"/probe".to_vec(),
        ..Taken::default()
    }
}

#[test]
fn whatever_is_not_the_one_request_that_was_asked_for_is_found_by_the_tables() {
    let (same, get) = (|| but(|_| {}), || probe("GET"));
    let sent = || Sent {
        fields: fields(&[("x-a", b"1")]).fields,
        ..body("ok")
    };
    let found = |outcome, answers: &[u16], taken| {
        let bytes = post("X-A: 1\r\nContent-Length: 2", "ok");
        judge(&row("planted", bytes, outcome), answers, taken).is_err()
    };
    let ok = [200, 200];
    for (what, answers, taken) in [
        (
            "another method",
            &ok[..],
            vec![but(|taken| taken.method = "PUT".to_owned()), get()],
        ),
        (
            "another target",
            &ok,
            vec![but(|taken| taken.target.push(b'/')), get()],
        ),
        (
            "another value",
            &ok,
            vec![but(|taken| taken.fields[1].1.push(b'1')), get()],
        ),
        (
            "a field less",
            &ok,
            vec![but(|taken| taken.fields.truncate(1)), get()],
        ),
        (
            "a field twice",
            &ok,
            vec![but(|taken| taken.fields.extend_from_within(1..)), get()],
        ),
        (
            "a longer body",
            &ok,
            vec![but(|taken| taken.body.push(b'\n')), get()],
        ),
        ("twice", &ok, vec![same(), same(), get()]),
        ("never", &ok, vec![get()]),
        (
            "a byte before the next one",
            &ok,
            vec![same(), probe("xGET")],
        ),
        ("no next one", &[200], vec![same()]),
        ("a next one without an answer", &[200], vec![same(), get()]),
        ("an answer more", &[200, 200, 200], vec![same(), get()]),
        ("another answer", &[502, 200], vec![same(), get()]),
        ("a next one that is refused", &[200, 400], vec![same()]),
    ] {
        assert!(found(Once(sent()), answers, taken), "{what}");
    }
    for (what, outcome, answers, taken) in [
        (
            "refused and sent",
            Refused(400),
            &[400, 200][..],
            vec![same(), get()],
        ),
        ("refused otherwise", Refused(400), &[403, 200], vec![get()]),
        (
            "refused, and it goes on",
            Closed(400),
            &[400, 200],
            vec![get()],
        ),
        (
            "sent, and it goes on",
            Last(sent()),
            &ok,
            vec![same(), get()],
        ),
        ("dropped, and answered", Dropped, &[400], vec![]),
        ("dropped, and sent", Dropped, &[], vec![same()]),
    ] {
        assert!(found(outcome, answers, taken), "{what}");
    }
    assert!(!found(Once(sent()), &ok, vec![same(), get()]));
    assert!(!found(Last(sent()), &[200], vec![same()]));
    assert!(!found(Refused(400), &[400, 200], vec![get()]));
    assert!(!found(Refused(400), &[400], vec![]));
    assert!(!found(Closed(400), &[400], vec![]));
    assert!(!found(Dropped, &[], vec![]));
}
