//! One user's refusals over several accounts and secrets.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{Demand, FIRST_RETRY, HOUR, Prints, Refusals, SOON};
use crate::provider::{Budget, LoginFailure, Refused};
use crate::secret::Fingerprinter;

/// A login that no budget counts.
const ANY: Demand = Demand {
    budget: None,
    can_wait: false,
};

/// One user's logins with these secrets.
fn prints<const N: usize>(secrets: [&str; N]) -> [Prints; N] {
    let of = Fingerprinter::new();
    let user = of.of([b"user".as_slice()]);
    secrets.map(|secrets| Prints {
        user,
        secrets: of.of([secrets.as_bytes()]),
        asks: of.of([]),
    })
}

async fn refused(refusals: &Refusals, prints: Prints, what: Refused) {
    let ticket = refusals.admit(prints, ANY).await.unwrap();
    let text = "no".to_owned();
    ticket.close::<()>(&Err(LoginFailure::Refused { what, text }), Instant::now());
}

async fn allowed(refusals: &Refusals, prints: Prints) -> bool {
    refusals.admit(prints, ANY).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_tried_after_half_an_hour_then_hourly() {
    let (refusals, [one]) = (Refusals::new(), prints(["one"]));
    let start = Instant::now();
    let mut tries = Vec::new();
    while start.elapsed() < Duration::from_secs(4 * 3600) {
        if allowed(&refusals, one).await {
            tries.push(start.elapsed().as_secs() / 60);
            refused(&refusals, one, Refused::Password).await;
        }
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(tries, [0, 30, 90, 150, 210]);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_come_when_the_wait_is_over_one_tries_and_the_others_are_told() {
    let (refusals, [one]) = (Refusals::new(), prints(["one"]));
    refused(&refusals, one, Refused::Password).await;
    for wait in [FIRST_RETRY, HOUR, HOUR] {
        advance(wait).await;
        let mut cx = Context::from_waker(Waker::noop());
        let mut callers: Vec<_> = (0..50)
            .map(|_| Box::pin(refusals.admit(one, ANY)))
            .collect();
        let first = callers.remove(0).await.unwrap();
        for each in &mut callers {
            assert!(each.as_mut().poll(&mut cx).is_pending(), "two at once");
        }
        let (what, text) = (Refused::Password, "no".to_owned());
        first.close::<()>(&Err(LoginFailure::Refused { what, text }), Instant::now());
        for caller in callers {
            let told = caller.await.unwrap_err();
            assert!(told.again.is_some_and(|at| at == Instant::now() + HOUR));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_password_may_be_tried_at_once_but_only_twice_in_an_hour() {
    let (refusals, [one, two, three]) = (Refusals::new(), prints(["one", "two", "three"]));
    refused(&refusals, one, Refused::Password).await;
    refused(&refusals, two, Refused::Password).await;
    assert!(!allowed(&refusals, three).await);
    advance(FIRST_RETRY).await;
    assert!(!allowed(&refusals, one).await, "two in this hour");
    advance(FIRST_RETRY).await;
    assert!(allowed(&refusals, one).await);
}

#[tokio::test(start_paused = true)]
async fn a_good_password_is_not_held_up_by_somebody_elses_wrong_one() {
    let (refusals, [good, bad]) = (Refusals::new(), prints(["good", "bad"]));
    let ticket = refusals.admit(good, ANY).await.unwrap();
    ticket.close(&Ok(()), Instant::now());
    refused(&refusals, bad, Refused::Password).await;
    advance(FIRST_RETRY).await;
    refused(&refusals, bad, Refused::Password).await;
    assert!(!allowed(&refusals, bad).await);
    assert!(allowed(&refusals, good).await);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_not_tried_again_until_its_secret_changes_or_an_operator_asks() {
    let (refusals, [one, two]) = (Refusals::new(), prints(["one", "two"]));
    refused(&refusals, one, Refused::Client).await;
    advance(Duration::from_secs(1_000_000)).await;
    assert!(!allowed(&refusals, one).await);
    assert!(allowed(&refusals, two).await);
    refusals.forget(one.user);
    assert!(allowed(&refusals, one).await);
}

/// When a login that is refused each time is tried in four hours, in minutes.
async fn tries_of(refusals: &Refusals, prints: Prints, what: Refused) -> Vec<u64> {
    let start = Instant::now();
    let mut tries = Vec::new();
    while start.elapsed() < 4 * HOUR {
        if allowed(refusals, prints).await {
            tries.push(start.elapsed().as_secs() / 60);
            refused(refusals, prints, what).await;
        }
        advance(Duration::from_secs(10)).await;
    }
    tries
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_after_ten_minutes_then_hourly_and_so_is_a_client_that_was_good_before()
 {
    let (refusals, [one, two]) = (Refusals::new(), prints(["one", "two"]));
    let tries = tries_of(&refusals, one, Refused::Policy).await;
    assert_eq!(tries, [0, 10, 70, 130, 190]);
    for what in [Refused::Client, Refused::Policy] {
        refusals.forget(one.user);
        let ticket = refusals.admit(one, ANY).await.unwrap();
        ticket.close(&Ok(()), Instant::now());
        assert_eq!(
            tries_of(&refusals, one, what).await,
            [0, 10, 70, 130, 190],
            "{what:?}"
        );
    }
    // Others were not.
    assert_eq!(tries_of(&refusals, two, Refused::Client).await, [0]);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_refused_after_whatever_else_it_is_not_tried_again_at_once() {
    const ALL: [Refused; 3] = [Refused::Password, Refused::Client, Refused::Policy];
    let orders = ALL.into_iter().flat_map(|a| ALL.map(|b| [a, b]));
    for (order, last) in orders.flat_map(|order| ALL.map(|last| (order, last))) {
        for was_good in [true, false] {
            let (refusals, [one]) = (Refusals::new(), prints(["one"]));
            if was_good {
                let ticket = refusals.admit(one, ANY).await.unwrap();
                assert_eq!(ticket.close(&Ok(()), Instant::now()), None);
            }
            for what in order.into_iter().chain([last]) {
                let Ok(ticket) = refusals.admit(one, ANY).await else {
                    // For good.
                    break;
                };
                let text = "no".to_owned();
                let told = Err(LoginFailure::Refused { what, text });
                let again = ticket.close::<()>(&told, Instant::now());
                let soonest = Instant::now() + SOON;
                assert!(again.is_none_or(|at| at >= soonest), "{order:?} {last:?}");
                assert!(!was_good || again.is_some(), "{order:?} {last:?}: for good");
                assert!(!allowed(&refusals, one).await, "{order:?} {last:?}");
                advance(HOUR).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_many_of_one_user_are_refused_is_remembered_of_each() {
    let names: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let all: [Prints; 100] = prints(std::array::from_fn(|at| names[at].as_str()));
    for what in [Refused::Policy, Refused::Client] {
        let refusals = Refusals::new();
        for one in all {
            let ticket = refusals.admit(one, ANY).await.unwrap();
            ticket.close(&Ok(()), Instant::now());
        }
        for one in all {
            refused(&refusals, one, what).await;
        }
        for one in all {
            assert!(!allowed(&refusals, one).await && refusals.knows(one));
        }
        advance(SOON).await;
        for one in all {
            assert!(allowed(&refusals, one).await, "{what:?}: it was good");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_asked_for_is_no_wrong_password() {
    let (refusals, [one]) = (Refusals::new(), prints(["one"]));
    refused(&refusals, one, Refused::Policy).await;
    advance(SOON).await;
    refused(&refusals, one, Refused::Password).await;
    advance(FIRST_RETRY - Duration::from_secs(1)).await;
    assert!(!allowed(&refusals, one).await);
    advance(Duration::from_secs(1)).await;
    assert!(allowed(&refusals, one).await);
}

#[tokio::test(start_paused = true)]
async fn what_one_account_may_not_ask_for_is_not_refused_to_another_of_the_same_user() {
    let (refusals, [wrong, changed]) = (Refusals::new(), prints(["one", "two"]));
    let asks = Fingerprinter::new().of([]);
    let right = Prints { asks, ..wrong };
    refused(&refusals, wrong, Refused::Policy).await;
    assert!(!allowed(&refusals, wrong).await);
    assert!(refusals.knows(wrong) && !refusals.knows(right));
    let ticket = refusals.admit(right, ANY).await.unwrap();
    ticket.close(&Ok(()), Instant::now());
    assert!(!allowed(&refusals, wrong).await, "no news for this one");
    assert!(allowed(&refusals, changed).await);
    // A wrong client secret is wrong whatever is asked for.
    refused(&refusals, Prints { asks, ..changed }, Refused::Client).await;
    assert!(!allowed(&refusals, changed).await);
    refusals.forget(wrong.user);
    assert!(allowed(&refusals, wrong).await && allowed(&refusals, changed).await);
}

#[tokio::test(start_paused = true)]
async fn accounts_of_one_user_log_in_one_after_the_other_as_they_came() {
    let (refusals, [one, two]) = (Refusals::new(), prints(["one", "two"]));
    let mut ticket = refusals.admit(one, ANY).await.unwrap();
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(refusals.admit(two, ANY))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    // All stand in line before the first is let go.
    for each in &mut waiting {
        assert!(each.as_mut().poll(&mut cx).is_pending());
    }
    for at in 0..waiting.len() {
        drop(ticket);
        for later in &mut waiting[at + 1..] {
            assert!(later.as_mut().poll(&mut cx).is_pending(), "out of turn");
        }
        let Poll::Ready(next) = waiting[at].as_mut().poll(&mut cx) else {
            panic!("nobody's turn");
        };
        ticket = next.unwrap();
    }
}

/// How many logins a user gets who wants one every ten seconds for three hours.
async fn logins_of(hard: bool, can_wait: bool, secrets: [Prints; 2]) -> Vec<u64> {
    let refusals = Refusals::new();
    let budget = Some(Budget { logins: 20, hard });
    let demand = Demand { budget, can_wait };
    let start = Instant::now();
    let mut logins = Vec::new();
    while start.elapsed() < 3 * HOUR {
        for prints in secrets {
            if let Ok(ticket) = refusals.admit(prints, demand).await {
                logins.push(start.elapsed().as_secs());
                ticket.close(&Ok(()), Instant::now());
            }
        }
        advance(Duration::from_secs(10)).await;
    }
    logins
}

#[tokio::test(start_paused = true)]
async fn a_hard_budget_is_never_overdrawn_over_all_accounts_of_a_user() {
    let secrets = prints(["one", "two"]);
    let logins = logins_of(true, false, secrets).await;
    for (index, at) in logins.iter().enumerate() {
        let within = logins[index..]
            .iter()
            .take_while(|other| **other < at + 3600);
        assert!(within.count() <= 20, "in the hour from second {at}");
    }
    assert_eq!(logins.len(), 60, "and it is used");
}

#[tokio::test(start_paused = true)]
async fn a_soft_budget_holds_up_renewals_that_can_wait_and_never_the_only_token() {
    let secrets = prints(["one", "two"]);
    assert_eq!(logins_of(false, true, secrets).await.len(), 60);
    assert_eq!(logins_of(false, false, secrets).await.len(), 2 * 3 * 360);
}

#[tokio::test(start_paused = true)]
async fn who_is_over_the_budget_is_told_when_it_may_be_asked_again() {
    let (refusals, [one]) = (Refusals::new(), prints(["one"]));
    let budget = Some(Budget {
        logins: 1,
        hard: true,
    });
    let demand = Demand {
        budget,
        can_wait: false,
    };
    let ticket = refusals.admit(one, demand).await.unwrap();
    ticket.close(&Ok(()), Instant::now());
    advance(Duration::from_secs(600)).await;
    let known = refusals.admit(one, demand).await.unwrap_err();
    let expected = LoginFailure::Transient {
        text: "the budget of 1 logins an hour is used up".to_owned(),
        retry_after: Some(Duration::from_secs(3000)),
    };
    assert_eq!(known.failure, expected);
    advance(Duration::from_secs(3000)).await;
    assert!(refusals.admit(one, demand).await.is_ok());
}
