//! Tokens age: early renewal off the request path, lifetimes, tokens without expiry.

use std::time::Duration;

use tokio::time::Instant;
use upauth::emulator::{Canned, ExpiresIn, Settings};

use super::{ACCOUNT, LIMITS};
use crate::support::Emulated;
use crate::support::emulated::{BILLING, CRM};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_its_end_while_requests_flow_and_none_waits() {
    let at = Emulated::start(BILLING).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.turn(|dials| dials.billing.delay_ms = 2000);
    // Nothing happens long before the end; shortly before it the renewal begins, and takes its time.
    at.pass(Duration::from_secs(3598 - 120)).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.pass(Duration::from_secs(100)).await;
    let began = Instant::now();
    let mut caller = at.proxy.caller().await;
    while at.counters().live < 2 {
        let asked = Instant::now();
        assert_eq!(caller.get(ACCOUNT).await.status, 200);
        assert!(asked.elapsed() < Duration::from_millis(1500), "it waited");
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "not renewed in time"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The old token ends; the new one serves.
    at.pass(Duration::from_secs(60)).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_in_time_by_the_real_clock() {
    let short = Settings {
        token_lifetime: Duration::from_secs(8),
        ..Settings::default()
    };
    let at = Emulated::start_with(short, BILLING).await;
    let mut caller = at.proxy.caller().await;
    assert_eq!(caller.get(ACCOUNT).await.status, 200);
    at.turn(|dials| dials.billing.delay_ms = 2000);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(8500) {
        let asked = Instant::now();
        let answer = caller.get(ACCOUNT).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-upauth-replayed"), None);
        assert!(asked.elapsed() < Duration::from_millis(1500), "it waited");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_early_renewal_keeps_the_token_that_still_is_valid() {
    let at = Emulated::start(BILLING).await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    at.turn(|dials| dials.billing.next_login.extend(vec![Canned::html(); 3]));
    at.pass(Duration::from_secs(3598 - 20)).await;
    for _ in 0..20 {
        assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    }
    at.until(|counters| counters.billing_token_requests == 2)
        .await;
    assert_eq!(at.proxy.get(ACCOUNT).await.status, 200);
    assert_eq!(at.proxy.status("billing").await["state"], "valid");
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
