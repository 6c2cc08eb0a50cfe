//! Names of upstreams that are gone: what their callers send goes to nobody else.

use crate::support::{Scripted, TestProxy};

/// Two upstreams, by name; `b` answers `/` when it is alone.
struct Both {
    a: Scripted,
    b: Scripted,
}

impl Both {
    async fn start() -> Self {
        let (a, b) = (Scripted::constant("a").await, Scripted::constant("b").await);
        Self { a, b }
    }

    fn a(&self) -> String {
        self.a.upstream().replace("upstream.api", "upstream.a")
    }

    fn b(&self) -> String {
        self.b.upstream().replace("upstream.api", "upstream.b")
    }
}

async fn answer(proxy: &TestProxy, path: &str, host: &str) -> (u16, String) {
    let request = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody");
    let answer = proxy.caller().await.ask(request).await;
    match answer.status {
        200 => (200, answer.text()),
        status => (status, answer.code()),
    }
}

fn nobody() -> (u16, String) {
    (404, "UA-0204".to_owned())
}

fn from(name: &str) -> (u16, String) {
    (200, name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_was_called_by_is_not_given_to_the_one_that_is_left() {
    let at = Both::start().await;
    let (a, b) = (at.a(), at.b());
    let routes = "[route.r]\nupstream = \"a\"\npath = \"/old/way\"\n[route.h]\nupstream = \"a\"\nhost = \"old.localhost\"\n";
    let mut proxy = TestProxy::start(&format!("{a}{b}"));
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, from("a"));
    assert_eq!(answer(&proxy, "/x", "a.localhost").await, from("a"));
    // Its routes as well, although it has others again by the time that it goes.
    proxy.reload(&format!("{a}{routes}{b}")).unwrap();
    assert_eq!(answer(&proxy, "/old/way/x", "localhost").await, from("a"));
    assert_eq!(answer(&proxy, "/x", "old.localhost").await, from("a"));
    proxy.reload(&format!("{a}{b}")).unwrap();
    for _ in 0..2 {
        proxy.reload(&b).unwrap();
        for (path, host) in [
            ("/a/x", "localhost"),
            ("/a", "localhost"),
            ("/a?x", "localhost"),
            ("/x", "a.localhost"),
            ("/old/way/x", "localhost"),
            ("/x", "old.localhost"),
        ] {
            assert_eq!(answer(&proxy, path, host).await, nobody(), "{host}{path}");
        }
        // What nobody else was called by is its own.
        for path in ["/x", "/ab/x", "/old/x", "/b/x"] {
            assert_eq!(answer(&proxy, path, "localhost").await, from("b"), "{path}");
        }
    }
    let strange = |seen: &crate::support::Seen| seen.target.contains("/a/");
    assert!(!at.b.seen().iter().any(strange));
    // It is there again at once.
    proxy.reload(&format!("{a}{b}")).unwrap();
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, from("a"));
    assert_eq!(answer(&proxy, "/x", "a.localhost").await, from("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_renamed_is_not_called_by_its_old_name() {
    let at = Both::start().await;
    let mut proxy = TestProxy::start(&at.b().replace("upstream.b", "upstream.old"));
    assert_eq!(answer(&proxy, "/old/x", "localhost").await, from("b"));
    proxy.reload(&at.b()).unwrap();
    assert_eq!(answer(&proxy, "/old/x", "localhost").await, nobody());
    assert_eq!(answer(&proxy, "//old/x", "localhost").await, nobody());
    assert_eq!(answer(&proxy, "/b/x", "localhost").await, from("b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_served_is_kept_and_a_default_that_is_written_takes_all() {
    let at = Both::start().await;
    let (a, b) = (at.a(), at.b());
    let mut proxy = TestProxy::start(&b);
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, from("b"));
    // A configuration that was not put to work has named nobody.
    proxy.reload(&format!("{a}wrong = 1\n{b}")).unwrap_err();
    proxy.reload(&b).unwrap();
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, from("b"));
    let written = format!("[server]\ndefault = \"b\"\n{b}");
    proxy.reload(&format!("{a}{b}")).unwrap();
    proxy.reload(&written).unwrap();
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, from("b"));
    assert_eq!(at.b.seen().last().unwrap().target, "/a/x");
    // It is remembered nevertheless.
    proxy.reload(&b).unwrap();
    assert_eq!(answer(&proxy, "/a/x", "localhost").await, nobody());
}
