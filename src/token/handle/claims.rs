//! What is promised about the handle and its flights, one sentence each, under paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, timeout};

use super::{Handle, Settings};
use crate::clock::Clock;
use crate::provider::{Lifetime, Refused};
use crate::token::script::{Act, Script, number, refused, seconds, transient};
use crate::token::{Issued, Refusals, Rejected, State, Unavailable};

const HOUR: Lifetime = Lifetime::For(seconds(3600));
const DAY: Lifetime = Lifetime::For(seconds(86_400));
const WAIT: Duration = seconds(20);

fn handle(source: &Arc<Script>) -> Handle {
    stepped(source).0
}

/// A handle, and the seconds by which its wall clock is ahead.
fn stepped(source: &Arc<Script>) -> (Handle, Arc<AtomicI64>) {
    let ahead = Arc::new(AtomicI64::new(0));
    let (start, by) = (Instant::now(), Arc::clone(&ahead));
    let clock = Clock::with_wall(move || {
        let wall = seconds(1_700_000_000) + start.elapsed();
        let by = by.load(Ordering::SeqCst);
        if by < 0 {
            return wall - seconds(by.unsigned_abs());
        }
        wall + seconds(by.unsigned_abs())
    });
    let runtime = tokio::runtime::Handle::current();
    let source = Arc::clone(source);
    let settings = Settings::default();
    let handle = Handle::spawn(
        "crm".into(),
        source,
        clock,
        settings,
        Refusals::new(),
        &runtime,
    );
    (handle, ahead)
}

async fn obtain(handle: &Handle) -> Result<Issued, Unavailable> {
    handle.obtain(Instant::now() + WAIT).await
}

async fn many(handle: &Handle, count: usize) -> Vec<Result<Issued, Unavailable>> {
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let handle = handle.clone();
        callers.spawn(async move { obtain(&handle).await });
    }
    callers.join_all().await
}

#[tokio::test(start_paused = true)]
async fn two_hundred_cold_callers_cost_one_login() {
    let source = Script::new(seconds(1), [Act::Fresh(HOUR)]);
    let handle = handle(&source);
    let issued = many(&handle, 200).await;
    assert!(
        issued
            .iter()
            .all(|issued| issued.as_ref().unwrap().generation() == 1)
    );
    assert_eq!(source.count(), 1);
    assert!(handle.current(Instant::now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_first_caller_hanging_up_cancels_nothing() {
    let source = Script::new(seconds(3), [Act::Fresh(HOUR)]);
    let handle = handle(&source);
    assert!(timeout(seconds(1), obtain(&handle)).await.is_err());
    let start = Instant::now();
    assert!(obtain(&handle).await.is_ok());
    assert_eq!(start.elapsed(), seconds(2));
    assert_eq!(source.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_rejections_of_one_generation_cost_one_renewal() {
    let source = Script::new(seconds(1), [Act::Fresh(HOUR)]);
    let handle = handle(&source);
    let dead = obtain(&handle).await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..500 {
        let (handle, dead) = (handle.clone(), dead.clone());
        callers.spawn(async move {
            sleep(Duration::from_millis(caller * 4)).await;
            let verdict = handle.reject(&dead);
            assert!(matches!(verdict, Rejected::Renewing | Rejected::Replaced));
            assert_eq!(obtain(&handle).await.unwrap().generation(), 2);
        });
    }
    callers.join_all().await;
    assert_eq!(source.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_rejects_every_token_costs_ten_logins_then_two_an_hour() {
    let source = Script::new(Duration::from_millis(300), [Act::Fresh(DAY)]);
    let handle = handle(&source);
    let start = Instant::now();
    while start.elapsed() < seconds(5 * 3600) {
        let issued = obtain(&handle).await.unwrap();
        handle.reject(&issued);
        sleep(seconds(2)).await;
    }
    let logins = source.logins.lock().unwrap();
    for hour in 0..5 {
        let of = |at: &&Instant| at.duration_since(start).as_secs() / 3600 == hour;
        let count = logins.iter().filter(of).count();
        assert!(count <= if hour == 0 { 10 } else { 2 }, "{hour}: {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_at_a_thousand_requests_a_second_costs_two_logins_an_hour() {
    let source = Script::new(
        Duration::from_millis(200),
        [Act::Fail(refused(Refused::Password))],
    );
    let handle = handle(&source);
    let start = Instant::now();
    while start.elapsed() < seconds(3600) {
        // All at once while the first login is under way; what follows is answered from memory.
        for answer in many(&handle, if source.count() == 0 { 1000 } else { 1 }).await {
            assert!(matches!(answer, Err(Unavailable::Refused { .. })));
        }
        for _ in 1..1000 {
            assert!(handle.current(Instant::now()).is_none());
            let error = handle
                .obtain(Instant::now() + seconds(20))
                .await
                .unwrap_err();
            assert!(matches!(error, Unavailable::Refused { .. }), "{error}");
        }
        sleep(seconds(1)).await;
    }
    assert_eq!(source.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_source_is_a_transient_failure_for_everyone_and_the_next_login_may_come() {
    let source = Script::new(seconds(1), [Act::Panic, Act::Fresh(HOUR)]);
    let handle = handle(&source);
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let handle = handle.clone();
        callers.spawn(async move {
            handle
                .obtain(Instant::now() + Duration::from_millis(1500))
                .await
        });
    }
    for answer in callers.join_all().await {
        let error = answer.unwrap_err();
        assert!(matches!(error, Unavailable::Transient { .. }), "{error}");
    }
    assert!(obtain(&handle).await.is_ok());
    assert_eq!(source.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_keeps_those_who_can_wait_and_answers_the_others() {
    let retry_after = Some(seconds(10));
    let source = Script::new(
        seconds(1),
        [Act::Fail(transient(retry_after)), Act::Fresh(HOUR)],
    );
    let handle = handle(&source);
    let start = Instant::now();
    let hasty = handle.obtain(start + seconds(5));
    let (patient, hasty) = tokio::join!(obtain(&handle), async { (hasty.await, start.elapsed()) });
    assert!(
        matches!(hasty.0, Err(Unavailable::Transient { retry_after, .. }) if retry_after == seconds(10))
    );
    assert_eq!(hasty.1, seconds(1));
    assert!(patient.is_ok());
    assert_eq!(start.elapsed(), seconds(12));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_login_ends_at_its_deadline_and_callers_at_theirs() {
    let source = Script::new(seconds(1), [Act::Hang, Act::Fresh(HOUR)]);
    let handle = handle(&source);
    let start = Instant::now();
    let error = handle.obtain(start + seconds(3)).await.unwrap_err();
    assert!(matches!(error, Unavailable::Timeout { .. }), "{error}");
    assert_eq!(start.elapsed(), seconds(3));
    assert_eq!(handle.status().state, State::Renewing);
    assert!(obtain(&handle).await.is_ok());
    assert!(start.elapsed() < seconds(19));
}

#[tokio::test(start_paused = true)]
async fn a_used_token_is_renewed_off_the_request_path_and_an_unused_one_is_not() {
    let source = Script::new(seconds(1), [Act::Fresh(HOUR)]);
    let handle = handle(&source);
    assert!(handle.renew(Instant::now() + WAIT).await.is_ok());
    // A look is not a use.
    handle.status();
    assert!(handle.current(Instant::now()).is_some());
    sleep(seconds(3590)).await;
    assert_eq!(source.count(), 2, "used once, so renewed once");
    assert_eq!(handle.current(Instant::now()).unwrap().generation(), 2);
    sleep(seconds(100_000)).await;
    assert_eq!(source.count(), 3, "that use renewed it once more");
    assert!(handle.current(Instant::now()).is_none());
    assert_eq!(handle.status().state, State::None);
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_machine_wakes_up_to_an_expired_token_and_a_clock_set_back_changes_nothing() {
    let source = Script::new(seconds(1), [Act::Fresh(HOUR)]);
    let (handle, ahead) = stepped(&source);
    assert!(obtain(&handle).await.is_ok());
    ahead.store(-50_000, Ordering::SeqCst);
    advance(seconds(2)).await;
    assert!(handle.current(Instant::now()).is_some());
    ahead.store(3600, Ordering::SeqCst);
    advance(seconds(1)).await;
    assert!(handle.current(Instant::now()).is_none());
    assert_eq!(obtain(&handle).await.unwrap().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_string_that_comes_again_is_backed_off_and_not_handed_out() {
    let same = Act::Token(7, HOUR);
    let source = Script::new(
        seconds(1),
        [same.clone(), same.clone(), same, Act::Fresh(HOUR)],
    );
    let handle = handle(&source);
    let dead = obtain(&handle).await.unwrap();
    assert_eq!(handle.reject(&dead), Rejected::Renewing);
    let renewed = obtain(&handle).await.unwrap();
    assert_ne!(number(&renewed.credential), 7);
    assert_eq!(source.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_ends_the_refusal_of_a_client_within_ten_seconds_of_use() {
    let source = Script::new(
        seconds(1),
        [Act::Fail(refused(Refused::Client)), Act::Fresh(HOUR)],
    );
    let handle = handle(&source);
    for _ in 0..5000 {
        assert!(obtain(&handle).await.is_err());
        sleep(seconds(1)).await;
    }
    assert_eq!(source.count(), 1);
    source.secret.store(1, Ordering::SeqCst);
    let changed = Instant::now();
    while obtain(&handle).await.is_err() {
        sleep(seconds(1)).await;
        assert!(changed.elapsed() <= seconds(13));
    }
    assert_eq!(source.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn accounts_of_one_user_share_what_was_refused() {
    let source = Script::new(seconds(1), [Act::Fail(refused(Refused::Password))]);
    let clock = Clock::system();
    let refusals = Refusals::new();
    let settings = Settings::default();
    let runtime = tokio::runtime::Handle::current();
    let mut callers = JoinSet::new();
    for account in 0..20 {
        let source: Arc<Script> = Arc::clone(&source);
        let (name, refusals) = (account.to_string(), refusals.clone());
        let handle = Handle::spawn(name, source, clock.clone(), settings, refusals, &runtime);
        callers.spawn(async move { obtain(&handle).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_err));
    assert_eq!(source.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_renews_at_once_and_hears_how_it_ended() {
    let fail = Act::Fail(refused(Refused::Policy));
    let source = Script::new(seconds(1), [fail.clone(), Act::Fresh(HOUR), fail]);
    let handle = handle(&source);
    let deadline = Instant::now() + seconds(100);
    assert!(obtain(&handle).await.is_err());
    assert_eq!(handle.renew(deadline).await.unwrap().generation(), 1);
    let error = handle.renew(deadline).await.unwrap_err();
    assert!(matches!(error, Unavailable::Refused { .. }), "{error}");
    assert!(handle.current(Instant::now()).is_some());
    let status = handle.status();
    assert_eq!((status.state, status.logins), (State::Valid, 3));
    assert!(status.why.unwrap().contains("invalid_grant"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_running_when_the_last_handle_is_dropped() {
    let source = Script::new(seconds(1), [Act::Fresh(HOUR)]);
    let handle = handle(&source);
    assert!(obtain(&handle.clone()).await.is_ok());
    let account = Arc::downgrade(handle.account());
    drop(handle);
    sleep(seconds(1)).await;
    assert_eq!(account.strong_count(), 0);
    assert_eq!(source.count(), 1);
}

#[test]
fn a_flight_that_its_runtime_drops_is_an_outcome_too() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let (control, worker) = (runtime(), runtime());
    let source = Script::new(seconds(1), [Act::Hang]);
    let (clock, settings) = (Clock::system(), Settings::default());
    let handle = Handle::spawn(
        "crm".into(),
        source,
        clock,
        settings,
        Refusals::new(),
        control.handle(),
    );
    worker.block_on(async {
        let soon = Instant::now() + Duration::from_millis(50);
        let waiting = handle.obtain(soon);
        tokio::pin!(waiting);
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        control.shutdown_background();
        let error = waiting.await.unwrap_err();
        assert!(matches!(error, Unavailable::Transient { .. }), "{error}");
    });
}
