//! A connection that is being made belongs to none of those who wait for it: what hangs, fails or is left by its callers costs
//! the others nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS};
use crate::support::{Caller, Framed, TestProxy, together};

/// What an upstream does with a connection before it says how many requests it takes: until then, it is being made.
#[derive(Clone, Copy)]
enum Beginning {
    Slow,
    Hangs,
    Breaks,
}

/// How long a slow one takes: longer than it is until the next request.
const HANDSHAKE: Duration = Duration::from_millis(300);
const BETWEEN: Duration = Duration::from_millis(50);

/// One whose connections begin like this, each by its number, and then answer `ok`.
async fn upstream(begin: fn(usize) -> Beginning) -> Framed {
    Framed::frames(&(), move |mut frames, number, ()| async move {
        match begin(number) {
            Beginning::Slow => sleep(HANDSHAKE).await,
            Beginning::Hangs => std::future::pending().await,
            Beginning::Breaks => return sleep(HANDSHAKE).await,
        }
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some(id) = frames.request().await {
            frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
            frames.frame(DATA, END_STREAM, id, b"ok").await;
        }
    })
    .await
}

/// What callers get who come one after another for so long, in the order in which they came.
async fn stream_of_callers(proxy: &TestProxy, time: Duration) -> Vec<u16> {
    let (addr, began) = (proxy.addr(), Instant::now());
    let mut asking = JoinSet::new();
    for number in 0.. {
        if began.elapsed() >= time {
            break;
        }
        asking.spawn(async move {
            let answer = Caller::connect(addr).await.get("/api/x").await;
            (number, answer.status)
        });
        sleep(BETWEEN).await;
    }
    let mut answers = asking.join_all().await;
    answers.sort_unstable();
    answers.into_iter().map(|(_, status)| status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_hangs_while_it_is_made_is_in_nobodys_way_once_another_can_be_made() {
    for (timeout, time) in [(1, 4), (30, 3)] {
        let api = upstream(|number| match number {
            0 => Beginning::Hangs,
            _ => Beginning::Slow,
        })
        .await;
        let lines = format!("http2 = true\nconnect_timeout = \"{timeout}s\"");
        let proxy = TestProxy::start(&api.upstream(&lines));
        let answers = stream_of_callers(&proxy, Duration::from_secs(time)).await;
        let lost = answers.iter().filter(|status| **status != 200).count();
        assert!(lost <= answers.len() / 2, "{timeout} s: {answers:?}");
        let (_, late) = answers.split_at(answers.len() / 2);
        assert!(late.iter().all(|status| *status == 200), "{answers:?}");
        // The one that hangs, and another; on a busy machine perhaps one more.
        let made = api.agreed().len();
        assert!((2..=4).contains(&made), "{timeout} s: {made}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_leave_while_a_connection_is_made_do_not_begin_it_anew() {
    let api = upstream(|_| Beginning::Slow).await;
    let proxy = api.proxy();
    for _ in 0..20 {
        let mut caller = proxy.caller().await;
        caller.begin("/api/x").await;
        sleep(BETWEEN).await;
    }
    assert_eq!(proxy.get("/api/x").await.text(), "ok");
    assert_eq!(api.agreed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_wait_for_a_connection_are_told_that_it_could_not_be_made() {
    let api = upstream(|_| Beginning::Breaks).await;
    let proxy = TestProxy::start(&api.upstream("http2 = true\nconnect_timeout = \"30s\""));
    let addr = proxy.addr();
    let slowest = Arc::new(AtomicUsize::new(0));
    let ask = |_| {
        let slowest = slowest.clone();
        async move {
            let began = Instant::now();
            let answer = Caller::connect(addr).await.get("/api/x").await;
            let took = usize::try_from(began.elapsed().as_millis()).unwrap();
            slowest.fetch_max(took, Ordering::SeqCst);
            (answer.status, answer.code())
        }
    };
    let expected = (502, "UA-0401".to_owned());
    assert_eq!(together(50, ask).await, vec![expected; 50]);
    // Two attempts, of which each saw one from its beginning: not one for each.
    let (slowest, made) = (slowest.load(Ordering::SeqCst), api.agreed().len());
    assert!((1..=3).contains(&made), "{made}");
    assert!(slowest < 5_000, "{slowest} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_fail_beside_others_are_told_and_do_not_follow_one_another_without_end() {
    // It takes one request at a time, and is gone after the first.
    let api = Framed::frames(&(), |mut frames, number, ()| async move {
        if number > 0 {
            return sleep(Duration::from_millis(5)).await;
        }
        frames.frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]).await;
        let id = frames.request().await.unwrap();
        frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
        frames.frame(DATA, END_STREAM, id, b"ok").await;
    })
    .await;
    let proxy = TestProxy::start(&api.upstream("http2 = true\nconnect_timeout = \"30s\""));
    assert_eq!(proxy.get("/api/x").await.text(), "ok");
    api.ended(1).await;
    let (addr, began) = (proxy.addr(), Instant::now());
    let ask = |_| async move { Caller::connect(addr).await.get("/api/x").await.status };
    assert_eq!(together(30, ask).await, [502; 30]);
    let (took, made) = (began.elapsed(), api.agreed().len());
    assert!(took < Duration::from_secs(15), "{took:?}");
    // Three for each who waits, at most.
    assert!(made <= 100, "{made}");
}
