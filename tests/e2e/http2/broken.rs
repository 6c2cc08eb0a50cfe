//! An answer that is not whole never looks whole, and what is no answer is told as such; floods end the connection that
//! they come on, and nothing else.

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS,
};
use crate::support::{Framed, TestProxy, together};

type Upstream = Frames<TlsStream<TcpStream>>;

/// Frames of an answer: kind, flags, payload.
type Told = &'static [(u8, u8, &'static [u8])];

/// `:status: 200`.
const OK: &[u8] = &[0x88];
/// The same and a `content-length`.
const OK_OF_5: &[u8] = b"\x88\x0f\x0d\x015";
const CANCEL: &[u8] = &[0, 0, 0, 8];
const NO_ERROR: &[u8] = &[0, 0, 0, 0];
const WHOLE: u8 = END_HEADERS | END_STREAM;

/// An upstream that answers with these frames; a GET of `/api/fine` is answered as it should be.
async fn telling(told: Told, hangs_up: bool) -> Framed {
    Framed::frames(
        &told,
        move |mut frames: Upstream, number, told| async move {
            frames.frame(SETTINGS, 0, 0, &[]).await;
            let mut first = number == 0;
            while let Some(id) = frames.request().await {
                if first {
                    for (kind, flags, payload) in told {
                        let id = if *kind == GOAWAY { 0 } else { id };
                        frames.frame(*kind, *flags, id, payload).await;
                    }
                    if hangs_up {
                        return;
                    }
                    first = false;
                } else {
                    frames.frame(HEADERS, END_HEADERS, id, OK).await;
                    frames.frame(DATA, END_STREAM, id, b"fine").await;
                }
            }
        },
    )
    .await
}

/// What becomes of a POST, which is never sent again: the whole answer, or none that looks like one.
async fn asked(proxy: &TestProxy) -> Option<(u16, String)> {
    let mut caller = proxy.caller().await;
    let post = "POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
    caller.write(post).await;
    let answer = caller.answer(false).await.ok()?;
    let text = match answer.status {
        502 => answer.code(),
        _ => answer.text(),
    };
    Some((answer.status, text))
}

/// Answers that break off; whether the upstream hangs up then.
const NOT_WHOLE: [(&str, Told, bool); 9] = [
    (
        "shorter than it said",
        &[(HEADERS, END_HEADERS, OK_OF_5), (DATA, END_STREAM, b"abc")],
        false,
    ),
    (
        "longer than it said",
        &[
            (HEADERS, END_HEADERS, OK_OF_5),
            (DATA, END_STREAM, b"abcdef"),
        ],
        false,
    ),
    (
        "shorter, and trailers",
        &[
            (HEADERS, END_HEADERS, OK_OF_5),
            (DATA, 0, b"abc"),
            (HEADERS, WHOLE, b"\x0f\x13\x01x"),
        ],
        false,
    ),
    (
        "cancelled",
        &[
            (HEADERS, END_HEADERS, OK),
            (DATA, 0, b"abc"),
            (RST_STREAM, 0, CANCEL),
        ],
        false,
    ),
    (
        "reset as if it were over",
        &[
            (HEADERS, END_HEADERS, OK),
            (DATA, 0, b"abc"),
            (RST_STREAM, 0, NO_ERROR),
        ],
        false,
    ),
    (
        "trailers without an end",
        &[
            (HEADERS, END_HEADERS, OK),
            (DATA, 0, b"abc"),
            (HEADERS, END_HEADERS, b"\x0f\x13\x01x"),
        ],
        false,
    ),
    (
        "hung up",
        &[(HEADERS, END_HEADERS, OK), (DATA, 0, b"abc")],
        true,
    ),
    (
        "hung up with a good-bye",
        &[
            (HEADERS, END_HEADERS, OK),
            (DATA, 0, b"abc"),
            (GOAWAY, 0, b"\0\0\0\x01\0\0\0\0"),
        ],
        true,
    ),
    (
        "hung up behind the head",
        &[(HEADERS, END_HEADERS, OK)],
        true,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_whole_never_looks_whole() {
    for (name, told, hangs_up) in NOT_WHOLE {
        let api = telling(told, hangs_up).await;
        let proxy = api.proxy();
        let got = asked(&proxy).await;
        // The answer that breaks before anything of it is passed on may still become one of the proxy's own.
        let broken = got.as_ref().is_none_or(|(status, _)| *status == 502);
        assert!(broken, "{name}: {got:?}");
        assert_eq!(proxy.get("/api/fine").await.text(), "fine", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_a_bad_gateway() {
    let rows: [(&str, Told); 8] = [
        ("no status", &[(HEADERS, WHOLE, b"\x0f\x13\x01x")]),
        ("a status of none", &[(HEADERS, WHOLE, b"\x08\x03600")]),
        (
            "101",
            &[
                (HEADERS, END_HEADERS, b"\x08\x03101"),
                (DATA, END_STREAM, b"x"),
            ],
        ),
        (
            "a field of a connection",
            &[(HEADERS, WHOLE, b"\x88\x00\x0aconnection\x05close")],
        ),
        (
            "a transfer coding",
            &[(HEADERS, WHOLE, b"\x88\x00\x11transfer-encoding\x07chunked")],
        ),
        (
            "CR LF in a value",
            &[(HEADERS, WHOLE, b"\x88\x00\x01x\x04\r\na:")],
        ),
        (
            "two lengths",
            &[(HEADERS, END_HEADERS, b"\x88\x0f\x0d\x015\x0f\x0d\x016")],
        ),
        ("a body before its head", &[(DATA, END_STREAM, b"x")]),
    ];
    for (name, told) in rows {
        let api = telling(told, false).await;
        let proxy = api.proxy();
        let got = asked(&proxy).await;
        assert_eq!(got, Some((502, "UA-0403".to_owned())), "{name}");
        assert_eq!(proxy.get("/api/fine").await.text(), "fine", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chooses_http2_and_does_not_speak_it_cannot_be_reached() {
    let api = Framed::accept(&["h2"], |mut stream, _| async move {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
    })
    .await;
    let proxy = api.proxy();
    assert_eq!(asked(&proxy).await, Some((502, "UA-0401".to_owned())));
    let silent = Framed::accept(&["h2"], |_stream, _| std::future::pending()).await;
    let text = silent.upstream("http2 = true\nconnect_timeout = \"300ms\"");
    let proxy = TestProxy::start(&text);
    assert_eq!(asked(&proxy).await, Some((502, "UA-0401".to_owned())));
}

/// How a flood goes on: frames of an upstream, over and over.
type Flood = fn(u32) -> (u8, u8, u32, Vec<u8>);

/// An upstream whose first answer is a flood, behind no head, a whole one or half of one.
async fn flooding(begins: u8, flood: Flood) -> Framed {
    Framed::frames(&(), move |mut frames: Upstream, number, ()| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        let mut first = number == 0;
        while let Some(id) = frames.request().await {
            if first {
                match begins {
                    1 => frames.frame(HEADERS, END_HEADERS, id, OK).await,
                    2 => frames.frame(HEADERS, 0, id, OK).await,
                    _ => {}
                }
                for _ in 0..20_000 {
                    let (kind, flags, id, payload) = flood(id);
                    frames.frame(kind, flags, id, &payload).await;
                }
                first = false;
            } else {
                frames.frame(HEADERS, END_HEADERS, id, OK).await;
                frames.frame(DATA, END_STREAM, id, b"fine").await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_ends_at_most_its_own_connection() {
    let floods: [(&str, u8, Flood); 6] = [
        ("pings", 0, |_| (PING, 0, 0, vec![0; 8])),
        ("settings", 0, |_| {
            (SETTINGS, 0, 0, vec![0, 4, 0, 0, 255, 255])
        }),
        ("interim answers", 0, |id| {
            (HEADERS, END_HEADERS, id, b"\x08\x03103".to_vec())
        }),
        ("small pieces", 1, |id| (DATA, 0, id, vec![b'x'])),
        ("empty pieces", 1, |id| (DATA, 0, id, vec![])),
        ("a head without end", 2, |id| {
            (CONTINUATION, 0, id, b"\x00\x01a\x01b".repeat(2000))
        }),
    ];
    // At once: some of them hold up their connection for as long as it may be silent.
    let tries = together(floods.len(), move |number| async move {
        let (name, begins, flood) = floods[number];
        let api = flooding(begins, flood).await;
        let text = api.upstream("http2 = true\nresponse_timeout = \"6s\"");
        let proxy = TestProxy::start(&text);
        let got = asked(&proxy).await;
        let sound = got.as_ref().is_none_or(|(status, _)| *status >= 500);
        assert!(sound, "{name}: {got:?}");
        assert_eq!(proxy.get("/api/fine").await.text(), "fine", "{name}");
    });
    tries.await;
}
