//! Requests and answers pass over HTTP/2 as they do over HTTP/1.1.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};

use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS};
use crate::support::{Call, Framed};

/// A request as an upstream saw it.
#[derive(Clone)]
struct Seen {
    head: Arc<http::request::Parts>,
    body: Vec<u8>,
}

type All = Arc<Mutex<Vec<Seen>>>;

/// An API that keeps what it sees.
async fn keeping(all: &All) -> Framed {
    Framed::calls(server::Builder::new(), all, |mut call, all| async move {
        let body = call.body().await;
        let mut head = http::Request::new(()).into_parts().0;
        head.method = call.request.method().clone();
        head.uri = call.request.uri().clone();
        head.version = call.request.version();
        head.headers = call.request.headers().clone();
        let head = Arc::new(head);
        all.lock().unwrap().push(Seen { head, body });
        call.reply("hello");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_out_in_http2_with_its_credential_and_nothing_of_http1() {
    let all = All::default();
    let api = keeping(&all).await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    let answer = caller
        .get_with(
            "/api/v1/a%2Fb|{}//c?q=%20&q=[|]",
            "Connection: keep-alive, x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers, gzip\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nCookie: a=b\r\nX-Other: 2\r\n\
             Authorization: Bearer mine\r\nX-Other: 3\r\nProxy-Connection: close\r\n",
        )
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.version, "HTTP/1.1");
    let seen = all.lock().unwrap()[0].clone();
    let head = &*seen.head;
    let whole = format!(
        "https://localhost:{}/v1/a%2Fb|{{}}//c?q=%20&q=[|]",
        api.port
    );
    assert_eq!(head.uri.to_string(), whole);
    assert_eq!(
        (head.method.as_str(), head.version),
        ("GET", Version::HTTP_2)
    );
    let value = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(value("authorization"), Some("Bearer token-1"));
    let others: Vec<_> = head.headers.get_all("x-other").iter().collect();
    assert_eq!(others, ["2", "3"]);
    for gone in [
        "connection",
        "x-mine",
        "keep-alive",
        "te",
        "upgrade",
        "http2-settings",
        "cookie",
        "proxy-connection",
        "host",
        "transfer-encoding",
        "content-length",
    ] {
        assert_eq!(value(gone), None, "{gone}");
    }
    assert_eq!(api.agreed(), ["h2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_in_no_table_of_the_compression() {
    let blocks: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let api = Framed::frames(&blocks, |mut frames, _, blocks| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some((kind, id, block)) = frames.next().await {
            if kind == HEADERS {
                blocks.lock().unwrap().push(block);
                frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                frames.frame(DATA, END_STREAM, id, b"ok").await;
            }
        }
    })
    .await;
    let proxy = api.proxy();
    assert_eq!(proxy.get("/api/a").await.text(), "ok");
    assert_eq!(proxy.get("/api/b").await.text(), "ok");
    // `authorization`, a literal that is never indexed (RFC 7541 sections 6.2.3 and 7.1.3).
    for block in &*blocks.lock().unwrap() {
        let found = block.windows(2).any(|two| two == [0x1f, 23 - 0x0f]);
        assert!(found, "{block:02x?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_framed_anew_whatever_the_caller_speaks() {
    let all = All::default();
    let api = keeping(&all).await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    let long = "x".repeat(300_000);
    assert_eq!(caller.post("/api/declared", "some").await.status, 200);
    assert_eq!(caller.post("/api/empty", "").await.status, 200);
    assert_eq!(caller.post("/api/long", &long).await.status, 200);
    caller.begin_upload("/api/streamed").await;
    caller.piece("so").await;
    caller.piece("me").await;
    caller.end().await;
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    let mut framed = crate::support::H2::connect(proxy.addr()).await;
    assert_eq!(framed.get("/api/framed").await.status, 200);
    let all = all.lock().unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|seen| {
            let length = seen.head.headers.get("content-length");
            let length = length.map(|length| length.to_str().unwrap());
            (seen.head.uri.path(), length, seen.body.len())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("/declared", Some("4"), 4),
            ("/empty", Some("0"), 0),
            ("/long", Some("300000"), 300_000),
            ("/streamed", None, 4),
            ("/framed", None, 0),
        ]
    );
    assert_eq!(all[0].body, b"some");
    assert_eq!(all[3].body, b"some");
    assert_eq!(api.agreed(), ["h2"], "one connection for all of them");
}

/// Answers as the path says.
fn answer_as_asked(mut call: Call) {
    let path = call.request.uri().path().to_owned();
    let mut answer = Response::new(());
    let length = |answer: &mut Response<()>, length| {
        let length = HeaderValue::from_static(length);
        answer.headers_mut().insert("content-length", length);
    };
    match path.as_str() {
        "/interim" => {
            for status in [100, 103] {
                let mut interim = Response::new(());
                *interim.status_mut() = status.try_into().unwrap();
                call.respond.send_informational(interim).unwrap();
            }
            call.reply("after");
        }
        "/trailers" => {
            let mut stream = call.begin();
            let body = Bytes::from_static(b"body");
            stream.send_data(body, false).unwrap();
            let value = HeaderValue::from_static("1");
            let trailers = HeaderMap::from_iter([(http::header::ETAG, value)]);
            stream.send_trailers(trailers).unwrap();
        }
        "/declared" => {
            length(&mut answer, "4");
            let mut stream = call.respond.send_response(answer, false).unwrap();
            stream.send_data(Bytes::from_static(b"body"), true).unwrap();
        }
        bodiless => {
            match bodiless {
                "/head" => length(&mut answer, "123"),
                "/304" => {
                    length(&mut answer, "123");
                    *answer.status_mut() = StatusCode::NOT_MODIFIED;
                }
                "/204" => *answer.status_mut() = StatusCode::NO_CONTENT,
                "/empty" => {}
                other => panic!("{other}"),
            }
            call.respond.send_response(answer, true).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_pass_whole_without_interim_ones_and_trailers() {
    let api = Framed::calls(server::Builder::new(), &(), |call, ()| async move {
        answer_as_asked(call);
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    let rows = [
        ("/interim", 200, "after", None),
        ("/trailers", 200, "body", None),
        ("/204", 204, "", None),
        ("/304", 304, "", None),
        ("/declared", 200, "body", Some("4")),
        ("/empty", 200, "", Some("0")),
    ];
    for (path, status, body, length) in rows {
        let answer = caller.get(&format!("/api{path}")).await;
        let told = (
            answer.status,
            answer.text(),
            answer.header("content-length"),
        );
        assert_eq!(told, (status, body.to_owned(), length), "{path}");
        assert_eq!(answer.header("etag"), None);
    }
    let asked = "HEAD /api/head HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = caller.ask(asked).await;
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, Some("123"))
    );
    // All of them on the same connections on either side.
    assert_eq!(caller.get("/api/declared").await.status, 200);
    assert_eq!(api.agreed().len(), 1);
}
