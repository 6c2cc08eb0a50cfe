//! Heads of HTTP/2 that HTTP/1.1 cannot say: the rows A24, A26, A44 and A45.

use super::{ABSENT, PLAIN, POST, asks, fire, says, sends};
use crate::hostile::capture::Capture;
use crate::hostile::{fields, is_as};
use crate::support::TestProxy;
use crate::support::frames::{CONTINUATION, END_HEADERS, END_STREAM, End, Frames, HEADERS, block};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_http_2_that_http_1_cannot_say_is_refused() {
    let rows = vec![
        says(
            "A44 CR LF in a value",
            &[(b"x-a", b"1\r\nx-b: 2")],
            Err(None),
        ),
        says("A44 LF in a value", &[(b"x-a", b"1\n2")], Err(None)),
        says("A44 CR in a value", &[(b"x-a", b"1\r2")], Err(None)),
        says("A44 NUL in a value", &[(b"x-a", b"1\x002")], Err(None)),
        says(
            "A44 CR LF in a name",
            &[(b"x-a: 1\r\nx-b", b"2")],
            Err(None),
        ),
        says("A44 a colon in a name", &[(b"x:a", b"1")], Err(None)),
        says("A44 a quote in a name", &[(b"x\"a", b"1")], Err(Some(400))),
        says("A44 a blank in a name", &[(b"x a", b"1")], Err(None)),
        says("A44 a capital in a name", &[(b"X-A", b"1")], Err(None)),
        says("A44 no name", &[(b"", b"1")], Err(None)),
        says(
            "A44 a header in a name",
            &[(b"transfer-encoding: chunked\r\n", b"x")],
            Err(None),
        ),
        says("A45 a second :path", &[(b":path", b"/api/y")], Err(None)),
        says("A45 a second :method", &[(b":method", b"POST")], Err(None)),
        says(
            "A45 a second :authority",
            &[(b":authority", b"localhost")],
            Err(None),
        ),
        says(
            "A45 a late pseudo field",
            &[(b"x-a", b"1"), (b":foo", b"1")],
            Err(None),
        ),
        says(
            "A45 an answer's pseudo field",
            &[(b":status", b"200")],
            Err(None),
        ),
        says(
            "A45 connection",
            &[(b"connection", b"authorization")],
            Err(None),
        ),
        says(
            "A45 connection close",
            &[(b"connection", b"close")],
            Err(None),
        ),
        says(
            "A45 keep-alive",
            &[(b"keep-alive", b"timeout=5")],
            Err(None),
        ),
        says(
            "A45 proxy-connection",
            &[(b"proxy-connection", b"x")],
            Err(None),
        ),
        says("A45 upgrade", &[(b"upgrade", b"websocket")], Err(None)),
        says("A45 te", &[(b"te", b"gzip")], Err(None)),
        says("A45 te trailers", &[(b"te", b"trailers")], Ok(fields(&[]))),
        says(
            "A45 transfer-encoding",
            &[(b"transfer-encoding", b"chunked")],
            Err(None),
        ),
        sends(
            "A45 transfer-encoding with a body",
            POST,
            &[(b"transfer-encoding", b"chunked")],
            b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            Err(None),
        ),
        asks(
            "A45 CR LF in :path",
            [
                b"GET",
                b"http",
                b"localhost",
                b"/api/x HTTP/1.1\r\nHost: evil\r\n\r\n",
            ],
            Err(None),
        ),
        asks(
            "A45 a blank in :path",
            [b"GET", b"http", b"localhost", b"/api/x HTTP/1.1"],
            Err(None),
        ),
        asks(
            "A45 no slash in :path",
            [b"GET", b"http", b"localhost", b"api/x"],
            Err(None),
        ),
        asks(
            "A45 nothing in :path",
            [b"GET", b"http", b"localhost", b""],
            Err(None),
        ),
        asks(
            "A45 a query alone in :path",
            [b"GET", b"http", b"localhost", b"?x"],
            Err(Some(400)),
        ),
        asks(
            "A45 a URL in :path",
            [b"GET", b"http", b"localhost", b"http://evil.example/api/x"],
            Err(None),
        ),
        asks(
            "A45 a star in :path",
            [b"GET", b"http", b"localhost", b"*"],
            Err(None),
        ),
        asks(
            "A45 no :path",
            [b"GET", b"http", b"localhost", ABSENT],
            Err(None),
        ),
        asks(
            "A45 no :method",
            [ABSENT, b"http", b"localhost", b"/api/x"],
            Err(None),
        ),
        asks(
            "A45 no :scheme",
            [b"GET", ABSENT, b"localhost", b"/api/x"],
            Err(None),
        ),
        asks(
            "A45 a request line in :method",
            [
                b"GET /api/y HTTP/1.1\r\nX: ",
                b"http",
                b"localhost",
                b"/api/x",
            ],
            Err(None),
        ),
        asks(
            "A45 a strange :scheme",
            [b"GET", b"http://evil/?", b"localhost", b"/api/x"],
            Err(None),
        ),
        asks(
            "A45 ftp",
            [b"GET", b"ftp", b"localhost", b"/api/x"],
            Err(Some(400)),
        ),
        asks(
            "A24 CONNECT",
            [b"CONNECT", ABSENT, b"evil.example:443", ABSENT],
            Err(Some(501)),
        ),
        asks(
            "A24 CONNECT with a path",
            [b"CONNECT", b"http", b"localhost", b"/api/x"],
            Err(None),
        ),
        asks(
            "A26 TRACE",
            [b"TRACE", b"http", b"localhost", b"/api/x"],
            Err(Some(405)),
        ),
        asks(
            "A27 get",
            [b"get", b"http", b"localhost", b"/api/x"],
            Err(Some(405)),
        ),
    ];
    fire(42, rows).await;
}

/// Where a frame ends within a field, h2 forgets what was wrong before it in that head, which it has left out by then.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_overlooked_in_a_head_of_several_frames_goes_no_further() {
    for api in Capture::both().await {
        let proxy = TestProxy::start(&api.upstream());
        let wrong: [(&[u8], &[u8]); 9] = [
            (b":path", b"/api/y"),
            (b":method", b"POST"),
            (b":authority", b"evil.example"),
            (b"connection", b"x-a"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"websocket"),
            (b"keep-alive", b"timeout=5"),
            (b"te", b"gzip"),
            (b"", b"1"),
        ];
        for wrong in wrong {
            let [method, scheme, authority, path] = PLAIN;
            let block = block(&[
                (b":method", method),
                (b":scheme", scheme),
                (b":authority", authority),
                (b":path", path),
                wrong,
                (b"x-a", b"1"),
            ]);
            let (begin, rest) = block.split_at(block.len() - 1);
            let mut caller = Frames::connect(proxy.addr()).await;
            caller.frame(HEADERS, END_STREAM, 1, begin).await;
            caller.frame(CONTINUATION, END_HEADERS, 1, rest).await;
            let end = caller.end(1).await;
            assert_eq!(proxy.get("/api/probe").await.status, 200);
            let mut taken = api.take("A45 several frames");
            taken.retain(|taken| !taken.is_probe());
            let is_fine = match end {
                End::Status(200) => {
                    taken.len() == 1 && is_as(&taken[0], method, &fields(&[("x-a", b"1")]))
                }
                _ => taken.is_empty(),
            };
            assert!(is_fine, "{wrong:?}: {end:?}, upstream {taken:?}");
        }
    }
}
