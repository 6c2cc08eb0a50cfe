//! A connection on which something took too long is left for another, if there can be one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, server};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use crate::support::caller::PATIENCE;
use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS};
use crate::support::{Call, Caller, Framed, TestProxy, together};

/// All that may come of bodies on a connection until it is said that more may (RFC 9113 section 6.9.2).
const WINDOW: usize = 65_535;
const NUMBERS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// What is shared with an upstream that answers with the number of the connection.
#[derive(Clone)]
struct Shared {
    /// Bodies for which it never says that there is room for more.
    held: Arc<Mutex<Vec<RecvStream>>>,
    /// Requests that have come, by their path, and `gone` when one was given up.
    came: mpsc::UnboundedSender<String>,
    /// Ends a `/long` answer.
    end: Arc<Notify>,
}

struct Leaky {
    api: Framed,
    came: mpsc::UnboundedReceiver<String>,
    end: Arc<Notify>,
}

impl Leaky {
    async fn start() -> Self {
        let (came, comes) = mpsc::unbounded_channel();
        let shared = Shared {
            held: Arc::default(),
            came,
            end: Arc::default(),
        };
        let api = Framed::calls(server::Builder::new(), &shared, answer).await;
        Self {
            api,
            came: comes,
            end: shared.end,
        }
    }

    fn proxy(&self, lines: &str) -> TestProxy {
        TestProxy::start(&self.api.upstream(&format!("http2 = true\n{lines}")))
    }

    async fn comes(&mut self, what: &str) {
        let comes = async { while self.came.recv().await.unwrap() != what {} };
        timeout(PATIENCE, comes).await.expect("it never came");
    }

    /// One whose answer has begun, and goes on.
    async fn long(&mut self, proxy: &TestProxy) -> Caller {
        let mut caller = proxy.caller().await;
        caller.begin("/api/long").await;
        self.comes("/long").await;
        caller
    }
}

async fn answer(mut call: Call, shared: Shared) {
    let number = NUMBERS[call.connection];
    let path = call.request.uri().path().to_owned();
    shared.came.send(path.clone()).unwrap();
    match &*path {
        "/up" => {
            while let Some(piece) = call.request.body_mut().data().await {
                if piece.is_err() {
                    return shared.came.send("gone".to_owned()).unwrap();
                }
            }
            call.reply(number);
            let body = call.request.into_body();
            shared.held.lock().unwrap().push(body);
        }
        "/long" => {
            let mut stream = call.begin();
            let drip = async {
                while stream.send_data(Bytes::from_static(b"."), false).is_ok() {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            let _ = timeout(PATIENCE, async {
                tokio::select! { () = drip => {}, () = shared.end.notified() => {} }
            })
            .await;
            let _ = stream.send_data(Bytes::from_static(number.as_bytes()), true);
        }
        "/slow" => {
            let _ = std::future::poll_fn(|cx| call.respond.poll_reset(cx)).await;
        }
        _ => call.reply(number),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_takes_no_more_of_any_body_is_left_for_another() {
    let mut leaky = Leaky::start().await;
    let proxy = leaky.proxy("response_timeout = \"3s\"");
    let mut long = leaky.long(&proxy).await;
    let answer = proxy.post("/api/up", vec![b'x'; WINDOW]).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "0"));
    let answer = proxy.post("/api/up", "x").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "UA-0402"));
    for _ in 0..3 {
        assert_eq!(proxy.get("/api/x").await.text(), "1");
        assert_eq!(proxy.post("/api/up", "x").await.text(), "1");
    }
    // What is under way goes on, and then it ends.
    leaky.end.notify_one();
    let answer = long.answer(false).await.unwrap().text();
    assert!(answer.ends_with(".0"), "{answer}");
    leaky.api.ended(1).await;
    assert_eq!(leaky.api.agreed().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_do_not_wait_for_the_504_leave_such_a_connection_as_well() {
    let mut leaky = Leaky::start().await;
    let proxy = leaky.proxy("");
    let answer = proxy.post("/api/up", vec![b'x'; WINDOW]).await;
    assert_eq!(answer.text(), "0");
    leaky.comes("/up").await;
    for (wait, next) in [(0, "0"), (6, "1")] {
        let mut caller = proxy.caller().await;
        let post = "POST /api/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
        caller.write(post).await;
        leaky.comes("/up").await;
        sleep(Duration::from_secs(wait)).await;
        drop(caller);
        leaky.comes("gone").await;
        assert_eq!(proxy.get("/api/x").await.text(), next, "after {wait} s");
    }
    assert_eq!(proxy.post("/api/up", "x").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_always_slow_costs_one_connection_for_each_timeout_at_most() {
    let leaky = Leaky::start().await;
    let proxy = leaky.proxy("response_timeout = \"1s\"");
    let addr = proxy.addr();
    let slow = |_| async move { Caller::connect(addr).await.get("/api/slow").await.status };
    for (round, at_once) in [1, 20, 1].into_iter().enumerate() {
        assert_eq!(together(at_once, slow).await, vec![504; at_once]);
        for _ in 0..5 {
            let number: usize = proxy.get("/api/x").await.text().parse().unwrap();
            // All that fail at once are on one connection, or few on a busy machine.
            assert!(number <= 2 * (round + 1), "{number} after {round}");
        }
    }
    // Those that were left have ended.
    let left = leaky.api.agreed().len() - 1;
    leaky.api.ended(left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_other_can_be_made_the_connection_that_is_there_serves_on() {
    let api = Framed::frames(&(), |mut frames, number, ()| async move {
        if number > 0 {
            return;
        }
        frames.frame(SETTINGS, 0, 0, &[]).await;
        let long = frames.request().await.unwrap();
        frames.frame(HEADERS, END_HEADERS, long, &[0x88]).await;
        let mut slow = None;
        loop {
            let next = timeout(Duration::from_millis(50), frames.request()).await;
            match next {
                Err(_) => frames.frame(DATA, 0, long, b".").await,
                Ok(None) => return,
                Ok(id) if slow.is_none() => slow = id,
                Ok(Some(id)) => {
                    frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                    frames.frame(DATA, END_STREAM, id, b"still here").await;
                }
            }
        }
    })
    .await;
    let lines = "http2 = true\nresponse_timeout = \"3s\"";
    let proxy = TestProxy::start(&api.upstream(lines));
    let mut long = proxy.caller().await;
    long.begin("/api/long").await;
    assert_eq!(long.head().await.unwrap().status, 200);
    assert_eq!(proxy.post("/api/slow", "").await.status, 504);
    assert_eq!(api.agreed().len(), 1);
    for _ in 0..3 {
        assert_eq!(proxy.post("/api/x", "").await.text(), "still here");
        assert_eq!(api.agreed().len(), 2, "it was tried, once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_not_taken_holds_up_no_other_body_for_longer_than_a_second() {
    let mut leaky = Leaky::start().await;
    let proxy = leaky.proxy("response_timeout = \"20s\"");
    // More than the upstream has room for on a connection; it reads nothing of it, and it is on the second as well.
    let mut callers = Vec::new();
    for number in ["0", "1"] {
        let mut caller = proxy.caller().await;
        caller.begin_upload("/api/slow").await;
        caller.piece(&"x".repeat(WINDOW + 1)).await;
        callers.push(caller);
        leaky.comes("/slow").await;
        // Who comes at once has to wait, and may leave.
        let mut early = proxy.caller().await;
        let post = "POST /api/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
        early.write(post).await;
        leaky.comes("/up").await;
        sleep(Duration::from_millis(1500)).await;
        drop(early);
        assert_ne!(proxy.post("/api/up", "x").await.text(), number);
        assert_eq!(proxy.get("/api/x").await.text(), "0", "others go on");
    }
    for _ in 0..3 {
        assert_eq!(proxy.post("/api/up", "x").await.text(), "2");
    }
    assert_eq!(leaky.api.agreed().len(), 3);
}
