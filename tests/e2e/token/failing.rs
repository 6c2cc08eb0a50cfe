//! A token endpoint in trouble: callers are served when it recovers, or told when to come back.

use std::time::Duration;

use tokio::time::Instant;
use upauth::emulator::Canned;

use super::{LIMITS, crowd, statuses};
use crate::support::emulated::CRM;
use crate::support::{Emulated, together};

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_wait_are_served_when_the_token_endpoint_recovers() {
    let failures = [
        ("unknown_error", Canned::unknown_error()),
        ("html", Canned::html()),
        (
            "html with 200",
            Canned {
                status: 200,
                ..Canned::html()
            },
        ),
        ("503 and Retry-After", Canned::retry_after(503, "1")),
        ("429 and Retry-After", Canned::retry_after(429, "1")),
        ("truncated", Canned::truncated()),
        (
            "cut",
            Canned {
                cut: true,
                ..Canned::unknown_error()
            },
        ),
        ("empty 503", Canned::empty()),
        ("empty 200", Canned::status(200)),
        ("200 with an error", Canned::ok_with_error()),
    ];
    let tries = together(failures.len(), move |number| {
        let (name, failure) = failures[number].clone();
        async move {
            let at = Emulated::start(CRM).await;
            at.turn(|dials| dials.login.next.push_back(failure));
            let answers = crowd(&at, 5, LIMITS).await;
            assert_eq!(statuses(&answers), [200], "{name}: {}", answers[0].text());
            assert_eq!(at.logins(), 2, "{name}");
        }
    });
    tries.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_when_to_come_back_if_the_token_endpoint_does_not_recover() {
    let failures = [
        Canned::unknown_error(),
        Canned::html(),
        Canned::retry_after(503, "30"),
        Canned::truncated(),
        Canned::empty(),
        Canned {
            cut: true,
            ..Canned::unknown_error()
        },
    ];
    let tries = together(failures.len(), move |number| {
        let failure = failures[number].clone();
        async move {
            let at = Emulated::start(&format!("{CRM}token_wait = \"1500ms\"\n")).await;
            at.turn(|dials| dials.login.always = Some(failure.clone()));
            let asked = Instant::now();
            let answers = crowd(&at, 20, LIMITS).await;
            assert!(
                asked.elapsed() < Duration::from_secs(14),
                "{:?}",
                asked.elapsed()
            );
            for answer in &answers {
                assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
                let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                let expected = if failure.headers.is_empty() {
                    1..=60
                } else {
                    15..=30
                };
                assert!(expected.contains(&after), "{after}");
            }
            assert!(at.logins() <= 3, "{}", at.logins());
        }
    });
    tries.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_hangs_costs_callers_their_token_wait_and_no_more() {
    let at = Emulated::start(&format!("{CRM}token_wait = \"500ms\"\n")).await;
    at.turn(|dials| dials.login.delay_ms = 600_000);
    let asked = Instant::now();
    let answers = crowd(&at, 20, LIMITS).await;
    assert!(
        asked.elapsed() < Duration::from_secs(14),
        "{:?}",
        asked.elapsed()
    );
    for answer in answers {
        assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_after_its_caller_gave_up_serves_the_next_one() {
    let at = Emulated::start(&format!("{CRM}token_wait = \"300ms\"\n")).await;
    at.turn(|dials| dials.login.delay_ms = 1500);
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    // Nobody asks meanwhile: another login could only be of the next one.
    let landed = async {
        while at.proxy.status("crm").await["state"] != "valid" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), landed).await;
    assert!(in_time.is_ok(), "the login ended with its caller");
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_hangs_is_given_up_and_the_next_one_serves_who_still_waits() {
    let at = Emulated::start(&format!("{CRM}token_timeout = \"300ms\"\n")).await;
    at.turn(|dials| dials.login.delay_ms = 600_000);
    let recover = async {
        at.until(|counters| counters.token_requests >= 1).await;
        at.turn(|dials| dials.login.delay_ms = 0);
    };
    let (answer, ()) = tokio::join!(at.proxy.get(LIMITS), recover);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // On a busy machine the second one may hang as well.
    assert!(at.logins() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_waits_for_tokens_of_one_request_together_last_no_longer_than_token_wait() {
    let at = Emulated::start(&format!("{CRM}token_wait = \"5s\"\n")).await;
    at.turn(|dials| {
        dials.login.delay_ms = 3500;
        // The login that it waits for brings a token that is dead on its first use.
        dials.salesforce.fresh_rejections = 1;
    });
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    assert_eq!(at.logins(), 2);
}
