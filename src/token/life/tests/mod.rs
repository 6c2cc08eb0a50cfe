//! The rules of a credential's life, one sentence each.
//! Here: how it ages and what a rejection does; in `waiting`: when a login is tried.

use std::sync::Arc;
use std::time::Duration;

use super::{Actions, Event, Landed, Life};
use crate::clock::Now;
use crate::provider::{Lifetime, LoginFailure, Refused};
use crate::token::issued::Rejected;
use crate::token::script::{arrived, number, refused, seconds, token, transient};
use crate::token::status::State;

mod flapping;
mod last_resort;
mod restoring;
mod spent;
mod waiting;

/// A life and its clocks.
struct Bench {
    life: Life,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let now = Now {
            mono: Duration::ZERO,
            wall: seconds(1_700_000_000),
        };
        Self {
            life: Life::new(now, seconds(15)),
            now,
        }
    }

    fn step(&mut self, event: Event) -> Actions {
        self.life.step(self.now, event)
    }

    fn pass(&mut self, time: Duration) -> Actions {
        self.now.mono += time;
        self.now.wall += time;
        self.step(Event::Tick)
    }

    fn fly(&mut self) {
        assert!(self.step(Event::Wanted).fly);
        self.step(Event::Left);
    }

    fn land(&mut self, number: u64, lifetime: Lifetime) -> Actions {
        let sent = self.now;
        let credential = Arc::new(token(number, lifetime));
        let landed = Landed::Credential(arrived(credential, sent));
        self.step(Event::FlightEnded {
            landed,
            jitter: 0.0,
        })
    }

    fn fail(&mut self, failure: LoginFailure, again: Option<Duration>) -> Actions {
        let landed = Landed::Failed { failure, again };
        self.step(Event::FlightEnded {
            landed,
            jitter: 1.0,
        })
    }

    fn reject(&mut self) -> Actions {
        let generation = self.life.generation;
        self.step(Event::Rejected { generation })
    }

    /// A good answer comes.
    fn prove(&mut self) {
        let generation = self.life.generation;
        self.step(Event::Proven { generation });
    }

    fn held(&self) -> Option<u64> {
        let (issued, _) = self.life.view(self.now)?;
        Some(number(&issued.credential))
    }
}

const HOUR: Lifetime = Lifetime::For(seconds(3600));
const NO_EXPIRY: Lifetime = Lifetime::UntilUnusedFor(seconds(7200));

#[test]
fn a_used_token_is_renewed_by_the_smaller_of_a_third_and_the_deadline_plus_30_s() {
    let check = |life: u64, jitter: f64, expected: Duration| {
        let mut bench = Bench::new();
        bench.fly();
        let credential = Arc::new(token(1, Lifetime::For(seconds(life))));
        let landed = Landed::Credential(arrived(credential, bench.now));
        bench.step(Event::FlightEnded { landed, jitter });
        assert_eq!(bench.life.next_wake(bench.now), None, "unused: no timer");
        bench.step(Event::Used);
        assert_eq!(bench.life.next_wake(bench.now), Some(expected), "{life}");
        assert!(!bench.pass(expected - Duration::from_millis(1)).fly);
        assert!(bench.pass(Duration::from_millis(1)).fly);
        assert_eq!(bench.held(), Some(1), "served while renewing");
    };
    check(3600, 0.0, seconds(3555));
    check(3600, 1.0, Duration::from_millis(3_559_500));
    check(90, 0.0, seconds(60));
    check(30, 0.0, seconds(20));
}

#[test]
fn an_unused_token_is_renewed_at_its_next_use_within_the_margin() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    assert!(!bench.pass(seconds(3580)).fly);
    assert!(bench.step(Event::Used).fly);
}

#[test]
fn age_is_the_larger_of_both_clocks() {
    let check = |mono: u64, wall: i64, held: bool| {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.now.mono += seconds(mono);
        bench.now.wall = bench.now.wall.saturating_add_signed_seconds(wall);
        assert_eq!(bench.held().is_some(), held, "{mono} {wall}");
    };
    check(3599, 3599, true);
    check(10, 3600, false);
    check(3600, 10, false);
    check(10, -100_000, true);
    check(3600, -100_000, false);
}

trait Signed {
    fn saturating_add_signed_seconds(self, by: i64) -> Self;
}

impl Signed for Duration {
    fn saturating_add_signed_seconds(self, by: i64) -> Self {
        match by < 0 {
            true => self.saturating_sub(seconds(by.unsigned_abs())),
            false => self + seconds(by.unsigned_abs()),
        }
    }
}

#[test]
fn a_token_without_expiry_is_renewed_when_unused_for_half_the_timeout_and_never_while_used() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    for _ in 0..100 {
        bench.step(Event::Used);
        assert!(!bench.pass(seconds(3599)).fly);
        assert_eq!(bench.held(), Some(1));
    }
    assert!(!bench.pass(seconds(1)).fly, "nobody wants it");
    assert_eq!(bench.held(), None);
    assert!(bench.step(Event::Wanted).fly);
}

#[test]
fn a_token_without_expiry_that_cannot_be_renewed_is_used_until_its_timeout() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    bench.pass(seconds(4000));
    bench.fly();
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), Some(1));
    bench.pass(seconds(7201));
    bench.fly();
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), None);
}

#[test]
fn a_failing_early_renewal_keeps_the_valid_token_and_is_tried_again_while_it_is_used() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.step(Event::Used);
    assert!(bench.pass(seconds(3555)).fly);
    bench.fail(refused(Refused::Client), None);
    assert_eq!(bench.held(), Some(1));
    assert_eq!(bench.life.next_wake(bench.now), None);
    bench.step(Event::SecretsChanged);
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), Some(1));
    let again = bench.now.mono + seconds(1);
    assert_eq!(bench.life.next_wake(bench.now), Some(again));
    assert_eq!(bench.life.status(bench.now).state, State::Valid);
}

#[test]
fn a_rejected_token_is_replaced_once_and_older_rejections_ask_for_nothing() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    let first = bench.reject();
    assert_eq!((first.verdict, first.fly), (Some(Rejected::Renewing), true));
    assert_eq!(bench.held(), None);
    assert!(!bench.reject().fly);
    bench.land(2, HOUR);
    let late = bench.step(Event::Rejected { generation: 1 });
    assert_eq!((late.verdict, late.fly), (Some(Rejected::Replaced), false));
    assert_eq!(bench.held(), Some(2));
}

#[test]
fn a_token_minted_because_of_a_rejection_settles_for_ten_seconds_or_until_its_first_good_answer() {
    for proven in [false, true] {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.reject();
        bench.land(2, HOUR);
        assert_eq!(bench.reject().verdict, Some(Rejected::Settling));
        assert_eq!(bench.held(), Some(2));
        if proven {
            bench.prove();
        } else {
            bench.pass(Duration::from_millis(9_999));
            assert_eq!(bench.reject().verdict, Some(Rejected::Settling));
            bench.pass(Duration::from_millis(1));
        }
        assert_eq!(bench.reject().verdict, Some(Rejected::Renewing));
    }
}

#[test]
fn only_a_flight_that_began_before_the_rejection_and_brings_the_same_token_is_followed_at_once() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.step(Event::Used);
    assert!(bench.pass(seconds(3555)).fly);
    assert!(!bench.reject().fly, "joins the flight in progress");
    assert!(bench.land(1, HOUR).fly, "began before the rejection");
    assert!(!bench.land(1, HOUR).fly, "began after it: back-off");
    assert_eq!(bench.held(), None);
    assert_eq!(bench.life.status(bench.now).state, State::Waiting);
    bench.step(Event::Wanted);
    assert!(bench.pass(seconds(1)).fly);
    bench.land(2, HOUR);
    assert_eq!(bench.held(), Some(2));
}

#[test]
fn the_only_token_comes_back_when_the_login_brings_no_other() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.reject();
    bench.step(Event::Wanted);
    let mut logins = 1;
    loop {
        bench.land(1, HOUR);
        logins += 1;
        if bench.held().is_some() {
            break;
        }
        bench.pass(seconds(60));
    }
    assert_eq!(logins, 5);
    assert_eq!(bench.life.generation, 2, "it was handed out anew");
    let passed = bench.reject();
    assert_eq!(
        (passed.verdict, passed.fly),
        (Some(Rejected::Exhausted), false)
    );
    assert_eq!(bench.held(), Some(1));
    let status = bench.life.status(bench.now);
    assert_eq!(status.state, State::Valid);
    assert!(
        status
            .why
            .is_some_and(|why| why.contains("new tokens, too"))
    );
    bench.prove();
    assert_eq!(bench.life.status(bench.now).why, None);
}

#[test]
fn a_renewal_that_nobody_rejected_and_that_brings_the_same_token_starts_its_age_again() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.step(Event::Used);
    bench.pass(seconds(3555));
    bench.land(1, HOUR);
    assert_eq!(bench.life.generation, 1);
    bench.pass(seconds(3500));
    assert_eq!(bench.held(), Some(1));
}

#[test]
fn one_path_that_rejects_what_others_accept_cannot_make_the_account_log_in_for_ever() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    let mut logins = vec![0];
    for minute in 0..240 {
        bench.prove();
        if bench.reject().fly {
            bench.land(minute + 2, NO_EXPIRY);
            logins.push(minute / 60);
        }
        assert!(bench.held().is_some(), "the others are served");
        bench.pass(seconds(60));
    }
    for hour in 0..4 {
        let count = logins.iter().filter(|of| **of == hour).count();
        assert!(count <= if hour == 0 { 32 } else { 10 }, "{hour}: {count}");
    }
}
