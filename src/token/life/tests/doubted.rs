//! Rejections that may be one caller's own affair: what they take from the others, and when they are believed.

use std::time::Duration;

use super::{Bench, HOUR, NO_EXPIRY};
use crate::provider::{LoginFailure, Refused};
use crate::token::issued::{Rejected, Unavailable};
use crate::token::life::Event;
use crate::token::script::{refused, seconds, transient, unreadable};
use crate::token::status::State;

impl Bench {
    /// Token 1, which somebody was served well with.
    fn proven() -> Self {
        let mut bench = Self::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.prove();
        bench
    }

    /// The budget of logins is used up by rejections, and the last token is good for others.
    fn spent() -> Self {
        let mut bench = Self::proven();
        for number in 2..=5 {
            bench.pass(seconds(1));
            assert!(bench.reject().fly);
            bench.land(number, HOUR);
            bench.prove();
        }
        bench.pass(seconds(1));
        bench
    }

    fn why(&self) -> String {
        let status = self.life.status(self.now);
        assert_eq!(status.state, State::Valid);
        status.why.unwrap_or_default()
    }

    fn wants_after_rejection(&mut self, deadline: Duration) -> Option<Result<u64, Unavailable>> {
        let (now, generation) = (self.now, self.life.generation);
        let answer = self.life.answer(now, now.mono + deadline, generation)?;
        Some(answer.map(|issued| issued.generation))
    }
}

fn failures() -> [LoginFailure; 3] {
    [transient(None), refused(Refused::Client), unreadable()]
}

#[test]
fn a_token_that_was_good_comes_back_when_the_login_for_its_rejection_fails_and_another_does_not() {
    for failure in failures() {
        let mut bench = Bench::proven();
        bench.pass(seconds(1));
        let rejected = bench.reject();
        assert_eq!(rejected.verdict, Some(Rejected::Renewing));
        assert!(rejected.fly && bench.held().is_none(), "a new one may come");
        bench.fail(failure.clone(), None);
        assert_eq!((bench.held(), bench.life.generation), (Some(1), 1));
        let why = bench.why();
        let told = why.contains("refused this token") && why.contains(&failure.to_string());
        assert!(told, "{why}");

        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, HOUR);
        bench.reject();
        bench.fail(failure, None);
        assert_eq!(bench.held(), None, "nobody was ever served with it");
    }
}

#[test]
fn a_token_that_was_good_until_its_rejection_comes_back_if_that_is_known_only_later() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    bench.reject();
    bench.fail(refused(Refused::Client), None);
    // It was handed out before the rejection.
    assert!(!bench.prove().contradicted);
    assert_eq!(bench.held(), Some(1));
}

#[test]
fn a_token_that_ran_out_does_not_come_back() {
    let mut bench = Bench::proven();
    bench.reject();
    bench.pass(seconds(3600));
    bench.fail(transient(None), None);
    assert_eq!(bench.held(), None);
}

#[test]
fn while_no_login_succeeds_a_rejection_takes_nothing_away_and_asks_for_the_next_login() {
    for failure in failures() {
        let refused = matches!(failure, LoginFailure::Refused { .. });
        let mut bench = Bench::proven();
        assert!(bench.step(Event::OperatorRetry).fly);
        bench.fail(failure, None);
        let rejected = bench.reject();
        assert_eq!(rejected.verdict, Some(Rejected::Renewing));
        assert!(bench.held() == Some(1) && rejected.forget.is_none());
        assert_eq!(rejected.look_at_secrets, refused);
        let tried = match refused {
            true => bench.step(Event::SecretsChanged),
            false => bench.pass(seconds(1)),
        };
        assert!(tried.fly);
        assert_eq!(bench.reject().verdict, Some(Rejected::Renewing));
        assert_eq!(
            bench.held(),
            Some(1),
            "served while the login is tried again"
        );
        bench.land(2, HOUR);
        assert_eq!((bench.held(), bench.why().as_str()), (Some(2), ""));
    }
}

#[test]
fn whoever_met_the_rejection_gets_a_newer_token_or_is_told_that_there_is_none() {
    let mut bench = Bench::proven();
    bench.step(Event::Wanted);
    bench.reject();
    assert_eq!(bench.wants_after_rejection(seconds(5)), None, "under way");
    bench.fail(transient(None), None);
    // The others have the old one at once.
    let other = bench.life.answer(bench.now, bench.now.mono, 0);
    assert!(other.is_some_and(|answer| answer.is_ok()));
    assert_eq!(bench.wants_after_rejection(seconds(5)), None);
    assert!(bench.wants_after_rejection(seconds(1)).unwrap().is_err());
    assert!(bench.pass(seconds(1)).fly, "somebody waits for it");
    bench.fail(transient(None), None);
    assert_eq!(bench.wants_after_rejection(seconds(5)), None);
    assert!(bench.pass(seconds(2)).fly);
    bench.fail(refused(Refused::Client), None);
    let told = bench.wants_after_rejection(seconds(5)).unwrap();
    assert!(matches!(told, Err(Unavailable::Refused { .. })));
    // Unless good answers say that it is alive.
    bench.pass(seconds(1));
    assert!(bench.prove().contradicted);
    assert_eq!(bench.wants_after_rejection(seconds(5)), Some(Ok(1)));
}

#[test]
fn only_a_good_answer_to_a_request_after_the_rejection_contradicts_it() {
    for (handed, contradicts) in [(0, false), (9, false), (10, false), (11, true), (20, true)] {
        let mut bench = Bench::proven();
        bench.pass(seconds(10));
        bench.reject();
        bench.fail(transient(None), None);
        bench.reject();
        bench.pass(Duration::from_millis(1));
        let (generation, handed) = (1, seconds(handed));
        let proven = bench.step(Event::Proven { generation, handed });
        assert_eq!(proven.contradicted, contradicts, "{handed:?}");
        let next_login = bench.pass(seconds(1)).fly;
        assert_eq!(next_login, !contradicts, "it asks for nothing any more");
    }
}

#[test]
fn a_rejection_that_others_contradict_passes_while_no_login_succeeds_and_is_believed_once_it_stands()
 {
    let mut bench = Bench::proven();
    bench.pass(seconds(1));
    bench.reject();
    bench.fail(refused(Refused::Client), None);
    for _ in 0..100 {
        bench.pass(seconds(1));
        bench.prove();
        assert_eq!(bench.why(), refused(Refused::Client).to_string());
        bench.pass(seconds(3));
        let own = bench.reject();
        assert_eq!(own.verdict, Some(Rejected::Contradicted));
        assert_eq!((bench.held(), own.fly), (Some(1), false));
    }
    // Now it is dead for everybody.
    for _ in 0..4 {
        bench.pass(seconds(1));
        assert_eq!(bench.reject().verdict, Some(Rejected::Contradicted));
    }
    bench.pass(seconds(1));
    assert_eq!(bench.reject().verdict, Some(Rejected::Renewing));
}

#[test]
fn with_the_budget_used_up_rejections_that_others_contradict_cost_nothing_and_a_real_end_one_login()
{
    let mut bench = Bench::spent();
    assert_eq!(bench.reject().verdict, Some(Rejected::Exhausted));
    assert!(bench.why().contains("not taken it since"));
    for _ in 0..100 {
        bench.pass(seconds(4));
        bench.prove();
        assert_eq!(bench.why(), "");
        let own = bench.reject();
        assert_eq!(own.verdict, Some(Rejected::Contradicted));
        assert!(!own.fly && bench.held().is_some());
    }
    let ends = bench.now.mono;
    while !bench.reject().fly {
        assert!(bench.why().contains("not taken it since"));
        bench.pass(seconds(1));
    }
    assert_eq!(bench.now.mono - ends, seconds(5));
    bench.land(6, HOUR);
    let (generation, handed) = (bench.life.generation, bench.now.mono);
    bench.step(Event::Cured { generation, handed });
    assert_eq!(bench.held(), Some(6));
}

#[test]
fn logins_for_rejections_that_stood_and_that_cured_nothing_come_ever_more_seldom() {
    let mut bench = Bench::spent();
    let mut waits = Vec::new();
    for number in 6..13 {
        let since = bench.now.mono;
        while !bench.reject().fly {
            bench.pass(seconds(1));
        }
        waits.push((bench.now.mono - since).as_secs());
        bench.land(number, NO_EXPIRY);
        bench.pass(seconds(1));
        // Good for others, and only now and then.
        bench.prove();
        bench.pass(seconds(1));
    }
    assert_eq!(waits[..5], [5, 20, 80, 320, 1280]);
    let hour = |wait: &u64| *wait <= 3600;
    assert!(waits[5..].iter().all(hour), "{waits:?}");
    // One that a login cured is the end of that.
    let (generation, handed) = (bench.life.generation, bench.now.mono);
    bench.step(Event::Cured { generation, handed });
    let since = bench.now.mono;
    while !bench.reject().fly {
        bench.pass(seconds(1));
    }
    assert!(bench.now.mono - since <= seconds(5));
}

#[test]
fn a_login_that_brings_the_rejected_token_again_takes_it_from_nobody() {
    let mut bench = Bench::proven();
    bench.pass(seconds(1));
    bench.reject();
    for wait in [1, 2, 4] {
        bench.land(1, HOUR);
        assert_eq!((bench.held(), bench.life.generation), (Some(1), 1));
        assert!(bench.why().contains("very token that was rejected"));
        assert_eq!(bench.reject().verdict, Some(Rejected::Renewing));
        assert!(bench.pass(seconds(wait)).fly);
    }
    // The provider insists.
    bench.land(1, HOUR);
    assert_eq!((bench.held(), bench.life.generation), (Some(1), 2));
    assert_eq!(bench.reject().verdict, Some(Rejected::Exhausted));
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
        assert!(count <= if hour == 0 { 5 } else { 2 }, "{hour}: {count}");
    }
}

#[test]
fn a_session_whose_end_a_new_login_cured_costs_nothing_up_to_a_hundred_times_an_hour() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    let mut logins = 0;
    while bench.reject().fly {
        logins += 1;
        bench.land(logins + 1, NO_EXPIRY);
        let (generation, handed) = (bench.life.generation, bench.now.mono);
        // Two requests met the dead session, and both were sent again.
        bench.step(Event::Cured { generation, handed });
        bench.step(Event::Cured { generation, handed });
        bench.pass(seconds(1));
    }
    assert_eq!(logins, 100 + 4);
    bench.pass(seconds(3600));
    assert!(bench.reject().fly);
}
