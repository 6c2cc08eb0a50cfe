//! Listeners whose addresses change under callers who take no notice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::support::ports::free_port;
use crate::support::{Caller, Scripted, TestProxy};

/// Two upstreams of which one listens at `addr`, or none does.
fn on(api: &Scripted, which: &str, addr: &str, port: u16) -> String {
    let line = format!("listen = \"{addr}:{port}\"\n");
    let of = |name: &str| if which == name { line.as_str() } else { "" };
    let other = api.upstream().replace("upstream.api", "upstream.other");
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n[access]\nopen = true\n{}{}{other}{}",
        api.upstream(),
        of("api"),
        of("other")
    )
}

/// Callers that call without a break.
struct Callers {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Callers {
    /// Six at `addr`, a new connection for each request but for two of them, who `stay`.
    fn start(addr: SocketAddr, stay: bool) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let (over, answered) = (over.clone(), answered.clone());
            tasks.spawn(async move {
                let mut caller = Caller::connect(addr).await;
                while !over.load(Ordering::Relaxed) {
                    let answer = caller.post("/x", "body").await;
                    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
                    answered.fetch_add(1, Ordering::Relaxed);
                    if number > 1 || !stay {
                        caller = Caller::connect(addr).await;
                    }
                }
            });
        }
        Self {
            over,
            answered,
            tasks,
        }
    }

    /// Waits until so many more were answered.
    async fn answered(&mut self, more: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        while self.answered.load(Ordering::Relaxed) < before + more {
            assert!(self.tasks.try_join_next().is_none(), "a caller has failed");
            tokio::task::yield_now().await;
        }
    }

    /// Ends them; fails if one of them has failed.
    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_port_may_come_go_widen_and_lead_elsewhere() {
    let api = Scripted::constant("hello").await;
    let port = free_port();
    let mut proxy = TestProxy::start(&on(&api, "api", "127.0.0.1", port));
    for (which, addr) in [
        ("none", ""),
        ("api", "127.0.0.1"),
        ("other", "127.0.0.1"),
        ("other", "0.0.0.0"),
        ("api", "localhost"),
        ("api", "127.0.0.1"),
    ] {
        proxy
            .reload(&on(&api, which, addr, port))
            .unwrap_or_else(|error| panic!("{which} {addr}: {error}"));
        if which != "none" {
            assert_eq!(proxy.own(which).port(), port);
            let answer = Caller::connect(proxy.own(which)).await.get("/x").await;
            assert_eq!(answer.status, 200, "{which} {addr}");
            assert_eq!(answer.header("x-upauth-upstream"), Some(which));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_an_address_widens_narrows_and_leads_elsewhere() {
    let api = Scripted::constant("hello").await;
    let port = free_port();
    let mut proxy = TestProxy::start(&on(&api, "api", "127.0.0.1", port));
    let mut callers = Callers::start((Ipv4Addr::LOCALHOST, port).into(), true);
    let mut reloads = 0;
    while reloads < 100 {
        for (which, addr) in [
            ("api", "localhost"),
            ("other", "127.0.0.1"),
            ("other", "0.0.0.0"),
            ("api", "localhost"),
            ("api", "0.0.0.0"),
            ("other", "127.0.0.1"),
            ("api", "127.0.0.1"),
        ] {
            let text = on(&api, which, addr, port);
            // What does not come about changes nothing either.
            if reloads % 3 == 0 {
                let taken = format!("[admin]\nlisten = \"{}\"\n{text}", api.addr);
                assert!(proxy.reload(&taken).is_err());
            }
            proxy.reload(&text).unwrap();
            callers.answered(6).await;
            reloads += 1;
        }
    }
    callers.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_when_a_socket_for_all_addresses_gives_way_to_one() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    for _ in 0..12 {
        let port = free_port();
        proxy.reload(&on(&api, "api", "0.0.0.0", port)).unwrap();
        let mut callers = Callers::start((Ipv4Addr::LOCALHOST, port).into(), false);
        callers.answered(12).await;
        proxy.reload(&on(&api, "other", "127.0.0.1", port)).unwrap();
        callers.answered(60).await;
        callers.end().await;
    }
}
