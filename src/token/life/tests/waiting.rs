//! When a login is tried, and what those who wait get.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, HOUR};
use crate::provider::{Lifetime, LoginFailure, Refused, Strange};
use crate::token::issued::Unavailable;
use crate::token::life::{Event, Landed, Renewing};
use crate::token::script::{arrived, refused, seconds, token, transient, unreadable};

#[test]
fn a_waiter_stays_if_the_next_try_comes_before_its_deadline_and_is_answered_at_once_otherwise() {
    let mut bench = Bench::new();
    bench.fly();
    bench.fail(transient(Some(seconds(10))), None);
    let mut answer = |deadline| bench.life.answer(bench.now, 0, seconds(deadline));
    assert_eq!(answer(11).map(|_| ()), None);
    let text = "overloaded".to_owned();
    let retry_after = seconds(10);
    let expected = Unavailable::Transient { text, retry_after };
    assert_eq!(answer(10).unwrap().unwrap_err(), expected);
}

#[test]
fn what_is_wrong_on_this_machine_is_waited_for_once_and_then_told_at_once() {
    let text = || "the folder is full".to_owned();
    for failure in [unreadable(), LoginFailure::Store { text: text() }] {
        let mut bench = Bench::new();
        bench.step(Event::Wanted);
        bench.fail(failure.clone(), None);
        let far = bench.now.mono + seconds(1000);
        let soon = bench.now.mono + seconds(1);
        assert!(
            bench.life.answer(bench.now, 0, far).is_none(),
            "a second look"
        );
        assert!(bench.life.answer(bench.now, 0, soon).is_some(), "too late");
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            assert!(bench.pass(seconds(100)).fly);
            bench.fail(failure.clone(), None);
            let told = bench
                .life
                .answer(bench.now, 0, bench.now.mono + seconds(1000));
            let (Unavailable::Secret { retry_after, .. } | Unavailable::Store { retry_after, .. }) =
                told.unwrap().unwrap_err()
            else {
                panic!("{failure}");
            };
            assert_eq!(retry_after, seconds(wait));
        }
        // Whoever comes when it may be tried again has it tried.
        bench.step(Event::Left);
        bench.pass(seconds(60));
        assert!(bench.step(Event::Wanted).fly);
        assert!(bench.life.answer(bench.now, 0, bench.now.mono).is_none());
        bench.land(1, Lifetime::For(seconds(10)));
        bench.pass(seconds(10));
        bench.step(Event::Wanted);
        bench.fail(failure, None);
        let far = bench.now.mono + seconds(1000);
        assert!(
            bench.life.answer(bench.now, 0, far).is_none(),
            "it was good"
        );
    }
}

#[test]
fn no_login_is_tried_again_while_nobody_wants_one() {
    let mut bench = Bench::new();
    bench.fly();
    bench.fail(transient(None), None);
    assert_eq!(bench.life.next_wake(bench.now), None);
    assert!(!bench.pass(seconds(100_000)).fly);
    assert!(bench.step(Event::Wanted).fly);
}

#[test]
fn a_refusal_is_tried_again_only_when_it_says_and_secrets_are_looked_at_every_ten_seconds() {
    let mut bench = Bench::new();
    bench.fly();
    bench.fail(refused(Refused::Password), Some(seconds(1800)));
    let mut looks = 0;
    for _ in 0..1799 {
        bench.pass(seconds(1));
        let actions = bench.step(Event::Wanted);
        bench.step(Event::Left);
        assert!(!actions.fly);
        looks += usize::from(actions.look_at_secrets);
    }
    assert_eq!(looks, 180);
    bench.pass(seconds(1));
    assert!(bench.step(Event::Wanted).fly);
}

#[test]
fn a_token_for_a_strange_host_is_not_asked_for_again_for_half_an_hour() {
    let mut bench = Bench::new();
    bench.fly();
    let host = "evil.example".to_owned();
    let why = Strange::NotAllowed;
    bench.fail(LoginFailure::TargetRefused { host, why }, None);
    bench.pass(seconds(1799));
    let actions = bench.step(Event::Wanted);
    assert!(!actions.fly && !actions.look_at_secrets);
    assert!(bench.pass(seconds(1)).fly);
}

#[test]
fn tokens_that_live_for_a_moment_do_not_make_every_request_log_in() {
    for millis in [0, 1, 1000, 4000, 7000] {
        let mut bench = Bench::new();
        let mut logins = 0;
        bench.step(Event::Wanted);
        for _ in 0..6000 {
            if matches!(bench.life.renewing, Renewing::InFlight { .. }) {
                bench.land(logins, Lifetime::For(Duration::from_millis(millis)));
                logins += 1;
            }
            bench.step(Event::Used);
            bench.pass(Duration::from_millis(100));
        }
        assert!(logins <= 121, "{millis}: {logins} in ten minutes");
    }
}

#[test]
fn an_operator_gets_a_new_login_whatever_was_refused() {
    let mut bench = Bench::new();
    bench.fly();
    bench.fail(refused(Refused::Policy), None);
    assert!(bench.step(Event::OperatorRetry).fly);
    bench.land(1, HOUR);
    assert!(bench.step(Event::OperatorRetry).fly);
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), Some(1));
    assert!(bench.life.outcome(bench.now).unwrap().is_err());
}

#[test]
fn a_token_that_came_too_late_to_be_handed_out_is_not_asked_for_again_at_once() {
    let mut bench = Bench::new();
    let sent = bench.now;
    assert!(bench.step(Event::Wanted).fly);
    bench.pass(seconds(11));
    // Unused for half of its timeout, and nobody knows whether it still lives.
    let credential = Arc::new(token(1, Lifetime::UntilUnusedFor(seconds(20))));
    let landed = Landed::Credential(arrived(credential, sent));
    let ended = Event::FlightEnded {
        landed,
        jitter: 0.0,
    };
    assert!(
        !bench.step(ended).fly,
        "a login after a login, without a pause"
    );
    assert!(matches!(bench.life.renewing, Renewing::WaitingUntil { .. }));
}

#[test]
fn what_is_kept_warm_logs_in_by_itself_and_is_renewed_although_nobody_uses_it() {
    let mut bench = Bench::new();
    assert!(bench.step(Event::Warm(true)).fly);
    bench.land(1, HOUR);
    for number in 2..5 {
        let early = bench.now.mono + seconds(3555);
        assert_eq!(bench.life.next_wake(bench.now), Some(early));
        assert!(bench.pass(seconds(3555)).fly);
        assert_eq!(bench.held(), Some(number - 1), "served while renewing");
        bench.land(number, HOUR);
    }
    bench.step(Event::Warm(false));
    assert_eq!(bench.life.next_wake(bench.now), None);
    assert!(!bench.pass(seconds(100_000)).fly);
    assert!(bench.step(Event::Warm(true)).fly);
}

#[test]
fn a_warm_token_without_expiry_is_renewed_when_its_session_may_have_ended() {
    let mut bench = Bench::new();
    bench.step(Event::Warm(true));
    bench.land(1, Lifetime::UntilUnusedFor(seconds(7200)));
    let half = bench.now.mono + seconds(3600);
    assert_eq!(bench.life.next_wake(bench.now), Some(half));
    assert!(bench.pass(seconds(3600)).fly);
}

#[test]
fn what_is_kept_warm_waits_as_everybody_does_after_a_failure_or_a_refusal() {
    let mut bench = Bench::new();
    bench.step(Event::Warm(true));
    bench.fail(transient(Some(seconds(10))), None);
    let at = bench.now.mono + seconds(10);
    assert_eq!(bench.life.next_wake(bench.now), Some(at));
    assert!(!bench.pass(seconds(9)).fly);
    assert!(bench.pass(seconds(1)).fly);
    bench.fail(refused(Refused::Client), None);
    assert_eq!(bench.life.next_wake(bench.now), None);
    assert!(!bench.pass(seconds(100_000)).fly);
    assert!(bench.step(Event::SecretsChanged).fly);
}
