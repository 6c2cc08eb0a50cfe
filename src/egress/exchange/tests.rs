//! What a connection is between two requests.

use std::future::poll_fn;

use http_body_util::Full;
use tokio::io::AsyncWriteExt;

use super::*;

#[tokio::test]
async fn an_idle_connection_has_little_memory_however_often_it_is_looked_after() {
    let (ours, mut upstream) = tokio::io::duplex(1024 * 1024);
    let mut exchange = Exchange::<_, Full<Bytes>>::new(ours);
    let (method, fields) = (Method::GET, HeaderMap::new());
    exchange.begin(
        &Head {
            method: &method,
            target: "/",
            host: "localhost",
            fields: &fields,
            own: &[],
        },
        Full::default(),
    );
    let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    upstream.write_all(head).await.unwrap();
    for _ in 0..32 {
        upstream.write_all(&chunk).await.unwrap();
    }
    upstream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut moved = 0;
    poll_fn(|cx| exchange.poll_head(cx, &mut moved))
        .await
        .unwrap();
    let mut length = 0;
    while let Some(piece) = poll_fn(|cx| exchange.poll_body(cx, &mut moved)).await {
        length += piece.unwrap().len();
    }
    assert_eq!(length, 32 * 0x4000);
    assert!(exchange.room > 2 * LITTLE, "the answers were not large");
    assert!(exchange.rest());
    for _ in 0..3 {
        assert!(exchange.is_live());
    }
    assert!(exchange.input.capacity() <= 2 * LITTLE);
    upstream.write_all(b"H").await.unwrap();
    assert!(!exchange.is_live(), "it has said something unasked");
}
