//! A path that rejects every token has used up the logins that come at once: what a session's real end looks like then, and
//! what all that may cost. Paths that reject now and then: in `flapping`.

use std::time::Duration;

use super::{Bench, HOUR, Lifetime, NO_EXPIRY};
use crate::token::issued::Rejected;
use crate::token::life::Event;
use crate::token::script::seconds;

/// The path is called once a second until that costs no login for minutes; the last token, and its number.
fn spent() -> (Bench, u64) {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    let mut token = 1;
    for _ in 0..110 {
        bench.prove();
        bench.pass(seconds(1));
        if bench.reject().fly {
            token += 1;
            bench.land(token, HOUR);
        }
    }
    assert_eq!(bench.reject().verdict, Some(Rejected::Exhausted));
    assert_eq!(token, 9);
    (bench, token)
}

#[test]
fn what_nobody_is_served_well_with_for_five_seconds_is_dead_whatever_the_budget() {
    let (mut bench, token) = spent();
    // Others are served: nothing follows.
    for _ in 0..80 {
        bench.pass(seconds(4));
        assert_eq!(bench.life.unproven(), Some(token));
        assert!(bench.life.status(bench.now).why.is_some());
        bench.prove();
        assert_eq!(bench.life.status(bench.now).why, None);
        assert_eq!(bench.reject().verdict, Some(Rejected::Exhausted));
    }
    bench.pass(Duration::from_millis(4999));
    assert_eq!(bench.reject().verdict, Some(Rejected::Exhausted));
    bench.pass(Duration::from_millis(1));
    assert!(bench.reject().fly);
}

#[test]
fn each_end_within_minutes_beside_such_a_path_takes_four_times_as_long_to_be_noticed() {
    let (mut bench, mut token) = spent();
    for (end, patience) in [5, 20, 80].into_iter().enumerate() {
        assert!(!bench.reject().fly, "{end}");
        bench.pass(seconds(patience) - Duration::from_millis(1));
        assert!(!bench.reject().fly, "{end}");
        bench.pass(Duration::from_millis(1));
        assert!(bench.reject().fly, "{end}");
        token += 1;
        bench.land(token, HOUR);
        bench.prove();
    }
    // An hour later all of that is forgiven.
    for second in 0..3600 {
        bench.pass(seconds(1));
        bench.prove();
        if second % 60 == 0 && bench.reject().fly {
            token += 1;
            bench.land(token, HOUR);
            bench.prove();
        }
    }
    let mut down = 0;
    while !bench.reject().fly {
        bench.pass(seconds(1));
        down += 1;
    }
    assert!(down <= 5, "{down}");
}

/// The path is called every second, others every third, and it is always the path that meets the end.
#[test]
fn one_end_after_the_other_is_noticed_beside_a_path_that_rejects() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    let mut token = 1;
    for _ in 0..20 {
        for second in 0..5400 {
            bench.pass(seconds(1));
            if second % 3 == 0 {
                bench.step(Event::Used);
                bench.prove();
            }
            if bench.reject().fly {
                token += 1;
                bench.land(token, NO_EXPIRY);
                bench.prove();
            }
        }
        let mut down = 1;
        while !bench.reject().fly {
            bench.pass(seconds(1));
            down += 1;
        }
        assert!(down <= 21, "401 for all for {down} s");
        token += 1;
        bench.land(token, NO_EXPIRY);
        bench.prove();
    }
}

/// A job that runs again and again: good and rejected calls in turn, then rejected ones alone. Its tokens serve for long in between.
#[test]
fn a_job_with_a_path_that_rejects_costs_sixteen_logins_and_then_ten_an_hour() {
    let jobs = [
        (900, 60, 0),
        (900, 60, 30),
        (900, 30, 10),
        (660, 30, 10),
        (660, 10, 10),
        (1200, 60, 120),
        (1800, 60, 30),
    ];
    for (every, mixed, alone) in jobs {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, NO_EXPIRY);
        let mut logins = vec![1];
        for second in 0..6 * 3600 {
            bench.pass(seconds(1));
            let at = second % every;
            if at < mixed {
                bench.step(Event::Used);
                bench.prove();
            }
            if at < mixed + alone && bench.reject().fly {
                logins.resize(second as usize / 3600 + 1, 0);
                *logins.last_mut().unwrap() += 1;
                bench.land(second + 2, NO_EXPIRY);
                bench.reject();
            }
        }
        let (first, later) = logins.split_first().unwrap();
        let few = *first <= 16 && later.iter().all(|count| *count <= 10);
        assert!(few, "{every} {mixed} {alone}: {logins:?}");
    }
}

#[test]
fn a_token_that_served_well_may_be_rejected_as_often_as_its_sessions_end() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    for number in 2..50 {
        bench.prove();
        bench.pass(seconds(360));
        assert!(bench.reject().fly, "{number}");
        bench.land(number, NO_EXPIRY);
    }
}

/// So seldom that each token has served for long, and so few at once that no budget is ever used up.
#[test]
fn a_few_calls_now_and_then_of_a_path_that_rejects_cost_no_more() {
    for (every, calls) in [(660, 1), (610, 3), (610, 5), (900, 5), (1800, 5)] {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, NO_EXPIRY);
        let mut logins = vec![1];
        for second in 0..6 * 3600 {
            bench.pass(seconds(1));
            bench.step(Event::Used);
            bench.prove();
            if second % every < calls && bench.reject().fly {
                logins.resize(second as usize / 3600 + 1, 0);
                *logins.last_mut().unwrap() += 1;
                bench.land(second + 2, NO_EXPIRY);
                bench.reject();
                bench.prove();
            }
        }
        let (first, later) = logins.split_first().unwrap();
        let few = *first <= 24 && later.iter().all(|count| *count <= 10);
        assert!(few, "{every} {calls}: {logins:?}");
    }
}

/// Beside that the session ends now and then: each end is noticed, and cured.
#[test]
fn an_end_is_noticed_beside_a_few_calls_of_a_path_that_rejects() {
    for (every, calls) in [(660, 1), (610, 5)] {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, NO_EXPIRY);
        for second in 0..12 * 3600_u64 {
            bench.pass(seconds(1));
            bench.step(Event::Used);
            bench.prove();
            let path = second % every < calls;
            if path && bench.reject().fly {
                bench.land(second + 2, NO_EXPIRY);
                bench.reject();
                bench.prove();
            }
            if second % 5000 == 4000 {
                let mut down = 0;
                while !bench.reject().fly {
                    bench.pass(seconds(1));
                    down += 1;
                }
                assert!(down <= 21, "{every} {calls}: 401 for all for {down} s");
                bench.land(second + 100_000, NO_EXPIRY);
                bench.prove();
            }
        }
    }
}

/// Tokens of twenty minutes, which are renewed more often than the budget of an hour allows logins.
#[test]
fn renewals_use_up_nothing_of_what_ends_may_cost() {
    const SHORT: Lifetime = Lifetime::For(seconds(1200));
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, SHORT);
    let mut number = 2;
    let mut renews = |bench: &mut Bench, hours: u32| {
        for second in 0..hours * 3600 {
            let actions = bench.pass(seconds(1));
            bench.step(Event::Used);
            if actions.fly || second % 1100 == 1000 && bench.step(Event::Wanted).fly {
                number += 1;
                bench.land(number, SHORT);
            }
            bench.prove();
        }
    };
    for _ in 0..3 {
        assert!(bench.reject().fly, "the end is not noticed");
        bench.land(1000 + bench.life.generation, SHORT);
        bench.prove();
        renews(&mut bench, 3);
    }
    assert!(number > 20, "{number}: nothing was renewed");
}
