//! Limits: of heads, of connections, of requests in flight.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::support::caller::PATIENCE;
use crate::support::h2::get;
use crate::support::{Caller, H2, Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_the_limits_is_refused_and_nothing_is_sent() {
    let api = Scripted::constant("ok").await;
    let text = format!(
        "{}[server.limits]\nheader_bytes = \"8KiB\"\nheader_fields = 10\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let fields = |count: usize, length: usize| -> String {
        let value = "x".repeat(length);
        (0..count).map(|n| format!("X-{n}: {value}\r\n")).collect()
    };
    for (count, length, expected) in [(5, 100, 200), (12, 1, 431), (1, 9000, 431), (5, 2000, 431)] {
        let head = format!(
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            fields(count, length)
        );
        let answer = proxy.caller().await.ask(head).await;
        assert_eq!(
            answer.status, expected,
            "HTTP/1.1 {count} fields of {length}"
        );
        let mut request = get("/api/x");
        for number in 0..count {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            let value = http::HeaderValue::try_from("x".repeat(length)).unwrap();
            request.headers_mut().insert(name, value);
        }
        let mut caller = H2::connect(proxy.addr()).await;
        let answer = caller.ask(request).await.unwrap();
        assert_eq!(answer.status, expected, "HTTP/2 {count} fields of {length}");
    }
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_until_another_ends() {
    let api = Scripted::constant("ok").await;
    let text = format!("{}[server.limits]\nconnections = 2\n", api.upstream());
    let proxy = TestProxy::start(&text);
    let mut served = [proxy.caller().await, proxy.caller().await];
    for caller in &mut served {
        assert_eq!(caller.get("/api/x").await.status, 200);
    }
    let mut third = proxy.caller().await;
    third.begin("/api/third").await;
    let early = timeout(Duration::from_millis(500), third.head()).await;
    assert!(early.is_err(), "a third connection was served");
    assert_eq!(api.seen().len(), 2);
    drop(served);
    assert_eq!(third.answer(false).await.unwrap().status, 200);
}

/// A server whose bodies end when it is told so.
async fn held(end: &Arc<Notify>) -> Scripted {
    Scripted::start_with(end, |mut connection, end| async move {
        while connection.request().await.is_some() {
            connection
                .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
                .await;
            end.notified().await;
            connection.write("0\r\n\r\n").await;
        }
    })
    .await
}

async fn begin(caller: &mut Caller) {
    caller.begin("/api/x").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_among_the_requests_in_flight_is_held_until_the_body_ends() {
    let end = Arc::new(Notify::new());
    let api = held(&end).await;
    let text = format!(
        "{}[server.limits]\nrequests_in_flight = 1\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let mut first = proxy.caller().await;
    begin(&mut first).await;
    let refused = proxy.get("/api/x").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "UA-0502"));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    end.notify_one();
    assert_eq!(first.chunk().await.unwrap(), None);
    begin(&mut first).await;
    end.notify_one();
    assert_eq!(first.chunk().await.unwrap(), None);
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_gives_the_place_back() {
    let end = Arc::new(Notify::new());
    let api = held(&end).await;
    let text = format!(
        "{}[server.limits]\nrequests_in_flight = 1\n",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let mut first = proxy.caller().await;
    begin(&mut first).await;
    drop(first);
    let served = timeout(PATIENCE, async {
        loop {
            let mut caller = proxy.caller().await;
            caller.begin("/api/x").await;
            if caller.head().await.unwrap().status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    served.await.expect("the place was never given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_nobody_calls_keeps_no_place_from_the_others() {
    let api = Scripted::constant("ok").await;
    let limits = "[server.limits]\nconnections = 1\n";
    let proxy = TestProxy::start(&format!(
        "{limits}{}listen = \"127.0.0.1:0\"\n",
        api.upstream()
    ));
    for addr in [
        proxy.addr(),
        proxy.addr(),
        proxy.own("api"),
        proxy.own("api"),
    ] {
        let mut caller = Caller::connect(addr).await;
        let request = "GET /api/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        assert_eq!(caller.ask(request).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_sends_all_of_a_refused_upload_first_still_gets_the_answer() {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&format!("{}read_only = true\n", api.upstream()));
    let length = 4 * 1024 * 1024;
    let head = "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\n";
    let upload = format!(
        "{head}Content-Length: {length}\r\n\r\n{}",
        "x".repeat(length)
    );
    let mut in_time = 0;
    for _ in 0..50 {
        // The answer is there long before the upload ends; a connection that was closed then would be reset.
        let mut caller = proxy.caller().await;
        let began = Instant::now();
        let sent = caller.stream.write_all(upload.as_bytes()).await;
        // The proxy takes what comes for a second more. A busy machine may be slower: then it is tried again.
        if began.elapsed() > Duration::from_millis(800) {
            continue;
        }
        sent.unwrap();
        let answer = caller.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (403, "UA-0209"));
        in_time += 1;
        if in_time == 5 {
            break;
        }
    }
    assert_eq!(in_time, 5, "this machine is too busy");
    assert!(api.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_an_upload_says_that_its_connection_ends() {
    let early = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.head().await {
            if seen.header("transfer-encoding").is_some() {
                connection.caller.chunk().await.unwrap();
                connection.reply("413 Too Large", "", "no").await;
            } else {
                connection.body(&seen).await.unwrap();
                connection.reply("200 OK", "", "yes").await;
            }
        }
    })
    .await;
    let limits = "[server.limits]\nreplay_bytes = \"1KiB\"\n";
    let proxy = TestProxy::start(&format!(
        "{limits}{}deny = [\"/denied\"]\n",
        early.upstream()
    ));
    let head = |path: &str, framing: &str| {
        format!("POST /api/{path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n")
    };
    let chunked = "Transfer-Encoding: chunked";
    // What is sent before the answer, its status, and whether the connection ends.
    let long = "x".repeat(9000);
    let rows = [
        (head("denied", "Content-Length: 9"), 403, true),
        (
            format!("{}nine long", head("denied", "Content-Length: 9")),
            403,
            false,
        ),
        (
            head("denied", "Content-Length: 9\r\nExpect: 100-continue"),
            403,
            true,
        ),
        (format!("{}3\r\none\r\n", head("up", chunked)), 413, true),
        (
            format!("{}short", head("up", "Content-Length: 5")),
            200,
            false,
        ),
        (
            format!("{}{long}", head("up", "Content-Length: 9000")),
            200,
            false,
        ),
    ];
    for (request, status, ends) in rows {
        let mut caller = proxy.caller().await;
        caller.write(&request).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!(answer.status, status, "{request:.60}");
        assert_eq!(
            answer.header("connection"),
            ends.then_some("close"),
            "{request:.60}"
        );
        if !ends {
            assert_eq!(caller.get("/api/next").await.status, 200);
        }
    }
}
