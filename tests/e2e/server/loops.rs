//! Requests that come back, at once or by way of another proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::troubles::is_own;
use crate::support::{Caller, Scripted, TestProxy};

/// A hop that sends everything on to a proxy.
async fn sends_on(to: &Arc<OnceCell<SocketAddr>>) -> Scripted {
    Scripted::start_with(to, |mut connection, to| async move {
        while let Some(seen) = connection.request().await {
            let via = seen.header("via").unwrap();
            let request = format!(
                "GET /api{} HTTP/1.1\r\nHost: localhost\r\nVia: 1.0 other, {via}\r\n\r\n",
                seen.target
            );
            let answer = Caller::connect(*to.get().unwrap()).await.ask(request).await;
            let head = "Content-Type: application/problem+json\r\n";
            connection
                .reply(&format!("{} Loop", answer.status), head, &answer.text())
                .await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_back_by_way_of_another_proxy_is_508() {
    let (first, second) = <(Arc<OnceCell<_>>, Arc<OnceCell<_>>)>::default();
    let (to_first, to_second) = (sends_on(&first).await, sends_on(&second).await);
    let proxy = TestProxy::start(&to_second.upstream());
    let other = TestProxy::start(&to_first.upstream());
    first.set(proxy.addr()).unwrap();
    second.set(other.addr()).unwrap();
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (508, "UA-0501"));
    assert_eq!((to_second.seen().len(), to_first.seen().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_back_to_the_proxy_is_508() {
    let addr = Arc::new(OnceCell::new());
    // The upstream is a hop that sends everything on to the proxy.
    let api = sends_on(&addr).await;
    let proxy = TestProxy::start(&api.upstream());
    addr.set(proxy.addr()).unwrap();
    let answer = proxy.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (508, "UA-0501"));
    assert_eq!(api.seen().len(), 1);
    let via = api.seen()[0].header("via").unwrap().to_owned();
    let direct = format!("GET /api/x HTTP/1.1\r\nHost: localhost\r\nVia: {via}\r\n\r\n");
    is_own(&proxy.caller().await.ask(direct).await, 508, "UA-0501");
    let other = "GET /api/x HTTP/1.1\r\nHost: localhost\r\nVia: 1.1 upauth-of-another\r\n\r\n";
    let answer = proxy.caller().await.ask(other).await;
    assert_eq!(
        answer.status, 508,
        "it went to the upstream, which sent it back"
    );
    assert_eq!(api.seen().len(), 2);
}
