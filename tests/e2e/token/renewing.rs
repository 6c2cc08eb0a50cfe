//! Tokens age: early renewal off the request path, lifetimes, tokens without expiry.

use std::time::Duration;

use upauth::emulator::{Canned, ExpiresIn, Settings};

use super::{ACCOUNT, LIMITS};
use crate::support::Emulated;
use crate::support::emulated::{BILLING, CRM};

/// A token of an hour is renewed in its last ten minutes, a little less by chance: no machine is too slow for that.
const UNHURRIED: &str = "token_timeout = \"570s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_its_end_while_requests_flow_and_none_waits() {
    let at = Emulated::start(&format!("{BILLING}{UNHURRIED}")).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.turn(|dials| dials.billing.delay_ms = 600_000);
    // Nothing happens long before the end.
    at.pass(Duration::from_secs(3598 - 700)).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    assert_eq!(at.logins(), 1);
    // Later the renewal begins. Whoever waited for it would be gone before it ends.
    at.pass(Duration::from_secs(200)).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.until(|counters| counters.billing_token_requests == 2)
        .await;
    let mut caller = at.proxy.caller().await;
    for _ in 0..50 {
        assert_eq!(caller.get(ACCOUNT).await.status, 200);
    }
    assert_eq!(at.counters().live, 1);
    at.turn(|dials| dials.billing.delay_ms = 0);
    at.until(|counters| counters.live == 2).await;
    // The old token ends; the new one serves.
    at.pass(Duration::from_secs(600)).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_in_time_by_the_real_clock() {
    let short = Settings {
        token_lifetime: Duration::from_secs(15),
        ..Settings::default()
    };
    let at = Emulated::start_with(short, BILLING).await;
    let mut caller = at.proxy.caller().await;
    while at.logins() < 2 {
        let answer = caller.get(ACCOUNT).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-upauth-replayed"), None);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The first one has a third of its life before it.
    at.until(|counters| counters.live == 2).await;
    assert_eq!(caller.get(ACCOUNT).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_early_renewal_keeps_the_token_that_still_is_valid() {
    let at = Emulated::start(&format!("{BILLING}{UNHURRIED}")).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    // No login succeeds from now on: what serves is the first token.
    let failures = vec![Canned::html(); 1000];
    at.turn(|dials| dials.billing.next_login.extend(failures));
    at.pass(Duration::from_secs(3598 - 500)).await;
    for _ in 0..20 {
        assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    }
    // Tried, and tried again.
    at.until(|counters| counters.billing_token_requests >= 3)
        .await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    let status = at.proxy.status("billing").await;
    assert_eq!(status["state"], "valid");
    assert!(
        status["why"].as_str().unwrap().contains("a page"),
        "{status}"
    );
    assert_eq!((at.counters().live, at.counters().dead_sessions), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_renews_a_token_that_nobody_uses() {
    let at = Emulated::start(BILLING).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.pass(Duration::from_secs(4000)).await;
    assert_eq!(at.proxy.status("billing").await["state"], "not_yet");
    assert_eq!(at.logins(), 1);
    // An expired token is never sent.
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_is_read_however_it_is_written() {
    for (written, ends) in [
        (ExpiresIn::Integer, true),
        (ExpiresIn::String, true),
        (ExpiresIn::Float, true),
        (ExpiresIn::Zero, false),
        (ExpiresIn::Missing, false),
    ] {
        let at = Emulated::start(BILLING).await;
        at.turn(|dials| dials.billing.expires_in = written);
        for _ in 0..20 {
            assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
        }
        assert_eq!(at.logins(), 1, "{written:?}");
        let told = at.proxy.status("billing").await;
        assert_eq!(told["state"], "valid");
        assert_eq!(
            told.get("expires_in_seconds").is_some(),
            ends,
            "{written:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_expiry_lives_by_use_and_is_renewed_when_unused_for_long() {
    let at = Emulated::start(CRM).await;
    // Used every now and then it outlives its timeout of two hours.
    for _ in 0..3 {
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
        at.pass(Duration::from_secs(50 * 60)).await;
    }
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (1, 0));
    // Unused for more than half of the timeout it is renewed first, because it may have ended.
    at.pass(Duration::from_secs(70 * 60)).await;
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!(
        (answer.status, answer.header("x-upauth-replayed")),
        (200, None)
    );
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}
