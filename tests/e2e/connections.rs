//! Connections to the upstreams: how long an upstream may be silent on one, when it is used again, and when not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
#[cfg(target_os = "linux")]
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Barrier, Notify};
use tokio::time::{sleep, timeout};
use upauth::egress::{Client, Destination, Head, Profile};
use upauth::message::Origin;
use upauth::telemetry::Metrics;

use crate::support::caller::PATIENCE;
use crate::support::{Caller, Scripted, TestProxy};

/// How a scripted server is reached without a proxy in between.
struct Way {
    profile: Profile,
    origin: Origin,
}

impl Way {
    fn to(api: &Scripted, metrics: &Metrics) -> Self {
        let profile = Profile {
            proxy: None,
            id: 0,
            tls: upauth::tls::Trust::new(&[]),
            connect_timeout: PATIENCE,
            connections: 1,
            http2: false,
            metrics: metrics.upstream("api"),
        };
        let origin = format!("http://{}", api.addr).parse().unwrap();
        Self { profile, origin }
    }

    fn destination(&self) -> Destination<'_> {
        Destination {
            profile: &self.profile,
            origin: &self.origin,
            public_only: false,
            fresh: false,
        }
    }
}

fn get(fields: &HeaderMap) -> Head<'_> {
    Head {
        method: &Method::GET,
        target: "/x",
        host: "localhost",
        fields,
        own: &[],
    }
}

/// The connections that the metrics say are open.
fn open(metrics: &Metrics) -> String {
    let page = metrics.encode();
    let mut lines = page.lines();
    let line = lines.find(|line| line.starts_with("upauth_upstream_connections{"));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_is_let_go() {
    let close = Arc::new(Notify::new());
    let api = Scripted::start_with(&close, |mut connection, close| async move {
        match connection.request().await {
            // As it is announced.
            Some(seen) if seen.header("connection").is_some() => {
                let headers = "Connection: close\r\n";
                connection.reply("200 OK", headers, "").await;
            }
            Some(_) => {
                connection.reply("200 OK", "", "ok").await;
                close.notified().await;
            }
            None => {}
        }
    })
    .await;
    let metrics = Metrics::new();
    let way = Way::to(&api, &metrics);
    let client = Client::<Full<Bytes>>::default();
    let ask = async |fields: &HeaderMap| {
        let (to, head) = (way.destination(), get(fields));
        let answer = client.send(to, &head, Full::default(), PATIENCE).await;
        answer.unwrap().into_body().collect().await.unwrap();
    };
    let value = HeaderValue::from_static("close");
    let last = HeaderMap::from_iter([(http::header::CONNECTION, value)]);
    ask(&last).await;
    assert_eq!(open(&metrics), "0", "kept although it was to be closed");
    ask(&HeaderMap::new()).await;
    assert_eq!(open(&metrics), "1", "not kept");
    close.notify_one();
    // Far less than an idle connection may be kept.
    let swept = timeout(Duration::from_secs(10), async {
        while open(&metrics) != "0" {
            sleep(Duration::from_millis(10)).await;
            client.sweep();
        }
    });
    swept.await.expect("a dead connection was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_a_burst_are_there_for_the_next_one() {
    const BURST: usize = 100;
    let all = Arc::new(Barrier::new(BURST));
    let api = Scripted::start_with(&all, |mut connection, all| async move {
        while connection.request().await.is_some() {
            all.wait().await;
            connection.reply("200 OK", "", "ok").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for _ in 0..2 {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..BURST {
            let addr = proxy.addr();
            callers.spawn(async move { Caller::connect(addr).await.get("/api/x").await.status });
        }
        assert_eq!(callers.join_all().await, [200; BURST]);
    }
    let seen = api.seen.lock().unwrap();
    let connections: std::collections::BTreeSet<_> =
        seen.iter().map(|seen| seen.connection).collect();
    assert_eq!((seen.len(), connections.len()), (2 * BURST, BURST));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_while_it_was_idle_costs_none_of_the_three_sends() {
    let json = "Content-Type: application/json\r\n";
    let close = Arc::new(Notify::new());
    let (closed, mut closing) = tokio::sync::mpsc::channel::<()>(1);
    let shared = (close.clone(), closed);
    let api = Scripted::start_with(&shared, move |mut connection, (close, closed)| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/warm" {
                connection.reply("200 OK", "", "").await;
                close.notified().await;
                drop(connection);
                let _ = closed.send(()).await;
                return;
            }
            let token = seen.header("authorization").unwrap_or_default();
            match (connection.number_of("/tried"), token) {
                (1, _) => {
                    let body = r#"{"message":"Failed to get user info"}"#;
                    connection.reply("401 Unauthorized", json, body).await;
                }
                (_, "Bearer token-1") => {
                    let body = r#"{"message":"Authentication error"}"#;
                    connection.reply("401 Unauthorized", json, body).await;
                }
                _ => connection.reply("200 OK", json, "{}").await,
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    assert_eq!(proxy.get("/api/warm").await.status, 200);
    // Not before the connection is idle: what dies earlier is not kept.
    close.notify_one();
    closing.recv().await.unwrap();
    // Whatever comes to the one worker after the close tells it of the close as well.
    let own = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(proxy.caller().await.ask(own).await.status, 204);
    assert_eq!(proxy.get("/api/tried").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_on_a_used_connection_is_sent_once_more_on_a_new_one() {
    let together = Arc::new(Barrier::new(4));
    let api = Scripted::start_with(&together, |mut connection, together| async move {
        let mut used = false;
        while let Some(seen) = connection.request().await {
            if seen.target == "/lost" && used {
                return;
            }
            if seen.target == "/warm" {
                together.wait().await;
            }
            used = true;
            connection.reply("200 OK", "", "ok").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    // Four at once, so that several used connections are at hand.
    let addr = proxy.addr();
    let warm = |_| async move { Caller::connect(addr).await.get("/api/warm").await.status };
    assert_eq!(crate::support::together(4, warm).await, [200; 4]);
    assert_eq!(proxy.get("/api/lost").await.status, 200);
    let sent = api.seen().into_iter().filter(|seen| seen.target == "/lost");
    assert_eq!(sent.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_closes_between_two_requests_loses_no_get_and_doubles_no_post() {
    const POSTS: u64 = 500;
    // Closes a while after each answer without saying so: the classic keep-alive race. Of the connections half read
    // what comes meanwhile, and close upon that.
    let api = Scripted::start(|mut connection| async move {
        if let Some(seen) = connection.request().await {
            connection.reply("200 OK", "", "ok").await;
            let number: u64 = seen.target.rsplit('/').next().unwrap().parse().unwrap();
            let while_open = Duration::from_millis(number % 8);
            match number % 2 {
                0 => sleep(while_open).await,
                _ => drop(timeout(while_open, connection.request()).await),
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    let mut statuses = Vec::new();
    for number in 0..POSTS {
        let got = caller.get(&format!("/api/get/{number}")).await;
        assert_eq!(got.status, 200, "{number}: {}", got.text());
        sleep(Duration::from_millis(number % 3)).await;
        let posted = caller.post(&format!("/api/post/{number}"), "x").await;
        if posted.status != 200 {
            let told = (posted.status, posted.code());
            assert_eq!(told, (502, "UA-0403".to_owned()), "{number}");
        }
        statuses.push(posted.status);
    }
    let seen = api.seen();
    let (mut answered, mut acted, mut lost) = (0, 0, 0);
    for (number, status) in statuses.into_iter().enumerate() {
        let target = format!("/post/{number}");
        let arrived = seen.iter().filter(|seen| seen.target == target).count();
        match (status, arrived) {
            (200, 1) => answered += 1,
            (502, 1) => acted += 1,
            (502, 0) => lost += 1,
            _ => panic!("{target} arrived {arrived} times, and was answered with {status}"),
        }
    }
    let refused = acted + lost;
    eprintln!(
        "{POSTS} POSTs: {answered} answered, {refused} with a coded 502, {lost} of which never arrived"
    );
    assert!(answered > 0, "every one met a closed connection");
    assert!(
        acted > 0 && lost > 0,
        "no connection was closed under a POST"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_moves_is_not_a_silent_upstream() {
    let api = Scripted::start(|mut connection| async move {
        while connection.request().await.is_some() {
            connection.reply("200 OK", "", "done").await;
        }
    })
    .await;
    let text = format!("{}response_timeout = \"500ms\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    for _ in 0..12 {
        caller.piece("more").await;
        sleep(Duration::from_millis(100)).await;
    }
    caller.end().await;
    let answer = caller.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    assert_eq!(api.seen()[0].body, b"more".repeat(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_over_leaves_the_upstream_its_time_and_no_more() {
    let api =
        Scripted::start(
            |mut connection| async move { while connection.request().await.is_some() {} },
        )
        .await;
    let text = format!("{}response_timeout = \"300ms\"\n", api.upstream());
    let proxy = TestProxy::start(&text);
    let mut caller = proxy.caller().await;
    caller.begin_upload("/api/up").await;
    caller.piece("more").await;
    caller.end().await;
    assert_eq!(caller.answer(false).await.unwrap().status, 504);
}

#[tokio::test]
async fn the_time_a_caller_takes_is_not_the_upstreams_silence() {
    let go = Arc::new(Notify::new());
    let api = Scripted::start_with(&go, |mut connection, go| async move {
        if connection.begin("text/plain").await.is_none() {
            return;
        }
        connection.piece("one").await;
        go.notified().await;
        sleep(Duration::from_millis(100)).await;
        connection.piece("two").await;
        connection.end().await;
    })
    .await;
    let metrics = Metrics::new();
    let way = Way::to(&api, &metrics);
    let silence = Duration::from_millis(400);
    let client = Client::<Full<Bytes>>::default();
    let fields = HeaderMap::new();
    let (to, head) = (way.destination(), get(&fields));
    let answer = client.send(to, &head, Full::default(), silence).await;
    let mut body = answer.unwrap().into_body();
    let mut next = async || {
        let frame = body.frame().await.unwrap();
        frame.expect("broken off").into_data().unwrap()
    };
    assert_eq!(next().await, "one");
    sleep(silence * 2).await;
    go.notify_one();
    assert_eq!(next().await, "two");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_answer_is_given_up_in_time() {
    // Whom its queue has no room for hears nothing.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let addr = full.local_addr().unwrap();
    let enter = || timeout(Duration::from_millis(300), TcpStream::connect(addr));
    let mut queue = Vec::new();
    while let Ok(entered) = enter().await {
        queue.push(entered.unwrap());
    }
    let api = Scripted::constant("never").await;
    let more = format!("api_url = \"http://{addr}\"\nconnect_timeout = \"1s\"\n");
    let proxy = TestProxy::start(&format!("{}{more}", api.upstream()));
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0401"));
}
