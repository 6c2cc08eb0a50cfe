//! What an earlier process kept, and what is kept for the next one.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, HOUR, NO_EXPIRY};
use crate::provider::Lifetime;
use crate::token::issued::Rejected;
use crate::token::life::{Arrived, Event};
use crate::token::script::{number, seconds, token};

impl Bench {
    fn with_store() -> Self {
        let mut bench = Self::new();
        bench.life = bench.life.with_store();
        bench
    }

    /// Somebody waits, and the store holds token 7, of this age.
    fn restore(&mut self, lifetime: Lifetime, age: Duration) -> bool {
        assert!(self.step(Event::Wanted).restore);
        let found = Some(Arrived {
            credential: Arc::new(token(7, lifetime)),
            sent: self.now,
            age,
        });
        let actions = self.step(Event::Restored { found, jitter: 0.0 });
        self.step(Event::Left);
        actions.fly
    }
}

#[test]
fn the_store_is_looked_into_by_the_first_want_alone_and_a_login_follows_only_without_a_token() {
    let mut bench = Bench::with_store();
    assert!(!bench.pass(seconds(100)).restore, "nobody wants one");
    let wanted = bench.step(Event::Wanted);
    assert!(wanted.restore && !wanted.fly);
    let again = bench.step(Event::Wanted);
    assert!(!again.restore && !again.fly);
    let (found, jitter) = (None, 0.0);
    let nothing = bench.step(Event::Restored { found, jitter });
    assert!(nothing.fly && !nothing.restore);
    bench.land(1, HOUR);
    bench.step(Event::Left);
    bench.step(Event::Left);
    bench.pass(seconds(3600));
    let later = bench.step(Event::Wanted);
    assert!(later.fly && !later.restore);
}

#[test]
fn a_restored_token_is_served_for_the_rest_of_its_life_and_renewed_early_as_any_other() {
    let mut bench = Bench::with_store();
    assert!(!bench.restore(HOUR, seconds(3000)));
    assert_eq!((bench.held(), bench.life.logins()), (Some(7), 0));
    bench.step(Event::Used);
    assert!(!bench.pass(seconds(554)).fly);
    assert!(bench.pass(seconds(1)).fly);
    assert_eq!(bench.held(), Some(7));
    bench.pass(seconds(45));
    assert_eq!(bench.held(), None);
    for age in [seconds(3600), seconds(100_000)] {
        let mut bench = Bench::with_store();
        assert!(bench.restore(HOUR, age), "its life is over");
    }
}

#[test]
fn the_age_of_a_restored_token_is_not_lost_when_the_clock_is_set_back() {
    let mut bench = Bench::with_store();
    bench.restore(HOUR, seconds(3000));
    bench.now.wall -= seconds(3000);
    assert_eq!(bench.held(), Some(7));
    bench.now.mono += seconds(600);
    assert_eq!(bench.held(), None);
}

#[test]
fn a_restored_token_without_expiry_goes_by_when_it_was_last_used() {
    let mut bench = Bench::with_store();
    assert!(!bench.restore(NO_EXPIRY, seconds(3599)));
    bench.step(Event::Used);
    bench.pass(seconds(3599));
    assert_eq!(bench.held(), Some(7), "used since");
    let mut bench = Bench::with_store();
    assert!(bench.restore(NO_EXPIRY, seconds(3600)), "for half of it");
    // It is better than none.
    bench.fail(crate::token::script::transient(None), None);
    assert_eq!(bench.held(), Some(7));
    let mut bench = Bench::with_store();
    assert!(bench.restore(NO_EXPIRY, seconds(7200)));
    bench.fail(crate::token::script::transient(None), None);
    assert_eq!(bench.held(), None);
}

#[test]
fn an_operator_who_asks_for_a_token_gets_a_login_whatever_the_store_holds() {
    let mut bench = Bench::with_store();
    assert!(bench.step(Event::OperatorRetry).restore);
    let found = Some(Arrived {
        credential: Arc::new(token(7, HOUR)),
        sent: bench.now,
        age: Duration::ZERO,
    });
    assert!(bench.step(Event::Restored { found, jitter: 0.0 }).fly);
    assert_eq!(bench.held(), Some(7));

    let mut bench = Bench::with_store();
    assert!(bench.step(Event::Wanted).restore);
    bench.step(Event::OperatorRetry);
    assert!(bench.restored_nothing().fly);
}

impl Bench {
    fn restored_nothing(&mut self) -> crate::token::life::Actions {
        let (found, jitter) = (None, 0.0);
        self.step(Event::Restored { found, jitter })
    }
}

#[test]
fn a_rejected_token_is_forgotten_and_one_whose_rejection_is_not_believed_is_not() {
    let mut bench = Bench::with_store();
    bench.restore(HOUR, Duration::ZERO);
    let rejected = bench.reject();
    assert_eq!(number(&rejected.forget.unwrap()), 7);
    bench.land(8, HOUR);
    let settling = bench.reject();
    assert_eq!(settling.verdict, Some(Rejected::Settling));
    assert!(settling.forget.is_none());
}

#[test]
fn a_rejected_token_that_a_login_brings_again_is_forgotten_again() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(7, HOUR);
    bench.step(Event::Used);
    // The login may have been answered before the rejection, or after it.
    bench.pass(seconds(3555));
    bench.reject();
    for _ in 0..2 {
        let again = bench.land(7, HOUR);
        assert_eq!(number(&again.forget.unwrap()), 7);
        assert_eq!(bench.held(), None);
    }
}

#[test]
fn uses_of_a_token_without_expiry_are_noted_a_few_times_within_its_timeout() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, NO_EXPIRY);
    let notes = |bench: &mut Bench| {
        let used = (0..7200).filter(|_| {
            bench.pass(seconds(1));
            bench.step(Event::Used).note_use.is_some()
        });
        used.count()
    };
    assert_eq!(notes(&mut bench), 16);
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, Lifetime::For(seconds(86_400)));
    assert_eq!(notes(&mut bench), 0, "its end is known");
}
