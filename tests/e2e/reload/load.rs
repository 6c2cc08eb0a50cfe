//! Under load: good, bad and half-written configurations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::support::{Caller, Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_good_bad_and_half_written_configurations_come() {
    let api = Scripted::constant("hello").await;
    let base = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n{}",
        api.upstream()
    );
    let mut proxy = TestProxy::start(&base);
    let (addr, over) = (proxy.addr(), Arc::new(AtomicBool::new(false)));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for number in 0..6 {
        let (over, answered) = (over.clone(), answered.clone());
        callers.spawn(async move {
            let mut caller = Caller::connect(addr).await;
            while !over.load(Ordering::Relaxed) {
                // Half of them on one connection, half on a new one each time.
                if number % 2 == 0 {
                    caller = Caller::connect(addr).await;
                }
                let answer = caller.post("/api/a", "body").await;
                assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let other = base
        .replace("upstream.api", "upstream.other")
        .replace("[server]", "");
    let other = &other[other.find("[upstream").unwrap()..];
    let mut taken = 0;
    for round in 0..40 {
        let text = match round % 5 {
            0 => format!("{base}listen = \"127.0.0.1:0\"\nset_headers = {{ X-A = \"{round}\" }}\n"),
            1 => format!("{base}{other}"),
            2 => base[..base.len() - 1 - round].to_owned(),
            3 => base.replace("\"secret\"", &format!("\"secret-{round}\"")),
            _ => format!("{base}nonsense = {round}\n"),
        };
        let before = answered.load(Ordering::Relaxed);
        taken += usize::from(proxy.reload(&text).is_ok());
        while answered.load(Ordering::Relaxed) < before + 12 {
            assert!(callers.try_join_next().is_none(), "a caller has failed");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(taken, 24);
    over.store(true, Ordering::Relaxed);
    callers.join_all().await;
}
