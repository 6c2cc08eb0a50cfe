//! However an upstream takes requests and gives connections up, no more than `connections` are open, and nobody waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use h2::server;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::support::caller::PATIENCE;
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::{Call, Caller, Framed, Scripted, TestProxy, together};

/// Connections of this process to `port` that are not closed, by the word of the system: what the other end sees of a close
/// may come late.
fn open_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    let mut rows = table.lines().map(str::split_whitespace);
    let rows = rows.by_ref().filter_map(|mut row| {
        let (to, state) = (row.nth(2)?, row.next()?);
        (to.ends_with(&remote) && state == "01").then_some(())
    });
    rows.count()
}

/// How many were open at most, seen at each request.
#[derive(Clone, Default)]
struct Most {
    port: Arc<AtomicUsize>,
    seen: Arc<AtomicUsize>,
}

impl Most {
    fn look(&self) {
        let port = self.port.load(Ordering::SeqCst);
        let open = open_to(u16::try_from(port).unwrap());
        self.seen.fetch_max(open, Ordering::SeqCst);
    }

    fn of(&self, api: &Framed) {
        self.port.store(api.port.into(), Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// What an upstream does to be rid of requests. It never closes a connection by itself.
#[derive(Clone, Copy, Debug)]
enum Whim {
    /// Takes none at once any more after the first.
    NoneAfterTheFirst,
    /// Takes one at once, and none from the beginning of the first on until it is answered.
    NoneMeanwhile,
    /// Takes none any more before it was asked.
    NoneBeforeTheFirst,
    /// Says good-bye with each answer.
    GoodBye,
    /// Says good-bye before each answer, which it owes.
    GoodByeBefore,
    /// Refuses each.
    Refuses,
    /// Answers none.
    Silent,
}

async fn at_most(frames: &mut Frames<TlsStream<tokio::net::TcpStream>>, streams: u8) {
    let settings = [0, 3, 0, 0, 0, streams];
    frames.frame(SETTINGS, 0, 0, &settings).await;
}

async fn indulge(whim: Whim, mut frames: Frames<TlsStream<tokio::net::TcpStream>>, most: Most) {
    most.look();
    at_most(&mut frames, 1).await;
    if matches!(whim, Whim::NoneBeforeTheFirst) {
        at_most(&mut frames, 0).await;
    }
    while let Some((kind, id, _)) = frames.next().await {
        if kind != HEADERS {
            continue;
        }
        most.look();
        let good_bye = [&[0, 0, 0][..], &[u8::try_from(id).unwrap()], &[0; 4]].concat();
        match whim {
            Whim::NoneMeanwhile => at_most(&mut frames, 0).await,
            Whim::GoodByeBefore => frames.frame(GOAWAY, 0, 0, &good_bye).await,
            Whim::Refuses => {
                frames.frame(RST_STREAM, 0, id, &[0, 0, 0, 7]).await;
                continue;
            }
            Whim::Silent => continue,
            Whim::NoneAfterTheFirst | Whim::NoneBeforeTheFirst | Whim::GoodBye => {}
        }
        frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
        frames.frame(DATA, END_STREAM, id, b"ok").await;
        match whim {
            Whim::NoneAfterTheFirst => at_most(&mut frames, 0).await,
            Whim::NoneMeanwhile => at_most(&mut frames, 1).await,
            Whim::GoodBye => frames.frame(GOAWAY, 0, 0, &good_bye).await,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_upstream_does_no_more_connections_are_open_than_there_may_be() {
    use Whim::{
        GoodBye, GoodByeBefore, NoneAfterTheFirst, NoneBeforeTheFirst, NoneMeanwhile, Refuses,
        Silent,
    };
    let fast = Scripted::constant("fast").await;
    for (whim, rounds, statuses) in [
        (NoneAfterTheFirst, 12, &[200][..]),
        (NoneMeanwhile, 12, &[200]),
        // If both are heard at once, it is waited for as long as it may take to connect.
        (NoneBeforeTheFirst, 2, &[200, 502]),
        // Who comes to three of them when they have just said so is told.
        (GoodBye, 12, &[200, 502]),
        (GoodByeBefore, 12, &[200]),
        (Refuses, 4, &[502]),
        // Each leaves its connection for another; or waits too long for one.
        (Silent, 3, &[504, 503]),
    ] {
        let most = Most::default();
        let api = Framed::frames(&most, move |frames, _, most| indulge(whim, frames, most)).await;
        most.of(&api);
        let beside = fast.upstream().replace("api]", "fast]");
        let quick = match whim {
            NoneBeforeTheFirst => "connect_timeout = \"1s\"",
            Silent => "response_timeout = \"1s\"",
            _ => "",
        };
        let text = api.upstream(&format!("http2 = true\nconnections = 3\n{quick}"));
        let proxy = TestProxy::start(&format!("{text}\n{beside}"));
        let addr = proxy.addr();
        let ask = |_| async move {
            let mut caller = Caller::connect(addr).await;
            let mut seen = Vec::new();
            for _ in 0..rounds {
                seen.push(caller.get("/api/x").await.status);
                assert_eq!(caller.get("/fast/x").await.text(), "fast");
            }
            seen
        };
        let answers = together(6, ask).await.concat();
        let odd = answers.iter().find(|status| !statuses.contains(status));
        assert_eq!(odd, None, "{whim:?}: {answers:?}");
        assert!((1..=3).contains(&most.most()), "{whim:?}: {}", most.most());
        let open = open_to(api.port);
        assert!(open <= 3, "{whim:?}: {open}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_go_away_leave_no_connections_behind() {
    let most = Most::default();
    let seen = Arc::new(AtomicUsize::new(0));
    let shared = (most.clone(), seen.clone());
    // It takes one at once, does not answer, and takes none any more.
    let api = Framed::frames(&shared, |mut frames, _, (most, seen)| async move {
        at_most(&mut frames, 1).await;
        while frames.request().await.is_some() {
            most.look();
            seen.fetch_add(1, Ordering::SeqCst);
            at_most(&mut frames, 0).await;
        }
    })
    .await;
    most.of(&api);
    let proxy = TestProxy::start(&api.upstream("http2 = true\nconnections = 2"));
    for count in 1..=12 {
        let mut caller = proxy.caller().await;
        caller.begin("/api/x").await;
        let came = async {
            while seen.load(Ordering::SeqCst) < count {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, came).await.expect("it never came");
    }
    assert!((1..=2).contains(&most.most()), "{}", most.most());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_room_gets_it_when_an_answer_ends_and_503_if_none_does() {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(1);
    let begun = Arc::new(Notify::new());
    let api = Framed::calls(builder, &begun, |mut call: Call, begun| async move {
        if call.request.uri().path() == "/x" {
            return call.reply("short");
        }
        let mut stream = call.begin();
        begun.notify_one();
        // More than waits anywhere: it ends when its caller goes.
        let piece = bytes::Bytes::from(vec![0; 64 * 1024 * 1024]);
        let _ = stream.send_data(piece, false);
        std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
    })
    .await;
    let lines = "http2 = true\nconnections = 2\nresponse_timeout = \"1s\"";
    let proxy = TestProxy::start(&api.upstream(lines));
    let mut callers = Vec::new();
    for _ in 0..2 {
        let mut caller = proxy.caller().await;
        caller.begin("/api/endless").await;
        begun.notified().await;
        assert_eq!(caller.head().await.unwrap().status, 200);
        callers.push(caller);
    }
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0502"));
    assert_eq!(api.agreed().len(), 2);
    drop(callers.pop());
    let mut caller = proxy.caller().await;
    // The end of the one may come after the next.
    let answer = async { while caller.get("/api/x").await.status != 200 {} };
    timeout(PATIENCE, answer)
        .await
        .expect("there never was room");
    assert_eq!(api.agreed().len(), 2, "the other is in nobody's way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_good_bye_is_not_taken_is_closed_for_one_that_is_wanted() {
    let (stuck, most) = (Arc::new(Notify::new()), Most::default());
    let shared = (stuck.clone(), most.clone());
    let api = Framed::frames(&shared, |mut frames, number, (stuck, most)| async move {
        // Room for as much as one wants to send.
        frames
            .frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])
            .await;
        frames.frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]).await;
        while let Some(id) = frames.request().await {
            most.look();
            if number > 0 {
                frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                frames.frame(DATA, END_STREAM, id, b"next").await;
                continue;
            }
            // It reads no more, and refuses what it did not read.
            stuck.notified().await;
            frames.frame(RST_STREAM, 0, id, &[0, 0, 0, 7]).await;
            std::future::pending::<()>().await;
        }
    })
    .await;
    most.of(&api);
    let proxy = TestProxy::start(&api.upstream("http2 = true\nconnections = 1"));
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    let piece = "x".repeat(64 * 1024);
    let moving = Mutex::new(0);
    let push = async {
        loop {
            caller.piece(&piece).await;
            *moving.lock().unwrap() += 1;
        }
    };
    let _: Result<(), _> = timeout(std::time::Duration::from_secs(2), push).await;
    let pieces = *moving.lock().unwrap();
    assert!(pieces > 4, "nothing moved: {pieces}");
    stuck.notify_one();
    drop(caller);
    let answer = timeout(PATIENCE, async { proxy.get("/api/x").await }).await;
    assert_eq!(answer.expect("nobody made room").text(), "next");
    assert_eq!(most.most(), 1);
    assert_eq!(api.agreed().len(), 2);
}
