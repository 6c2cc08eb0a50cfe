//! A panic within a request, and what is told of it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use upauth::app::Stopped;
use upauth::clock::Clock;
use upauth::telemetry::log::{self, Format};
use upauth::telemetry::{AccessLog, panics};

use crate::support::caller::PATIENCE;
use crate::support::canary::Canaries;
use crate::support::{Scripted, TestProxy};

/// Of a process, because what it writes to standard error is all that is told, whoever writes it.
#[test]
fn a_panic_costs_one_request_its_answer_and_its_text_is_told_to_nobody() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(panic_within_a_request());
    }
    let name = "panics::a_panic_costs_one_request_its_answer_and_its_text_is_told_to_nobody";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let told = [child.stdout, child.stderr].concat();
    let text = String::from_utf8_lossy(&told);
    assert!(child.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert!(text.contains("it panicked"), "{text}");
    assert!(text.contains("tests/canary/panics.rs:"), "{text}");
    let entry = text.lines().find(|line| line.contains("\"status\":500"));
    let entry = entry.unwrap_or_default();
    assert!(entry.contains("UA-0503"), "{text}");
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("id of the answer: "));
    assert!(
        entry.contains(id.unwrap()),
        "the log has another id: {text}"
    );
    let mut canaries = Canaries::default();
    canaries.add("the text of the panic", TEXT);
    assert_eq!(canaries.found_in(&told), Vec::<String>::new(), "{text}");
}

/// The wall clock panics when it is read for the second time within a request: that is a test's to make, and in the midst of
/// it, once a second.
async fn panic_within_a_request() {
    panics::tell_places_alone();
    let _rest = log::init(Format::Text, "trace").unwrap();
    let readings = Arc::new(AtomicUsize::new(USUAL));
    let counted = readings.clone();
    let clock = Clock::with_wall(move || {
        if std::thread::current().name() == Some("worker-0") {
            assert!(counted.fetch_add(1, Ordering::SeqCst) != 1, "{TEXT}");
        }
        Duration::from_secs(1_800_000_000)
    });
    let held = Arc::new((Notify::new(), Notify::new()));
    let api = Scripted::start_with(&held, |mut connection, held| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/held" {
                held.0.notify_one();
                held.1.notified().await;
            }
            connection.reply("200 OK", "", "fine").await;
        }
    })
    .await;
    let log = AccessLog::stdout(Format::Json).unwrap();
    let proxy = TestProxy::start_at(&api.upstream(), &[], log, clock);
    let (mut before, mut caller) = (proxy.caller().await, proxy.caller().await);
    before.begin("/api/held").await;
    held.0.notified().await;
    let panicked = async {
        loop {
            readings.store(0, Ordering::SeqCst);
            let answer = caller.get("/api/panics").await;
            if answer.status != 200 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, panicked).await.unwrap();
    assert_eq!((answer.status, &*answer.code()), (500, "UA-0503"));
    eprintln!("{:?} {}", answer.headers, answer.text());
    eprintln!(
        "id of the answer: {}",
        answer.header("x-request-id").unwrap()
    );
    readings.store(USUAL, Ordering::SeqCst);
    assert_eq!(caller.get("/api/x").await.status, 200, "its connection");
    assert_eq!(proxy.get("/api/x").await.status, 200, "its worker");
    held.1.notify_one();
    let answer = before.answer(false).await.unwrap();
    assert_eq!(answer.text(), "fine", "what was under way");
    assert_eq!(proxy.stop().await, Stopped::Drained);
}

const CHILD: &str = "UPAUTH_TEST_PANICS";
const TEXT: &str = "index 17 of `00Dxx0000000001!AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL`";
/// More readings than any request makes: none of them panics.
const USUAL: usize = 1000;
