//! Upstreams that fail, loops, and what the proxy's own answers are like.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use crate::support::caller::PATIENCE;
use crate::support::{Answer, H2, Scripted, TestProxy};

/// An address where nobody listens.
async fn dead() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Holds for every answer of the proxy's own.
pub(super) fn is_own(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (status, code),
        "{}",
        answer.text()
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("x-upauth-upstream"), None);
    let proxy_status = answer.header("proxy-status").unwrap();
    assert!(proxy_status.starts_with("upauth; error="), "{proxy_status}");
    assert!(proxy_status.contains(code), "{proxy_status}");
    let body = answer.json();
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("urn:upauth:{code}"));
    assert_eq!(body["request_id"], answer.header("x-request-id").unwrap());
    assert!(!body["title"].as_str().unwrap().is_empty());
    assert_ne!(status, 401, "a client would start a login of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_reached_is_502() {
    let api = Scripted::constant("never").await;
    let dead = dead().await;
    let text = format!("{}api_url = \"http://{dead}\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    for body in ["", "x"] {
        let answer = proxy.post("/api/x", body).await;
        is_own(&answer, 502, "UA-0401");
        assert!(
            !answer.text().contains(&dead.to_string()),
            "it tells where the API is"
        );
    }
    let answer = H2::connect(proxy.addr()).await.get("/api/x").await;
    is_own(&answer, 502, "UA-0401");
    let head = "HEAD /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = proxy.caller().await.ask(head).await;
    assert_eq!((answer.status, answer.body.len()), (502, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_answer_in_time_is_504_and_is_hung_up_on() {
    let gone = Arc::new(Notify::new());
    let told = gone.clone();
    let api = Scripted::start_with(&told, |mut connection, told| async move {
        if connection.request().await.is_some() {
            assert!(connection.head().await.is_none());
            told.notify_one();
        }
    })
    .await;
    let text = format!("{}response_timeout = \"1s\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    let began = Instant::now();
    is_own(&proxy.post("/api/x", "x").await, 504, "UA-0402");
    assert!(began.elapsed() >= Duration::from_millis(900));
    assert!(began.elapsed() < Duration::from_secs(3));
    timeout(Duration::from_secs(3), gone.notified())
        .await
        .expect("the upstream was left waiting");
    assert_eq!(api.seen().len(), 1, "it may have acted: never again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_stalls_or_comes_without_end_is_504_in_time_and_is_hung_up_on() {
    let (told, mut gone) = mpsc::unbounded_channel();
    let api = Scripted::start_with(&told, |mut connection, told| async move {
        if let Some(seen) = connection.request().await {
            // Each piece comes in time, and none is the last.
            let (begin, more) = match seen.target.as_str() {
                "/stalls" => ("HTTP/1.1 200 OK\r\nContent-Le", ""),
                "/drips" => ("HTTP/1.1 200 OK\r\nX-A: ", "x"),
                "/lines" => ("HTTP/1.1 200 OK\r\n", "X-A: 1\r\n"),
                _ => ("", "HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n"),
            };
            connection.write(begin).await;
            if more.is_empty() {
                connection.left().await;
            } else {
                let stream = &mut connection.caller.stream;
                let drip = async {
                    while stream.write_all(more.as_bytes()).await.is_ok() {
                        sleep(Duration::from_millis(50)).await;
                    }
                };
                timeout(PATIENCE, drip).await.expect("never hung up on");
            }
            told.send(seen.target).unwrap();
        }
    })
    .await;
    let text = format!("{}response_timeout = \"1s\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    for path in ["/stalls", "/drips", "/lines", "/interim"] {
        let began = Instant::now();
        is_own(
            &proxy.post(&format!("/api{path}"), "x").await,
            504,
            "UA-0402",
        );
        assert!(began.elapsed() >= Duration::from_millis(900), "{path}");
        assert!(began.elapsed() < PATIENCE / 3, "{path}");
        let left = timeout(PATIENCE, gone.recv()).await.expect("left waiting");
        assert_eq!(left.as_deref(), Some(path));
    }
    assert_eq!(api.seen().len(), 4, "they may have acted: never again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_breaks_off_and_does_not_end_well() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let head = match seen.target.as_str() {
                "/length" => "Content-Length: 100\r\n\r\nhello",
                _ => "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            };
            connection.write(format!("HTTP/1.1 200 OK\r\n{head}")).await;
        }
    })
    .await;
    let text = format!("{}response_timeout = \"1s\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    for path in ["/api/length", "/api/chunked"] {
        let began = Instant::now();
        let mut caller = proxy.caller().await;
        caller
            .write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        let answer = caller.answer(false).await;
        assert!(answer.is_err(), "{path} looked complete: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{path}");
        let mut caller = H2::connect(proxy.addr()).await;
        let answer = caller.ask(crate::support::h2::get(path)).await;
        assert!(
            answer.is_err(),
            "{path} looked complete over HTTP/2: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_talks_nonsense_is_502() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let answer = match seen.target.as_str() {
                "/garbage" => "220 smtp.example ESMTP\r\n\r\n",
                "/nothing" => return,
                "/switch" => {
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
                }
                "/coding" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
            };
            connection.write(answer).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for path in ["garbage", "nothing", "switch", "coding", "lengths"] {
        is_own(
            &proxy.post(&format!("/api/{path}"), "x").await,
            502,
            "UA-0403",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxys_own_answers_say_what_and_which_and_never_401() {
    let api = Scripted::constant("never").await;
    let text = format!(
        "{}read_only = true\ndeny = [\"/shut/**\"]\n",
        api.upstream()
    );
    let other = api.upstream().replace("[upstream.api]", "[upstream.other]");
    let proxy = TestProxy::start(&format!("{text}{other}"));
    let rows = [
        (
            "GET /api/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            400,
            "UA-0201",
        ),
        ("GET /api/x HTTP/1.1\r\n", 400, "UA-0201"),
        (
            "GET /api/x HTTP/1.1\r\nHost: evil.example\r\n",
            421,
            "UA-0202",
        ),
        (
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n",
            403,
            "UA-0203",
        ),
        ("GET /x HTTP/1.1\r\nHost: localhost\r\n", 404, "UA-0204"),
        (
            "TRACE /api/x HTTP/1.1\r\nHost: localhost\r\n",
            405,
            "UA-0205",
        ),
        (
            "GET /api/shut/x HTTP/1.1\r\nHost: localhost\r\n",
            403,
            "UA-0206",
        ),
        (
            "GET /other/oauth/token HTTP/1.1\r\nHost: localhost\r\n",
            403,
            "UA-0207",
        ),
        (
            "GET /api/x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
            501,
            "UA-0208",
        ),
        (
            "DELETE /api/x HTTP/1.1\r\nHost: localhost\r\n",
            403,
            "UA-0209",
        ),
    ];
    let mut ids = std::collections::BTreeSet::new();
    for (head, status, code) in rows {
        let answer = proxy.caller().await.ask(format!("{head}\r\n")).await;
        is_own(&answer, status, code);
        ids.insert(answer.header("x-request-id").unwrap().to_owned());
    }
    assert_eq!(ids.len(), rows.len(), "each has an id of its own");
    assert!(api.seen().is_empty());
    assert_eq!(api.logins(), 0, "nothing that is refused costs a login");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_has_too_much_to_do_is_passed_on_and_asked_once() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let status = format!("{} Busy", &seen.target[1..4]);
            let lines = "Retry-After: 7\r\nX-RateLimit-Remaining: 0\r\n";
            connection.reply(&status, lines, "not now").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for status in [429, 500, 502, 503, 504] {
        for answer in [
            proxy.get(&format!("/api/{status}/get")).await,
            proxy.post(&format!("/api/{status}/post"), "x").await,
        ] {
            assert_eq!((answer.status, answer.text().as_str()), (status, "not now"));
            assert_eq!(answer.header("retry-after"), Some("7"));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
            assert_eq!(answer.header("proxy-status"), None);
        }
    }
    assert_eq!((api.seen().len(), api.logins()), (10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address_is_502_and_a_dead_address_is_passed_over() {
    let api = Scripted::constant("ok").await;
    let nowhere = "api_url = \"https://nowhere.invalid\"\nconnect_timeout = \"2s\"\n";
    let proxy = TestProxy::start(&format!("{}{nowhere}", api.upstream()));
    let answer = proxy.get("/api/x").await;
    is_own(&answer, 502, "UA-0401");
    assert!(!answer.text().contains("nowhere"), "{}", answer.text());
    // On most machines `localhost` is ::1 first, where nobody listens.
    let twice = format!("api_url = \"http://localhost:{}\"\n", api.addr.port());
    let proxy = TestProxy::start(&format!("{}{twice}", api.upstream()));
    assert_eq!(proxy.get("/api/x").await.status, 200);
}
