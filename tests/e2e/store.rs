//! Tokens that outlive the process: the file store, through the whole product.

use std::time::Duration;

use crate::support::Emulated;
use crate::support::emulated::{BILLING, CRM, CRM_USER, PRICING, stored};

const LIMITS: &str = "/crm/services/data/v59.0/limits";
const EACH: [&str; 4] = [
    LIMITS,
    "/crm-user/services/data/v59.0/limits",
    "/pricing/v1/LogicalEntityData/Price",
    "/billing/v1/accounts/A1",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_costs_no_login_while_the_tokens_live() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &[CRM, CRM_USER, PRICING, BILLING].concat());
    let mut at = Emulated::start(&config).await;
    for path in EACH {
        assert_eq!(at.proxy.get(path).await.status, 200, "{path}");
    }
    assert_eq!(at.logins(), 4);
    for _ in 0..3 {
        at.restart(&config).await;
        at.pass(Duration::from_secs(900)).await;
        assert_eq!(at.proxy.status("billing").await["state"], "not_yet");
        for path in EACH {
            let answer = at.proxy.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("x-upauth-replayed"), None);
        }
    }
    assert_eq!((at.logins(), at.counters().dead_sessions), (4, 0));
    // Zuora's hour is over; an expired token is not restored.
    at.restart(&config).await;
    at.pass(Duration::from_secs(1000)).await;
    assert_eq!(at.proxy.get(EACH[3]).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_is_replaced_and_never_restored_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM);
    let mut at = Emulated::start(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.restart(&config).await;
    at.emulator.end_sessions("all");
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    at.restart(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_token_is_sent_only_where_todays_allow_list_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut at = Emulated::start(&stored(&folder, CRM)).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let elsewhere = CRM.replace("${DEMO_INSTANCE_HOST}", "127.0.0.1:1");
    at.restart(&stored(&folder, &elsewhere)).await;
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0304"));
    assert_eq!(at.counters().api_requests.values().sum::<u64>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_disk_tells_no_token_no_secret_and_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &[CRM, PRICING].concat());
    let mut at = Emulated::start(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.get(EACH[2]).await.status, 200);
    at.restart(&config).await;
    let mut words = vec!["access_token".to_owned(), "00D".to_owned()];
    let secret = |(name, _): &(String, String)| !name.ends_with("URL") && !name.ends_with("HOST");
    let variables = at.emulator.variables();
    words.extend(variables.into_iter().filter(secret).map(|(_, value)| value));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path().join("store")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned() + &path.to_string_lossy();
        for word in &words {
            assert!(!text.contains(word.as_str()), "{word}");
        }
        seen += usize::from(path.extension().is_none());
    }
    assert_eq!(seen, 3, "a check and two tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_while_it_runs_fails_no_request_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM);
    let at = Emulated::start(&config).await;
    std::fs::rename(folder.path().join("store"), folder.path().join("away")).unwrap();
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.emulator.end_sessions("all");
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let counted = |operation: &str| {
        let page = at.proxy.metrics.encode();
        let count = format!("upauth_store_failures_total{{operation=\"{operation}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&count));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(counted("read"), 1);
    let began = std::time::Instant::now();
    while counted("write") < 2 {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
