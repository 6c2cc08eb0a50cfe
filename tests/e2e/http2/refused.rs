//! What an upstream took no notice of is sent again, whatever its method; what it may have acted on is not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use h2::{Reason, server};
use tokio::sync::{Barrier, Notify};

use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS,
};
use crate::support::{Caller, Framed, TestProxy};

/// Connection, method, body: as each request came.
type Seen = Arc<Mutex<Vec<(usize, String, Vec<u8>)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_sent_again_on_another_connection() {
    let seen = Seen::default();
    let api = Framed::calls(server::Builder::new(), &seen, |mut call, seen| async move {
        let body = call.body().await;
        let method = call.request.method().to_string();
        seen.lock().unwrap().push((call.connection, method, body));
        match call.connection {
            0 => call.respond.send_reset(Reason::REFUSED_STREAM),
            _ => call.reply("done"),
        }
    })
    .await;
    let proxy = api.proxy();
    let answer = proxy.post("/api/x", "body").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    let post = |connection| (connection, "POST".to_owned(), b"body".to_vec());
    assert_eq!(*seen.lock().unwrap(), [post(0), post(1)]);
    // The one that refuses is asked no more.
    assert_eq!(proxy.get("/api/x").await.text(), "done");
    assert_eq!(seen.lock().unwrap()[2].0, 1);
    assert_eq!(api.agreed().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_is_sent_again_when_the_rest_of_it_has_come() {
    let (refused, mut refusals) = tokio::sync::mpsc::channel::<()>(1);
    let api = Framed::calls(
        server::Builder::new(),
        &refused,
        |mut call, refused| async move {
            if call.connection == 0 {
                assert!(matches!(call.request.body_mut().data().await, Some(Ok(_))));
                call.respond.send_reset(Reason::REFUSED_STREAM);
                return refused.send(()).await.unwrap();
            }
            match call.body().await.len() {
                8 => call.reply("all of it"),
                _ => call.reply("not all"),
            }
        },
    )
    .await;
    let proxy = api.proxy();
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    caller.piece("some").await;
    refusals.recv().await.unwrap();
    caller.piece("more").await;
    caller.end().await;
    assert_eq!(caller.answer(false).await.unwrap().text(), "all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_refuses_everything_is_asked_three_times() {
    let asked = Arc::new(AtomicUsize::new(0));
    let api = Framed::calls(
        server::Builder::new(),
        &asked,
        |mut call, asked| async move {
            asked.fetch_add(1, Ordering::SeqCst);
            call.respond.send_reset(Reason::REFUSED_STREAM);
        },
    )
    .await;
    let proxy = api.proxy();
    let answer = proxy.post("/api/x", "body").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0403"));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_bye_ends_only_the_requests_that_the_upstream_did_not_look_at() {
    let seen: Arc<Mutex<Vec<(usize, u32)>>> = Arc::default();
    let api = Framed::frames(&seen, |mut frames, number, seen| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some(id) = frames.request().await {
            seen.lock().unwrap().push((number, id));
            if number > 0 {
                frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                frames.frame(DATA, END_STREAM, id, b"second").await;
            } else if id == 3 {
                // Last stream 1, NO_ERROR; then what was asked on it is answered.
                frames.frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
                frames.frame(HEADERS, END_HEADERS, 1, &[0x88]).await;
                frames.frame(DATA, END_STREAM, 1, b"first").await;
            }
        }
    })
    .await;
    let proxy = api.proxy();
    let addr = proxy.addr();
    let ask = |_| async move { Caller::connect(addr).await.post("/api/x", "x").await.text() };
    let mut answers = crate::support::together(2, ask).await;
    answers.sort();
    assert_eq!(answers, ["first", "second"]);
    assert_eq!(*seen.lock().unwrap(), [(0, 1), (0, 3), (1, 1)]);
    // It said good-bye to all that come later, too.
    assert_eq!(proxy.get("/api/x").await.text(), "second");
    api.ended(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_bye_that_is_only_announced_leaves_the_requests_alone() {
    let go = Arc::new(Notify::new());
    let (warned, mut warnings) = tokio::sync::mpsc::channel::<()>(1);
    let shared = (go.clone(), warned);
    let api = Framed::frames(&shared, |mut frames, number, (go, warned)| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some(id) = frames.request().await {
            if number == 0 {
                let last = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
                frames.frame(GOAWAY, 0, 0, &last).await;
                warned.send(()).await.unwrap();
                go.notified().await;
            }
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            let body = number.to_string();
            frames.frame(DATA, END_STREAM, id, body.as_bytes()).await;
        }
    })
    .await;
    let proxy = api.proxy();
    let mut first = proxy.caller().await;
    first.begin("/api/x").await;
    warnings.recv().await.unwrap();
    // Others go elsewhere meanwhile. Whether the first of them was early does not matter: it is sent again.
    assert_eq!(proxy.post("/api/x", "x").await.text(), "1");
    go.notify_one();
    assert_eq!(first.answer(false).await.unwrap().text(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_costs_no_get_and_doubles_no_post() {
    let together = Arc::new(Barrier::new(3));
    let seen: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
    let shared = (together, seen.clone());
    let api = Framed::frames(&shared, |mut frames, number, (together, seen)| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        let mut count = 0;
        while let Some((kind, id, block)) = frames.next().await {
            if kind != HEADERS {
                continue;
            }
            count += 1;
            // `:method` is the first field: POST or GET of the static table.
            let method = if block[0] == 0x83 { "POST" } else { "GET" };
            seen.lock().unwrap().push((number, method.to_owned()));
            if number == 0 && count > 1 {
                if count == 3 {
                    return;
                }
                continue;
            }
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, END_STREAM, id, b"ok").await;
        }
        together.wait().await;
    })
    .await;
    let proxy = api.proxy();
    assert_eq!(proxy.get("/api/warm").await.text(), "ok");
    let addr = proxy.addr();
    let ask = |number| async move {
        let mut caller = Caller::connect(addr).await;
        match number {
            0 => caller.get("/api/x").await.status,
            _ => caller.post("/api/x", "x").await.status,
        }
    };
    let mut statuses = crate::support::together(2, ask).await;
    statuses.sort();
    assert_eq!(statuses, [200, 502]);
    let seen = seen.lock().unwrap();
    let posts = seen.iter().filter(|(_, method)| method == "POST").count();
    assert_eq!(posts, 1, "{seen:?}");
    let again = (1, "GET".to_owned());
    assert_eq!(seen.iter().filter(|one| **one == again).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_for_another_reason_is_not_sent_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let api = Framed::frames(&asked, |mut frames, _, asked| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some(id) = frames.request().await {
            asked.fetch_add(1, Ordering::SeqCst);
            frames.frame(RST_STREAM, 0, id, &[0, 0, 0, 2]).await;
        }
    })
    .await;
    let proxy = api.proxy();
    let answer = proxy.post("/api/x", "body").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0403"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(api.agreed().len(), 1, "others are served on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_the_upstream_takes_no_more_requests_is_answered_there_or_elsewhere() {
    let stop = Arc::new(Notify::new());
    let api = Framed::frames(&stop, |mut frames, _, stop| async move {
        frames.frame(SETTINGS, 0, 0, &[]).await;
        for count in 0.. {
            let id = tokio::select! {
                id = frames.request() => id,
                () = stop.notified(), if count > 0 => {
                    // None at once any more.
                    frames.frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0]).await;
                    continue;
                }
            };
            let Some(id) = id else { return };
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, END_STREAM, id, b"ok").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream("http2 = true\nresponse_timeout = \"10s\""));
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(proxy.caller().await);
    }
    let (ask, is_late) = (
        "POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx",
        8,
    );
    for round in 0..20 {
        let began = tokio::time::Instant::now();
        for (number, caller) in callers.iter_mut().enumerate() {
            if number == round * CALLERS / 20 {
                stop.notify_one();
            }
            caller.write(ask).await;
        }
        for caller in &mut callers {
            assert_eq!(caller.answer(false).await.unwrap().status, 200, "{round}");
        }
        assert!(began.elapsed().as_secs() < is_late, "{round}");
    }
}

/// More than a worker does in one go before it looks at what has come.
const CALLERS: usize = 90;
