//! One user's refusals over several accounts and secrets.

use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{FIRST_RETRY, Refusals, Secrets};
use crate::provider::{LoginFailure, Refused};
use crate::secret::{Fingerprint, Fingerprinter};

fn prints() -> (Fingerprint, Secrets, Secrets) {
    let of = Fingerprinter::new();
    (
        of.of([b"user".as_slice()]),
        Some(of.of([b"one".as_slice()])),
        Some(of.of([b"two".as_slice()])),
    )
}

async fn refused(refusals: &Refusals, user: Fingerprint, secrets: Secrets, what: Refused) {
    let ticket = refusals.admit(user, secrets).await.unwrap();
    let text = "no".to_owned();
    ticket.close::<()>(&Err(LoginFailure::Refused { what, text }), Instant::now());
}

async fn allowed(refusals: &Refusals, user: Fingerprint, secrets: Secrets) -> bool {
    refusals.admit(user, secrets).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_tried_after_half_an_hour_then_hourly() {
    let (refusals, (user, one, _)) = (Refusals::new(), prints());
    let start = Instant::now();
    let mut tries = Vec::new();
    while start.elapsed() < Duration::from_secs(4 * 3600) {
        if allowed(&refusals, user, one).await {
            tries.push(start.elapsed().as_secs() / 60);
            refused(&refusals, user, one, Refused::Password).await;
        }
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(tries, [0, 30, 90, 150, 210]);
}

#[tokio::test(start_paused = true)]
async fn a_new_password_may_be_tried_at_once_but_only_twice_in_an_hour() {
    let (refusals, (user, one, two)) = (Refusals::new(), prints());
    refused(&refusals, user, one, Refused::Password).await;
    refused(&refusals, user, two, Refused::Password).await;
    assert!(!allowed(&refusals, user, None).await);
    advance(FIRST_RETRY).await;
    assert!(!allowed(&refusals, user, one).await, "two in this hour");
    advance(FIRST_RETRY).await;
    assert!(allowed(&refusals, user, one).await);
}

#[tokio::test(start_paused = true)]
async fn a_good_password_is_not_held_up_by_somebody_elses_wrong_one() {
    let (refusals, (user, good, bad)) = (Refusals::new(), prints());
    let ticket = refusals.admit(user, good).await.unwrap();
    ticket.close(&Ok(()), Instant::now());
    refused(&refusals, user, bad, Refused::Password).await;
    advance(FIRST_RETRY).await;
    refused(&refusals, user, bad, Refused::Password).await;
    assert!(!allowed(&refusals, user, bad).await);
    assert!(allowed(&refusals, user, good).await);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_not_tried_again_until_its_secret_changes_or_an_operator_asks() {
    let (refusals, (user, one, two)) = (Refusals::new(), prints());
    refused(&refusals, user, one, Refused::Client).await;
    advance(Duration::from_secs(1_000_000)).await;
    assert!(!allowed(&refusals, user, one).await);
    assert!(allowed(&refusals, user, two).await);
    refusals.forget(user);
    assert!(allowed(&refusals, user, one).await);
}

#[tokio::test(start_paused = true)]
async fn accounts_of_one_user_log_in_one_after_the_other() {
    let (refusals, (user, one, two)) = (Refusals::new(), prints());
    let ticket = refusals.admit(user, one).await.unwrap();
    assert!(refusals.try_admit(user, two, Instant::now()).is_none());
    drop(ticket);
    assert!(allowed(&refusals, user, two).await);
}
