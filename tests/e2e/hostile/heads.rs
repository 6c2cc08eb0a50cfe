//! Bodies where none is expected, expectations, upgrades, odd lines of a head, and HTTP/2 where it is none: the rows A8,
//! A9, A14 to A19, A33, A42 and A52.

use super::capture::Capture;
use super::{
    Closed, Dropped, HIDDEN, Last, Once, Refused, body, exchange, fields, fire, get, is_as, post,
    row,
};
use crate::support::TestProxy;
use crate::support::frames::PREFACE;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_expectations_pass_or_are_refused_never_lost() {
    let mut rows = Vec::new();
    for method in ["GET", "DELETE", "OPTIONS", "PUT", "PATCH"] {
        let start = format!("{method} /api/x HTTP/1.1\r\nHost: localhost\r\n");
        let length = format!("{start}Content-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
        rows.push(row(
            format!("A14 {method} with a length"),
            length,
            Once(body(HIDDEN)),
        ));
        let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        rows.push(row(
            format!("A14 {method} in chunks"),
            chunked,
            Once(body("hello")),
        ));
    }
    for expect in [
        "200-maybe",
        "100-continue, x",
        "x=100-continue",
        "100-continue\r\nExpect: 100-continue",
        "",
        "100-continue;q=1",
    ] {
        let bytes = post(&format!("Expect: {expect}\r\nContent-Length: 5"), "hello");
        rows.push(row(format!("A16 Expect {expect:?}"), bytes, Closed(400)));
    }
    rows.push(row(
        "A17 Expect",
        post("Expect: 100-Continue\r\nContent-Length: 5", "hello"),
        Once(body("hello")),
    ));
    rows.push(row(
        "A17 Expect of HTTP/1.0",
        "POST /api/x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        Last(body("hello")),
    ));
    rows.push(row(
        "A19 bytes behind an upgrade",
        [
            get("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
            PREFACE.to_vec(),
        ]
        .concat(),
        Last(body("")),
    ));
    rows.push(row(
        "C5 WebSocket",
        get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"),
        Refused(501),
    ));
    rows.push(row(
        "C5 WebSocket in a list",
        get("Connection: Upgrade\r\nUpgrade: h2c, WebSocket/13"),
        Refused(501),
    ));
    fire(21, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_lines_of_a_head_are_refused_or_made_plain() {
    let rows = vec![
        row(
            "A8 bare LF",
            "GET /api/x HTTP/1.1\nHost: localhost\nX-A: 1\n\n",
            Once(fields(&[("x-a", b"1")])),
        ),
        row(
            "A8 empty lines before",
            "\r\n\r\nGET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Once(body("")),
        ),
        row("A9 bare CR in a value", get("X-A: 1\rX-B: 2"), Closed(400)),
        row("A9 NUL in a value", get("X-A: 1\0"), Closed(400)),
        row("A9 a control in a value", get("X-A: \u{1}"), Closed(400)),
        row("A9 DEL in a value", get("X-A: \u{7f}"), Closed(400)),
        row("A9 no name", get(": 1"), Closed(400)),
        row("A9 blank before the colon", get("X-A : 1"), Closed(400)),
        row("A9 a folded line", get("X-A: 1\r\n 2"), Closed(400)),
        row("A9 a line without a colon", get("X-A"), Closed(400)),
        row(
            "A9 a blank line first",
            "GET /api/x HTTP/1.1\r\n Host: localhost\r\n\r\n",
            Closed(400),
        ),
        row("A9 a name with a bracket", get("X(A): 1"), Closed(400)),
        row(
            "A33 HTTP/1.2",
            "GET /api/x HTTP/1.2\r\nHost: localhost\r\n\r\n",
            Closed(400),
        ),
        row(
            "A33 HTTP/2.0",
            "GET /api/x HTTP/2.0\r\nHost: localhost\r\n\r\n",
            Closed(400),
        ),
        row("A33 HTTP/0.9", "GET /api/x\r\n\r\n", Closed(400)),
        row(
            "A33 lower case",
            "GET /api/x http/1.1\r\nHost: localhost\r\n\r\n",
            Closed(400),
        ),
        row(
            "A33 two blanks",
            "GET  /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Closed(400),
        ),
        row(
            "A33 a blank in the target",
            "GET /api/x y HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Closed(400),
        ),
        row(
            "A33 TLS on the plain port",
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n".to_vec(),
            Closed(400),
        ),
        row(
            "A34 HTTP/1.0",
            "GET /api/x HTTP/1.0\r\n\r\n",
            Last(body("")),
        ),
        row(
            "A34 HTTP/1.0 that stays",
            "GET /api/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            Once(body("")),
        ),
        row(
            "A42 101 fields",
            get(&vec!["X-A: 1"; 101].join("\r\n")),
            Closed(431),
        ),
        row(
            "A42 a long field",
            get(&format!("X-A: {}", "a".repeat(70_000))),
            Closed(431),
        ),
        row(
            "A42 a long target",
            format!(
                "GET /api/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "a".repeat(70_000)
            ),
            Closed(431),
        ),
    ];
    fire(24, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_behind_a_request_or_in_a_damaged_preface_is_no_request() {
    // SETTINGS, and HEADERS of a whole request for `/api/hidden` (RFC 9113 section 6, RFC 7541 appendix A).
    let block = b"\x82\x86\x04\x0b/api/hidden\x01\x09localhost";
    let mut frames = b"\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
    frames.push(u8::try_from(block.len()).unwrap());
    frames.extend(b"\x01\x05\0\0\0\x01");
    frames.extend(block);
    let whole = [PREFACE.as_slice(), &frames].concat();
    let behind = |first: Vec<u8>| [first, whole.clone()].concat();
    let damaged = |preface: &str| [preface.as_bytes(), &frames].concat();
    let rows = vec![
        row(
            "A52 behind a request",
            behind(get("X-A: 1")),
            Last(fields(&[("x-a", b"1")])),
        ),
        row(
            "A52 behind a body",
            behind(post("Content-Length: 2", "ok")),
            Last(body("ok")),
        ),
        row(
            "A52 behind chunks",
            behind(post("Transfer-Encoding: chunked", "2\r\nok\r\n0\r\n\r\n")),
            Last(body("ok")),
        ),
        row(
            "A52 as a body",
            post("Content-Length: 24", std::str::from_utf8(PREFACE).unwrap()),
            Once(body("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        ),
        row(
            "A52 another word",
            damaged("PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
            Closed(400),
        ),
        row(
            "A52 another version",
            damaged("PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n"),
            Closed(400),
        ),
        row(
            "A52 another target",
            damaged("PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            Closed(400),
        ),
        row(
            "A52 small letters",
            damaged("pri * http/2.0\r\n\r\nsm\r\n\r\n"),
            Closed(400),
        ),
        row(
            "A52 LF alone",
            damaged("PRI * HTTP/2.0\n\nSM\n\n"),
            Closed(400),
        ),
        row(
            "A52 half of it, and a request",
            format!("PRI * HTTP/2.0\r\n\r\n{HIDDEN}"),
            Closed(400),
        ),
        row(
            "A52 an empty line before",
            damaged("\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            Dropped,
        ),
        row(
            "A52 its method",
            "PRI /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Refused(405),
        ),
    ];
    fire(12, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_together_end_with_the_first_bad_one() {
    let good = "GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for api in Capture::both().await {
        let proxy = TestProxy::start(&api.upstream());
        for bad in [
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            "POST /api/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        ] {
            let bytes = format!("{}{bad}{}", good.repeat(100), HIDDEN.repeat(3));
            let answers = exchange(&proxy, &row(bad, bytes, Closed(400))).await;
            let taken = api.take(bad);
            assert_eq!((answers.len(), taken.len()), (101, 100), "{bad}");
            assert_eq!(answers.last(), Some(&400), "{bad}");
            let plain = |taken| is_as(taken, b"GET", &body(""));
            assert!(taken.iter().all(plain), "{bad}: {taken:?}");
        }
    }
}
