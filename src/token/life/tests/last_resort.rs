//! A token that was rejected, and no login that succeeds: what serves on, for whom, and what is tried meanwhile.

use super::{Bench, HOUR, NO_EXPIRY};
use crate::provider::Refused;
use crate::token::issued::Rejected;
use crate::token::life::{Event, Landed};
use crate::token::script::{refused, seconds, transient, unreadable};
use crate::token::status::State;

/// One token, perhaps with a good answer, then a rejection and a login that failed.
fn failed(proven: bool, warm: bool) -> Bench {
    let mut bench = Bench::new();
    bench.step(Event::Warm(warm));
    if !warm {
        bench.fly();
    }
    bench.land(1, NO_EXPIRY);
    if proven {
        bench.prove();
    }
    bench.pass(seconds(1));
    assert!(bench.reject().fly);
    assert_eq!(bench.held(), None, "a login may bring a better one");
    bench.fail(transient(None), None);
    bench
}

#[test]
fn a_token_that_served_well_serves_others_on_while_no_login_succeeds() {
    let mut bench = failed(true, false);
    assert_eq!(bench.held(), Some(1));
    assert_eq!(bench.life.status(bench.now).state, State::Waiting);
    bench.pass(seconds(1));
    assert!(bench.step(Event::Wanted).fly);
    assert_eq!(bench.held(), Some(1), "during a login too");
    bench.fail(refused(Refused::Client), None);
    assert_eq!(bench.held(), Some(1));
    assert_eq!(bench.life.status(bench.now).state, State::Refused);
    assert!(bench.step(Event::OperatorRetry).fly);
    bench.land(2, HOUR);
    assert_eq!(bench.held(), Some(2));
    assert_eq!(bench.life.status(bench.now).state, State::Valid);
}

#[test]
fn a_token_that_never_served_well_is_not_handed_out_again() {
    assert_eq!(failed(false, false).held(), None);
}

#[test]
fn a_good_answer_that_comes_after_the_rejection_counts_too() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    assert!(bench.reject().fly);
    assert_eq!(bench.life.unproven(), Some(1));
    bench.prove();
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), Some(1));
}

#[test]
fn a_good_answer_that_comes_after_the_failed_login_counts_too() {
    for failure in [refused(Refused::Client), transient(None)] {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        assert!(bench.reject().fly);
        bench.fail(failure, None);
        assert_eq!(bench.held(), None);
        bench.prove();
        assert_eq!(bench.held(), Some(1));
    }
}

#[test]
fn what_is_known_to_fail_already_takes_the_token_from_nobody() {
    let failures = [
        (refused(Refused::Client), State::Refused),
        (transient(None), State::Waiting),
    ];
    for (failure, state) in failures {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.prove();
        assert!(bench.step(Event::OperatorRetry).fly);
        bench.fail(failure, None);
        assert_eq!(bench.reject().verdict, Some(Rejected::Renewing));
        assert_eq!(bench.held(), Some(1));
        assert_eq!(bench.life.status(bench.now).state, state);
    }
}

#[test]
fn who_met_the_rejection_does_not_get_that_token_again() {
    let mut bench = failed(true, false);
    let far = bench.now.mono + seconds(20);
    bench.step(Event::Wanted);
    assert!(
        bench.life.answer(bench.now, 1, far).is_none(),
        "in a second"
    );
    assert!(
        bench
            .life
            .answer(bench.now, 1, bench.now.mono)
            .unwrap()
            .is_err()
    );
    assert!(bench.life.answer(bench.now, 0, far).unwrap().is_ok());
    assert!(bench.pass(seconds(1)).fly, "for the one who waits");
    bench.land(2, HOUR);
    let issued = bench.life.answer(bench.now, 1, far).unwrap().unwrap();
    assert_eq!(issued.generation(), 2);
}

#[test]
fn a_rejection_that_others_contradict_passes_and_the_login_is_tried_all_the_same() {
    let mut bench = failed(true, false);
    bench.prove();
    assert_eq!(bench.life.unproven(), None, "no news any more");
    assert_eq!(bench.reject().verdict, Some(Rejected::Contradicted));
    assert_eq!(bench.life.unproven(), Some(1));
    assert_eq!(
        bench.reject().verdict,
        Some(Rejected::Renewing),
        "nobody since"
    );
    assert!(bench.pass(seconds(1)).fly, "owed, although nobody waits");
    assert_eq!(bench.held(), Some(1));
}

#[test]
fn a_last_resort_that_is_used_has_logins_tried_although_nobody_waits() {
    let mut bench = failed(true, false);
    assert!(!bench.pass(seconds(1)).fly, "nobody uses it");
    assert!(bench.step(Event::Used).fly);
    bench.fail(unreadable(), None);
    bench.step(Event::Reread);
    assert!(bench.step(Event::Used).fly, "as soon as it may help");
    bench.fail(refused(Refused::Client), None);
    bench.pass(seconds(10));
    assert!(bench.step(Event::Used).look_at_secrets);
}

#[test]
fn a_last_resort_without_expiry_lives_for_as_long_as_it_is_used() {
    let mut bench = failed(true, false);
    bench.pass(seconds(1));
    assert!(bench.step(Event::Used).fly);
    bench.fail(refused(Refused::Client), None);
    for _ in 0..10 {
        bench.pass(seconds(3000));
        assert_eq!(bench.held(), Some(1));
        bench.step(Event::Used);
    }
    bench.pass(seconds(7200));
    assert_eq!(bench.held(), None);
}

#[test]
fn a_rejection_during_the_login_costs_no_second_login() {
    let mut bench = failed(true, false);
    bench.pass(seconds(1));
    assert!(bench.step(Event::Wanted).fly);
    assert!(!bench.reject().fly);
    assert!(!bench.land(2, HOUR).fly);
    assert_eq!(bench.reject().verdict, Some(Rejected::Settling));
}

/// The session has ended, and one path answers well whatever the token.
#[test]
fn a_path_that_takes_any_token_does_not_keep_a_dead_one_alive() {
    let mut bench = failed(true, false);
    let mut logins = 0;
    for _ in 0..900 {
        let tried = bench.pass(seconds(1)).fly;
        bench.prove();
        if tried || bench.reject().fly {
            bench.fail(transient(None), None);
            logins += 1;
        }
    }
    assert!((9..20).contains(&logins), "{logins} in 15 minutes");
}

#[test]
fn a_path_that_takes_any_token_does_not_hide_a_mended_secret() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    bench.prove();
    assert!(bench.reject().fly);
    bench.fail(refused(Refused::Client), None);
    let mut looks = 0;
    for _ in 0..100 {
        let mut looked = bench.pass(seconds(1)).look_at_secrets;
        bench.prove();
        looked |= bench.reject().look_at_secrets;
        looks += u32::from(looked);
    }
    assert!((9..=11).contains(&looks), "{looks}");
}

#[test]
fn a_warm_token_that_was_rejected_is_renewed_as_soon_as_the_endpoint_is_well() {
    let mut bench = failed(true, true);
    assert!(bench.pass(seconds(1)).fly, "nobody asks, and it is due");
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), Some(1));
    assert!(bench.pass(seconds(2)).fly);
}

#[test]
fn nothing_is_put_off_for_the_sake_of_a_token_that_was_rejected() {
    for failing in [false, true] {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.prove();
        assert!(bench.step(Event::OperatorRetry).fly);
        if failing {
            bench.fail(transient(None), None);
            assert!(bench.step(Event::OperatorRetry).fly);
        }
        let until = bench.now.mono + seconds(1800);
        bench.step(Event::FlightEnded {
            landed: Landed::PutOff {
                until,
                failure: transient(None),
            },
            jitter: 0.0,
        });
        bench.pass(seconds(60));
        let rejected = bench.reject();
        assert_eq!(rejected.verdict, Some(Rejected::Renewing));
        assert!(rejected.fly, "failing {failing}");
        bench.fail(transient(None), None);
        assert_eq!(bench.held(), Some(1));
        assert!(!bench.life.can_wait(bench.now));
    }
}

#[test]
fn a_last_resort_ends_when_it_would_have_ended() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.prove();
    bench.reject();
    bench.fail(refused(Refused::Client), None);
    bench.pass(seconds(3599));
    assert_eq!(bench.held(), Some(1));
    bench.pass(seconds(1));
    assert_eq!(bench.held(), None);
}

#[test]
fn the_very_token_that_comes_again_from_a_login_is_as_good_as_none() {
    let mut bench = failed(true, false);
    bench.pass(seconds(1));
    assert!(bench.step(Event::Wanted).fly);
    assert!(bench.land(1, NO_EXPIRY).forget.is_some());
    assert_eq!(bench.held(), Some(1), "the last resort");
    assert_eq!(bench.life.status(bench.now).state, State::Waiting);
}
