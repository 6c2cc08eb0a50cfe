//! Bodies and fields on their way to HTTP/1.1: the rows A14, A39 to A41, A43, A47 to A49.

use super::{PLAIN, POST, asks, fire, says, sends};
use crate::hostile::{body, fields, target};

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_fields_of_http_2_arrive_as_http_1_says_them() {
    let with = |method: &'static [u8]| [method, b"http", b"localhost", b"/api/x"];
    let rows = vec![
        sends(
            "A14 GET with a body",
            PLAIN,
            &[],
            b"hello",
            Ok(body("hello")),
        ),
        sends(
            "A14 GET with a length",
            PLAIN,
            &[(b"content-length", b"5")],
            b"hello",
            Ok(body("hello")),
        ),
        sends(
            "A14 DELETE with a body",
            with(b"DELETE"),
            &[],
            b"hello",
            Ok(body("hello")),
        ),
        sends(
            "A14 OPTIONS with a body",
            with(b"OPTIONS"),
            &[],
            b"hello",
            Ok(body("hello")),
        ),
        sends("A14 GET with an empty body", PLAIN, &[], b"", Ok(body(""))),
        sends(
            "A14 POST of unknown length",
            POST,
            &[],
            b"hello",
            Ok(body("hello")),
        ),
        sends(
            "A14 POST that looks like a request",
            POST,
            &[],
            b"GET /api/y HTTP/1.1\r\n\r\n",
            Ok(body("GET /api/y HTTP/1.1\r\n\r\n")),
        ),
        sends(
            "A47 longer than told",
            POST,
            &[(b"content-length", b"3")],
            b"hello",
            Err(None),
        ),
        sends(
            "A47 shorter than told",
            POST,
            &[(b"content-length", b"9")],
            b"hello",
            Err(None),
        ),
        sends(
            "A47 much shorter than told",
            POST,
            &[(b"content-length", b"9999999")],
            b"hello",
            Err(None),
        ),
        sends(
            "A47 a body told as none",
            POST,
            &[(b"content-length", b"0")],
            b"hello",
            Err(None),
        ),
        says(
            "A47 none where one is told",
            &[(b"content-length", b"5")],
            Err(None),
        ),
        sends(
            "A47 two lengths",
            POST,
            &[(b"content-length", b"5"), (b"content-length", b"6")],
            b"hello",
            Err(None),
        ),
        sends(
            "A7 a length with a sign",
            POST,
            &[(b"content-length", b"+5")],
            b"hello",
            Err(None),
        ),
        sends(
            "A7 a list of lengths",
            POST,
            &[(b"content-length", b"5, 5")],
            b"hello",
            Err(None),
        ),
        sends(
            "A16 Expect",
            POST,
            &[(b"expect", b"200-maybe")],
            b"hello",
            Err(Some(400)),
        ),
        says(
            "A48 crumbs of a cookie",
            &[(b"cookie", b"a=1"), (b"cookie", b"sid=2")],
            Ok(fields(&[])),
        ),
        says(
            "A49 blanks around a value",
            &[(b"x-a", b" a ")],
            Ok(fields(&[("x-a", b"a")])),
        ),
        says(
            "A49 blanks of all kinds around values",
            &[(b"x-a", b"\ta \t b\t "), (b"x-b", b"  ")],
            Ok(fields(&[("x-a", b"a \t b"), ("x-b", b"")])),
        ),
        says(
            "A43 bytes that are not ASCII",
            &[(b"x-a", b"\x80\xff")],
            Ok(fields(&[("x-a", b"\x80\xff")])),
        ),
        says(
            "A40 twins",
            &[
                (b"authorization_", b"x"),
                (b"zuora_track_id", b"x"),
                (b"x_forwarded_for", b"x"),
            ],
            Ok(fields(&[])),
        ),
        says(
            "A39 what HTTP/1 alone has",
            &[
                (b"http2-settings", b"x"),
                (b"trailer", b"x"),
                (b"proxy-authorization", b"x"),
            ],
            Ok(fields(&[])),
        ),
        says(
            "A41 where it came from",
            &[
                (b"x-forwarded-for", b"1"),
                (b"forwarded", b"for=1"),
                (b"via", b"1.1 x"),
            ],
            Ok(fields(&[])),
        ),
        asks(
            "A29 the bytes of a path",
            [b"GET", b"http", b"localhost", b"/api/a/../%2e%2e//b?c=%20"],
            Ok(target("/a/../%2e%2e//b?c=%20")),
        ),
        asks(
            "C32 a login",
            [b"GET", b"http", b"localhost", b"/api/x/%2e%2e/oauth/token"],
            Err(Some(403)),
        ),
        asks(
            "A32 a fragment",
            [b"GET", b"http", b"localhost", b"/api/x#y"],
            Ok(body("")),
        ),
    ];
    fire(26, rows).await;
}
