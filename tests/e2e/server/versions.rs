//! HTTP/1.0, HTTP/1.1 and HTTP/2 callers.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::support::{H2, Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_http_1_0_is_served_without_a_host_and_without_chunks() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let head = match seen.target.as_str() {
                "/chunked" => "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                _ => "Content-Length: 5\r\n\r\nhello",
            };
            connection.write(format!("HTTP/1.1 200 OK\r\n{head}")).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for path in ["/api/plain", "/api/chunked"] {
        let mut caller = proxy.caller().await;
        let answer = caller.ask(format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{path}"
        );
        assert_eq!(answer.header("transfer-encoding"), None, "{path}");
        assert!(
            caller.exactly(1).await.is_err(),
            "{path}: it ends with its connection"
        );
    }
    let mut caller = proxy.caller().await;
    for _ in 0..2 {
        let answer = caller
            .ask("GET /api/plain HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
            .await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    }
    assert!(
        api.seen()
            .iter()
            .all(|seen| seen.header("connection").is_none())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_http_1_1_that_come_together_are_answered_in_order() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            connection.reply("200 OK", "", &seen.target).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    let request = |number| format!("GET /api/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    caller.write((0..5).map(request).collect::<String>()).await;
    for number in 0..5 {
        assert_eq!(
            caller.answer(false).await.unwrap().text(),
            format!("/{number}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_http_2_by_prior_knowledge_is_served_on_the_plain_port() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let body = format!("{} {} {}", seen.method, seen.target, seen.body.len());
            connection.reply("200 OK", "", &body).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let caller = H2::connect(proxy.addr()).await;
    let mut streams = tokio::task::JoinSet::new();
    for number in 0..50_usize {
        let mut caller = caller.clone();
        streams.spawn(async move {
            let length = number * 4000;
            let request = Request::post(format!("http://localhost/api/x/{number}"))
                .body(Full::from(Bytes::from(vec![b'x'; length])))
                .unwrap();
            let answer = caller.ask(request).await.unwrap();
            assert_eq!((answer.version.as_str(), answer.status), ("HTTP/2.0", 200));
            assert_eq!(answer.text(), format!("POST /x/{number} {length}"));
        });
    }
    while let Some(stream) = streams.join_next().await {
        stream.unwrap();
    }
    let seen = &api.seen()[0];
    assert_eq!(seen.header("host"), Some(api.addr.to_string().as_str()));
    assert_eq!(seen.count("authorization"), 1);
}
