//! Many requests on few connections; and upstreams that do not choose HTTP/2, or are not offered it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use h2::server;
use tokio::sync::{Barrier, Notify};

use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS};
use crate::support::{Call, Caller, Framed, TestProxy, together};

/// What `count` callers with a connection each get at once.
async fn at_once(proxy: &TestProxy, count: usize) -> Vec<u16> {
    let addr = proxy.addr();
    let ask = |_| async move { Caller::connect(addr).await.get("/api/x").await.status };
    together(count, ask).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_at_once_need_few_connections() {
    let all = Arc::new(Barrier::new(200));
    let api = Framed::calls(server::Builder::new(), &all, |mut call, all| async move {
        // All of them are on their way before the first is answered.
        all.wait().await;
        call.reply("hello");
    })
    .await;
    let proxy = api.proxy();
    assert_eq!(at_once(&proxy, 200).await, [200; 200]);
    // A hundred each, and one that was begun because nobody knew yet.
    let made = api.agreed().len();
    assert!((2..=4).contains(&made), "{made}");
    let told = proxy.metrics.encode();
    let open = format!("upauth_upstream_connections{{upstream=\"api\"}} {made}");
    assert!(told.contains(&open), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_takes_few_requests_at_once_is_never_asked_for_more() {
    type Running = Arc<Mutex<HashMap<usize, (usize, usize)>>>;
    let (running, all) = (Running::default(), Arc::new(Barrier::new(12)));
    let shared = (running.clone(), all);
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(3);
    let api = Framed::calls(
        builder,
        &shared,
        |mut call: Call, (running, all)| async move {
            let on = |change: fn(&mut (usize, usize))| {
                change(running.lock().unwrap().entry(call.connection).or_default());
            };
            on(|(now, most)| {
                *now += 1;
                *most = (*most).max(*now);
            });
            all.wait().await;
            on(|(now, _)| *now -= 1);
            call.reply("hello");
        },
    )
    .await;
    let proxy = api.proxy();
    assert_eq!(at_once(&proxy, 12).await, [200; 12]);
    let running = running.lock().unwrap();
    assert!(running.values().all(|(_, most)| *most <= 3), "{running:?}");
    assert!((4..=8).contains(&running.len()), "{running:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_are_bounded_and_wait_for_one_another() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let shared = (running, most.clone());
    let api = Framed::calls(
        server::Builder::new(),
        &shared,
        |mut call, (running, most)| async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            call.reply("hello");
        },
    )
    .await;
    let proxy = TestProxy::start(&api.upstream("http2 = true\nconnections = 3"));
    assert_eq!(at_once(&proxy, 30).await, [200; 30]);
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!(api.agreed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_hangs_is_in_no_others_way() {
    let hanging = Arc::new(Notify::new());
    let api = Framed::calls(
        server::Builder::new(),
        &hanging,
        |mut call, hanging| async move {
            if call.request.uri().path() == "/hang" {
                hanging.notify_one();
                std::future::pending::<()>().await;
            }
            call.reply("hello");
        },
    )
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin("/api/hang").await;
    hanging.notified().await;
    assert_eq!(proxy.get("/api/x").await.text(), "hello");
    assert_eq!(api.agreed().len(), 1);
}

/// An upstream that offers these protocols and answers in HTTP/1.1, requests that come at once when all of them are there.
async fn in_http1(alpn: &[&str], at_once: usize) -> Framed {
    let all = Arc::new(Barrier::new(at_once));
    Framed::accept(alpn, move |stream, _| {
        let all = all.clone();
        async move {
            let mut caller = Caller::over(stream);
            while let Some(head) = caller.request_head().await {
                assert!(head.ends_with("\r\n\r\n") && head.contains(" HTTP/1.1\r\n"));
                if head.contains("/x ") {
                    all.wait().await;
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
                caller.write(answer).await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_choose_http2_is_spoken_to_in_http1() {
    // It knows of no such choice, or chooses the other.
    for (alpn, agreed) in [(&[] as &[&str], ""), (&["http/1.1"], "http/1.1")] {
        let api = in_http1(alpn, 10).await;
        let proxy = api.proxy();
        for _ in 0..3 {
            assert_eq!(proxy.get("/api/one").await.text(), "hello");
        }
        assert_eq!(api.agreed(), [agreed], "one is used again");
        // Each has one of its own, and none waits for another's.
        assert_eq!(at_once(&proxy, 10).await, [200; 10]);
        assert_eq!(api.agreed(), vec![agreed; 10]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_chooses_is_found_out_by_a_connection_that_one_of_those_who_wait_has() {
    let api = in_http1(&["http/1.1"], 10).await;
    assert_eq!(at_once(&api.proxy(), 10).await, [200; 10]);
    assert_eq!(api.agreed().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_not_offered_unless_it_is_asked_for() {
    let api = in_http1(&["h2", "http/1.1"], 1).await;
    for lines in ["", "http2 = false"] {
        let proxy = TestProxy::start(&api.upstream(lines));
        assert_eq!(proxy.get("/api/one").await.text(), "hello");
    }
    assert_eq!(api.agreed(), ["", ""], "nothing was offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_replaces_its_connections_loses_no_request() {
    let api = Framed::accept(&["h2", "http/1.1"], |stream, _| async move {
        let mut frames = crate::support::frames::Frames::accept(stream)
            .await
            .unwrap();
        frames.frame(SETTINGS, 0, 0, &[]).await;
        // One answer for each connection: it is replaced all the time.
        if let Some(id) = frames.request().await {
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, END_STREAM, id, b"ok").await;
        }
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    for number in 1..=5 {
        assert_eq!(caller.get("/api/x").await.text(), "ok");
        api.ended(number).await;
    }
    assert_eq!(api.agreed(), ["h2"; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_begins_and_ends_it() {
    let api = in_http1(&["http/1.1"], 1).await;
    let mut proxy = TestProxy::start(&api.upstream(""));
    for lines in ["http2 = true", "", "http2 = true"] {
        assert_eq!(proxy.get("/api/one").await.text(), "hello");
        proxy.reload(&api.upstream(lines)).unwrap();
    }
    assert_eq!(proxy.get("/api/one").await.text(), "hello");
    assert_eq!(api.agreed(), ["", "http/1.1", "", "http/1.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_again_until_the_proxy_stops() {
    let api = Framed::calls(server::Builder::new(), &(), |mut call, ()| async move {
        call.reply("hello");
    })
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    // More than there may be at once: each gives its place back.
    for _ in 0..120 {
        assert_eq!(caller.get("/api/x").await.text(), "hello");
    }
    assert_eq!(api.agreed().len(), 1);
    drop(caller);
    proxy.stop().await;
    api.ended(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_no_more_so_with_http2() {
    let api = Framed::calls(server::Builder::new(), &(), |mut call, ()| async move {
        call.reply("hello");
    })
    .await;
    let text = api.upstream("http2 = true");
    let line = text.lines().find(|line| line.starts_with("ca = ")).unwrap();
    let answer = TestProxy::start(&text.replace(line, ""))
        .get("/api/x")
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0401"));
    assert!(api.agreed().is_empty());
}
