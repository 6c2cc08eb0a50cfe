//! What a hostile reading of the request path asked for: drains, watches, waits and routes at their edges.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use upauth::config::server::{Limits, Listen};
use upauth::egress::{Client, Destination, Profile};
use upauth::server::{Door, Floor, bind, serve};
use upauth::telemetry::Metrics;

use crate::support::caller::PATIENCE;
use crate::support::{Caller, Scripted, TestProxy};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPLOAD: &str =
    "POST /api/up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

fn limits() -> Limits {
    let text = "[upstream.a]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:1\"\nclient_id = \"i\"\nclient_secret = \"s\"\n";
    let config = upauth::config::Config::parse(text, "t.toml", ".".as_ref(), &|_: &str| None);
    config
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
        .server
        .limits
}

#[tokio::test]
async fn every_request_sent_before_the_drain_is_answered() {
    let listen = Listen {
        host: "127.0.0.1".to_owned(),
        addrs: vec!["127.0.0.1:0".parse().unwrap()],
    };
    let mut bound = bind(&listen, 1).unwrap();
    let mut callers = Vec::new();
    // More than a task may do in one go.
    for _ in 0..200 {
        let mut caller = Caller::connect(bound.addrs[0]).await;
        caller.write(GET).await;
        callers.push(caller);
    }
    let floor = Floor::new(limits());
    floor.drain.cancel();
    let doors = bound.sockets.remove(0).into_iter().map(|socket| Door {
        listener: 0,
        socket,
        tls: None,
    });
    let serving = serve(doors.collect(), floor, |_| {
        tower::service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        })
    });
    let asking = async {
        for mut caller in callers {
            let answer = caller.answer(false).await.expect("sent, but not answered");
            assert_eq!(answer.text(), "ok");
        }
    };
    timeout(PATIENCE, async { tokio::join!(serving, asking) })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_http2_connection_outlives_the_time_for_a_head() {
    let api = Scripted::constant("ok").await;
    let limits = "[server.limits]\nheader_timeout = \"300ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let stream = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(50))
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for wait in [0, 900] {
        // Idle, but for pings.
        sleep(Duration::from_millis(wait)).await;
        let request = Request::get(format!("http://{}/api/x", proxy.addr()))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_takes_nothing_of_its_answer_is_cut() {
    let (gone, mut went) = mpsc::channel(1);
    let api = Scripted::start(move |mut connection| {
        let gone = gone.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            connection.write(CHUNKED).await;
            let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            while connection.caller.stream.write_all(&piece).await.is_ok() {}
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let limits = "[server.limits]\nidle_timeout = \"200ms\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let mut caller = proxy.caller().await;
    caller
        .write("GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    timeout(PATIENCE, went.recv()).await.unwrap().unwrap();
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
    caller.write(UPLOAD).await;
    for _ in 0..12 {
        caller.write("4\r\nmore\r\n").await;
        sleep(Duration::from_millis(100)).await;
    }
    caller.write("0\r\n\r\n").await;
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
    caller.write(UPLOAD).await;
    caller.write("4\r\nmore\r\n0\r\n\r\n").await;
    assert_eq!(caller.answer(false).await.unwrap().status, 504);
}

#[tokio::test]
async fn the_time_a_caller_takes_is_not_the_upstreams_silence() {
    let go = Arc::new(Notify::new());
    let told = go.clone();
    let api = Scripted::start(move |mut connection| {
        let told = told.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            connection.write(CHUNKED).await;
            connection.write("3\r\none\r\n").await;
            told.notified().await;
            sleep(Duration::from_millis(100)).await;
            connection.write("3\r\ntwo\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let profile = Profile {
        id: 0,
        tls: upauth::tls::client(&[]).unwrap(),
        connect_timeout: PATIENCE,
        proxy: None,
        connections: 1,
        metrics: Metrics::new().upstream("api"),
    };
    let origin = format!("http://{}", api.addr).parse().unwrap();
    let to = Destination {
        profile: &profile,
        origin: &origin,
        public_only: false,
        fresh: false,
    };
    let request = Request::get("/x")
        .header("host", "localhost")
        .body(Full::<Bytes>::default())
        .unwrap();
    let silence = Duration::from_millis(400);
    let answer = Client::default().send(to, request, silence).await.unwrap();
    let mut body = answer.into_body();
    let mut next = async || {
        let frame = body.frame().await.unwrap();
        frame.expect("broken off").into_data().unwrap()
    };
    assert_eq!(next().await, "one");
    sleep(silence * 2).await;
    go.notify_one();
    assert_eq!(next().await, "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_framing_within_a_body_is_the_callers_fault_and_reaches_nobody() {
    let (whole, mut came) = mpsc::channel(9);
    let api = Scripted::start(move |mut connection| {
        let whole = whole.clone();
        async move {
            while let Some(seen) = connection.head().await {
                let piece = connection.caller.chunk().await;
                assert_eq!(piece.unwrap().unwrap(), b"hello", "{seen:?}");
                let rest = connection.caller.chunk().await;
                whole.send(rest.is_ok()).await.unwrap();
                if rest.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for wrong in ["zz\r\n", "0x3\r\nabc\r\n", "ffffffffffffffffff\r\n"] {
        let mut caller = proxy.caller().await;
        caller.write(UPLOAD).await;
        caller.write("5\r\nhello\r\n").await;
        // The answer must not depend on how the pieces fall together.
        sleep(Duration::from_millis(50)).await;
        caller.write(wrong).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (400, "UA-0201"));
        assert!(!came.recv().await.unwrap(), "{wrong} was completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_piece_of_json_passes_before_the_second_is_sent() {
    let read = Arc::new(Notify::new());
    let told = read.clone();
    let api = Scripted::start(move |mut connection| {
        let told = told.clone();
        async move {
            if connection.request().await.is_none() {
                return;
            }
            let head = CHUNKED.replace("\r\n\r\n", "\r\nContent-Type: application/json\r\n\r\n");
            connection.write(head).await;
            connection.write("2\r\n{}\r\n").await;
            timeout(PATIENCE, told.notified()).await.expect("held back");
            connection.write("2\r\n{}\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller
        .write("GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"{}");
    read.notify_one();
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"{}");
    assert_eq!(caller.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_all_paths_leads_there() {
    let api = Scripted::constant("ok").await;
    let route = "[route.all]\nupstream = \"api\"\npath = \"/\"\nread_only = true\n";
    let proxy = TestProxy::start(&format!("{}{route}", api.upstream()));
    assert_eq!(proxy.get("/v1/x").await.status, 200);
    assert_eq!(proxy.get("/").await.status, 200);
    assert_eq!(proxy.post("/v1/x", "y").await.status, 403);
    assert_eq!(api.seen()[0].target, "/v1/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_and_a_host_of_an_upstream_with_routes_lead_nowhere_else() {
    let api = Scripted::constant("ok").await;
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let route = "[route.some]\nupstream = \"api\"\npath = \"/some\"\n";
    let text = format!("{}listen = \"127.0.0.1:0\"\n{other}{route}", api.upstream());
    let proxy = TestProxy::start(&text);
    let rows = [("/some/x", 200), ("/x", 404), ("/other/x", 404)];
    for (path, status) in rows {
        let mut own = Caller::connect(proxy.own("api")).await;
        assert_eq!(own.get(path).await.status, status, "{path} at its listener");
        let request = format!("GET {path} HTTP/1.1\r\nHost: api.localhost\r\n\r\n");
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!(answer.status, status, "{path} at its host");
    }
    assert_eq!(proxy.get("/other/x").await.status, 200);
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
async fn options_of_the_proxy_itself_are_told_by_the_proxy() {
    let api = Scripted::constant("ok").await;
    let proxy = TestProxy::start(&api.upstream());
    for request in [
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "OPTIONS /api/x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n",
    ] {
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!(answer.status, 204);
        assert!(answer.header("allow").unwrap().contains("PATCH"));
    }
    assert!(api.seen().is_empty());
}
