//! What is known of a credential is told at once, whatever a caller would wait for; under paused time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep};

use super::{Handle, Settings};
use crate::clock::Clock;
use crate::provider::{Budget, Lifetime, LoginFailure, Refused};
use crate::token::script::{Act, Script, refused, seconds, transient, unreadable};
use crate::token::{Issued, Refusals, Unavailable};

fn handle(source: &Arc<Script>, budget: Option<Budget>) -> Handle {
    let settings = Settings {
        budget,
        ..Settings::default()
    };
    Handle::spawn(
        "crm".into(),
        Arc::clone(source) as _,
        Clock::system(),
        settings,
        Refusals::new(),
        &tokio::runtime::Handle::current(),
    )
}

/// What a caller gets who would wait for 20 s, and how long that took.
async fn ask(handle: &Handle) -> (Result<Issued, Unavailable>, Duration) {
    let asked = Instant::now();
    let answer = handle.obtain(asked + seconds(20)).await;
    (answer, asked.elapsed())
}

async fn is_served_at_once(handle: &Handle) {
    let (answer, took) = ask(handle).await;
    assert!(
        answer.is_ok() && took <= Duration::from_millis(2),
        "{took:?}"
    );
}

/// When the next try is allowed, as far as a caller is told.
fn retry_after(answer: Result<Issued, Unavailable>) -> Option<Duration> {
    match answer.unwrap_err() {
        Unavailable::Transient { retry_after, .. }
        | Unavailable::Secret { retry_after, .. }
        | Unavailable::Store { retry_after, .. } => Some(retry_after),
        Unavailable::Refused { .. } => None,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_or_a_store_that_is_not_there_is_looked_for_twice_and_then_told_at_once() {
    let full = LoginFailure::Store {
        text: "the folder is full".to_owned(),
    };
    for failure in [unreadable(), full] {
        let source = Script::new(Duration::ZERO, [Act::Fail(failure)]);
        let handle = handle(&source, None);
        let (answer, took) = ask(&handle).await;
        assert!(took <= Duration::from_millis(1002), "{took:?}");
        assert!(retry_after(answer).is_some_and(|after| after > seconds(1)));
        for _ in 0..1000 {
            let (answer, took) = ask(&handle).await;
            assert!(took <= Duration::from_millis(2), "{took:?}");
            let after = retry_after(answer).unwrap();
            assert!(after <= seconds(60) && !after.is_zero(), "{after:?}");
            advance(Duration::from_millis(700)).await;
        }
        assert!(source.count() <= 7 + 12, "{}", source.count());
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_says_that_files_are_other_ones_has_them_tried_at_once() {
    let hour = Lifetime::For(seconds(3600));
    let fail = Act::Fail(unreadable());
    let mut acts = vec![fail; 6];
    acts.push(Act::Fresh(hour));
    let source = Script::new(Duration::ZERO, acts);
    let handle = handle(&source, None);
    while source.count() < 6 {
        assert!(ask(&handle).await.0.is_err());
        advance(seconds(5)).await;
    }
    handle.reread().await;
    is_served_at_once(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_that_is_the_same_is_not_tried_again_by_a_second_look() {
    let hour = Lifetime::For(seconds(3600));
    let acts = [Act::Fail(refused(Refused::Client)), Act::Fresh(hour)];
    let source = Script::new(Duration::ZERO, acts);
    let handle = handle(&source, None);
    for _ in 0..3 {
        assert!(ask(&handle).await.0.is_err());
        handle.reread().await;
    }
    assert_eq!(source.count(), 1);
    source.secret.store(1, std::sync::atomic::Ordering::SeqCst);
    handle.reread().await;
    is_served_at_once(&handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_just_being_replaced_fails_nobody() {
    let hour = Lifetime::For(seconds(3600));
    let source = Script::new(Duration::ZERO, [Act::Fail(unreadable()), Act::Fresh(hour)]);
    let (answer, took) = ask(&handle(&source, None)).await;
    assert!(answer.is_ok() && took <= seconds(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_next_probe_is_far_ahead_is_told_at_once() {
    for what in [Refused::Password, Refused::Client, Refused::Policy] {
        let source = Script::new(Duration::ZERO, [Act::Fail(refused(what))]);
        let handle = handle(&source, None);
        for _ in 0..100 {
            let (answer, took) = ask(&handle).await;
            assert!(took <= Duration::from_millis(2), "{took:?}");
            assert_eq!(retry_after(answer), None);
            sleep(seconds(5)).await;
        }
        assert_eq!(source.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn when_half_an_hour_has_passed_many_callers_at_once_try_a_refused_password_once() {
    let acts = [Act::Fail(refused(Refused::Password))];
    let source = Script::new(Duration::from_millis(200), acts);
    let handle = handle(&source, None);
    assert!(ask(&handle).await.0.is_err());
    for (wait, tries) in [(1800, 2), (3600, 3)] {
        sleep(seconds(wait)).await;
        let mut callers = JoinSet::new();
        for _ in 0..500 {
            let handle = handle.clone();
            callers.spawn(async move { ask(&handle).await.0 });
        }
        for answer in callers.join_all().await {
            assert!(matches!(answer, Err(Unavailable::Refused { .. })));
        }
        assert_eq!(source.count(), tries);
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_used_up_is_told_at_once_and_waited_for_at_its_end() {
    let minute = Lifetime::For(seconds(60));
    let source = Script::new(Duration::ZERO, [Act::Fresh(minute)]);
    let (logins, hard) = (2, true);
    let handle = handle(&source, Some(Budget { logins, hard }));
    for _ in 0..2 {
        assert!(ask(&handle).await.0.is_ok());
        sleep(seconds(61)).await;
    }
    let (answer, took) = ask(&handle).await;
    assert!(took <= Duration::from_millis(2), "{took:?}");
    let after = retry_after(answer).unwrap();
    assert!(after > seconds(3400) && after < seconds(3500), "{after:?}");
    sleep(after - seconds(10)).await;
    let (answer, took) = ask(&handle).await;
    assert!(answer.is_ok() && took <= seconds(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_back_off_that_outlasts_the_wait_is_told_at_once_and_a_shorter_one_is_waited_for() {
    let failed = |after| Act::Fail(transient(Some(seconds(after))));
    let hour = Lifetime::For(seconds(3600));
    let source = Script::new(Duration::ZERO, [failed(900), failed(15), Act::Fresh(hour)]);
    let handle = handle(&source, None);
    for _ in 0..2 {
        let (answer, took) = ask(&handle).await;
        assert!(took <= Duration::from_millis(2), "{took:?}");
        assert!(retry_after(answer).is_some_and(|after| after > seconds(880)));
        sleep(seconds(10)).await;
    }
    sleep(seconds(900)).await;
    let (answer, took) = ask(&handle).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert!(took >= seconds(15) && took <= seconds(16), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_soft_budget_puts_renewals_off_and_never_withholds_the_only_token() {
    let minute = Lifetime::For(seconds(60));
    let source = Script::new(Duration::ZERO, [Act::Fresh(minute)]);
    let (logins, hard) = (2, false);
    let handle = handle(&source, Some(Budget { logins, hard }));
    for second in 0..600 {
        let (answer, took) = ask(&handle).await;
        assert!(took <= Duration::from_millis(2), "{second}: {took:?}");
        let issued = answer.unwrap();
        // A session ends although nothing may be renewed.
        if second == 130 {
            handle.confirm(&issued);
            handle.reject(&issued);
        }
        sleep(seconds(1)).await;
    }
    let logins = source.logins.lock().unwrap();
    let pairs = logins.windows(2);
    let apart: Vec<_> = pairs.map(|two| (two[1] - two[0]).as_secs()).collect();
    // Early; when there was none any more; because of the rejection; and so on.
    assert!((39..=43).contains(&apart[0]), "{apart:?}");
    assert!(apart[2] < 40 && apart.len() == 10, "{apart:?}");
    let last = [&apart[1..2], &apart[3..]].concat();
    assert!(last.iter().all(|apart| *apart >= 59), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_a_moment_after_its_deadline_says_itself_why() {
    let late = Settings::default().token_timeout + Duration::from_millis(2);
    let source = Script::new(late, [Act::Fail(transient(None))]);
    let handle = handle(&source, None);
    let answer = handle.obtain(Instant::now() + late + seconds(1) / 2).await;
    let Unavailable::Transient { text, .. } = answer.unwrap_err() else {
        panic!()
    };
    assert_eq!(text, "overloaded");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_never_ends_is_told_in_whole_seconds() {
    let source = Script::new(Duration::ZERO, [Act::Hang]);
    let handle = handle(&source, None);
    let answer = handle.obtain(Instant::now() + seconds(33) / 2).await;
    assert_eq!(answer.unwrap_err().to_string(), "no answer within 16 s");
}
