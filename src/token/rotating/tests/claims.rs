//! What is promised about refresh tokens, one sentence each.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use super::process::lost;
use super::{LIFE, Process, Way, World};
use crate::provider::{LoginFailure, Refused, Rotation};
use crate::token::rotating::Rotating;
use crate::token::script::{number, seconds, token};
use crate::token::store::{Grant, Kind, Name, Store};
use crate::token::{Presented, TokenSource};

pub(super) type Source = Rotating<Arc<Process>>;

pub(super) async fn log_in(source: &Source) -> Result<u64, LoginFailure> {
    let login = source.login().await;
    login.map(|obtained| number(&obtained.credential))
}

/// What the record has been found to hold is taken for run out.
pub(super) async fn look(source: &Source) -> Option<u64> {
    let found = source.restore().await?;
    Some(number(&found.credential))
}

#[tokio::test(start_paused = true)]
async fn the_order_is_lease_intent_check_redeem_successor() {
    let world = World::new(Way::Grace, 1);
    let (_process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    let trace = world.trace.lock().unwrap().join(", ");
    assert_eq!(trace, "lease, get, put intent, holds, exchange, put");
    let grant = world.grant().await.unwrap();
    assert_eq!(grant.refresh_token.as_deref(), Some("r1"));
    assert!(grant.intent.is_none() && grant.rotated);
}

#[tokio::test(start_paused = true)]
async fn a_restart_costs_no_redemption_while_the_access_token_lives() {
    let world = World::new(Way::Strict, 1);
    let (_process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    let (_process, source) = world.process(1, -1);
    assert_eq!(look(&source).await, Some(1));
    assert_eq!(world.exchanges(), 1);
    // The next one redeems the successor.
    assert_eq!(log_in(&source).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_access_token_that_was_rejected_is_not_restored_and_one_that_was_replaced_since_is() {
    let world = World::new(Way::Grace, 1);
    let (process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    source.rejected(&token(1, LIFE));
    assert!(process.unfinished.settle(seconds(60)).await);
    let (process, source) = world.process(1, -1);
    assert_eq!(look(&source).await, None);
    assert_eq!(log_in(&source).await, Ok(2));
    source.rejected(&token(1, LIFE));
    assert!(process.unfinished.settle(seconds(60)).await);
    let (_process, source) = world.process(2, -1);
    assert_eq!(look(&source).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_one_redeems_and_the_other_finds_what_it_got() {
    let world = World::new(Way::Strict, 1);
    let (_one, one) = world.process(0, -1);
    let (_two, two) = world.process(1, -1);
    let (first, second) = tokio::join!(log_in(&one), log_in(&two));
    assert_eq!((first, second), (Ok(1), Ok(1)));
    assert_eq!(world.exchanges(), 1);
    // Either sees that its token is no longer good, in its time.
    assert_eq!(log_in(&one).await, Ok(2));
    assert_eq!(log_in(&two).await, Ok(2));
    assert_eq!(log_in(&two).await, Ok(3));
    assert_eq!(world.exchanges(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_redemption_goes_on_when_nobody_waits_for_it_any_more() {
    let world = World::new(Way::Strict, 1);
    let (process, source) = world.process(0, -1);
    let login = tokio::time::timeout(seconds(0), source.login());
    assert!(login.await.is_err());
    assert!(process.unfinished.settle(seconds(60)).await);
    let grant = world.grant().await.unwrap();
    assert_eq!(grant.refresh_token.as_deref(), Some("r1"));
    assert_eq!(log_in(&source).await, Ok(1), "and its outcome is found");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let world = World::new(Way::Keeps, 1);
    let (_process, source) = world.process(0, -1);
    for expected in 1..4 {
        assert_eq!(log_in(&source).await, Ok(expected));
        let grant = world.grant().await.unwrap();
        assert_eq!(grant.refresh_token.as_deref(), Some("seed"));
        assert!(grant.intent.is_none() && !grant.rotated);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_before_the_redemption_uses_nothing_up() {
    let world = World::new(Way::Strict, 1);
    let (_process, source) = world.process(0, -1);
    world.full.store(true, Ordering::SeqCst);
    let error = log_in(&source).await.unwrap_err();
    assert!(matches!(error, LoginFailure::Transient { .. }), "{error}");
    assert_eq!(world.exchanges(), 0);
    world.full.store(false, Ordering::SeqCst);
    assert_eq!(log_in(&source).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_cannot_be_stored_is_tried_until_it_is_and_nobody_gets_the_token_before() {
    let world = World::new(Way::Strict, 1);
    let (process, source) = world.process(0, -1);
    world.full_after_intent.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let error = log_in(&source).await.unwrap_err().to_string();
    assert!(error.contains("cannot be stored"), "{error}");
    assert!(start.elapsed() < seconds(20));
    assert_eq!(log_in(&source).await.unwrap_err().to_string(), error);
    // Another process cannot use the old one meanwhile.
    let (_other, other) = world.process(1, -1);
    assert!(log_in(&other).await.is_err());
    assert_eq!(world.exchanges(), 1);
    world.full_after_intent.store(false, Ordering::SeqCst);
    world.full.store(false, Ordering::SeqCst);
    assert!(process.unfinished.settle(seconds(60)).await);
    assert_eq!(log_in(&source).await, Ok(1));
    assert_eq!(log_in(&other).await, Ok(1));
    assert_eq!(world.exchanges(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_provably_not_sent_or_said_no_to_leaves_the_record_as_it_was() {
    for presented in [Presented::Never, Presented::InVain] {
        let world = World::new(Way::Strict, 1);
        let (_process, source) = world.process(0, -1);
        assert_eq!(log_in(&source).await, Ok(1));
        let before = world.grant().await;
        *world.next.lock().unwrap() = Some(lost(presented));
        assert!(log_in(&source).await.is_err());
        assert!(world.grant().await == before);
        assert_eq!(log_in(&source).await, Ok(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_whose_answer_may_be_lost_is_tried_again_until_it_is_good_or_refused() {
    let world = World::new(Way::Strict, 1);
    let (_process, mut source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    // Nothing had arrived; nor does it matter who tries next.
    for id in 1..9 {
        *world.next.lock().unwrap() = Some(lost(Presented::Perhaps));
        let failure = log_in(&source).await.unwrap_err();
        assert!(
            matches!(failure, LoginFailure::Transient { .. }),
            "{failure}"
        );
        assert!(failure.to_string().contains("used up"), "{failure}");
        assert!(world.grant().await.unwrap().intent.is_some());
        if id % 3 == 0 {
            source = world.process(id, -1).1;
            assert_eq!(look(&source).await, Some(1));
        }
    }
    assert_eq!(log_in(&source).await, Ok(2));
    assert!(world.grant().await.unwrap().intent.is_none());
    // All had, and the answer was lost: that is what is said at once then.
    *world.lose.lock().unwrap() = 1;
    let failure = log_in(&source).await.unwrap_err();
    assert!(
        matches!(failure, LoginFailure::Transient { .. }),
        "{failure}"
    );
    let refused = log_in(&source).await.unwrap_err();
    assert!(
        matches!(
            refused,
            LoginFailure::Refused {
                what: Refused::Client,
                ..
            }
        ),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_single_use_token_whose_answer_was_lost_is_taken_again_within_its_grace() {
    let world = World::new(Way::Grace, 1);
    let (_process, source) = world.process(0, -1);
    *world.lose.lock().unwrap() = 2;
    assert!(log_in(&source).await.is_err());
    sleep(seconds(100)).await;
    assert!(log_in(&source).await.is_err());
    let grant = world.grant().await.unwrap();
    let first = grant.intent.unwrap().first_ms / 1000;
    assert!((1_700_000_000..1_700_000_010).contains(&first), "{first}");
    sleep(seconds(100)).await;
    assert_eq!(log_in(&source).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_new_seed_begins_a_lineage_of_its_own_and_the_old_one_is_kept() {
    let world = World::new(Way::Strict, 1);
    world
        .provider
        .lock()
        .unwrap()
        .tokens
        .insert("new".to_owned(), None);
    let (process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    *process.seed.lock().unwrap() = Some("new");
    assert_eq!(log_in(&source).await, Ok(2));
    assert_eq!(world.grant().await.unwrap().refresh_token.unwrap(), "r1");
    *process.seed.lock().unwrap() = Some("seed");
    assert_eq!(log_in(&source).await, Ok(1), "found again");
    assert_eq!(log_in(&source).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_lineage_that_began_without_a_token_can_begin_again() {
    let world = World::new(Way::Grace, 1);
    let (process, source) = world.process(0, -1);
    *process.seed.lock().unwrap() = None;
    assert_eq!(log_in(&source).await, Ok(1));
    assert_eq!(log_in(&source).await, Ok(2));
    world.provider.lock().unwrap().tokens.clear();
    assert_eq!(log_in(&source).await, Ok(3));
    assert_eq!(log_in(&source).await, Ok(4), "with the new one");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_never_loses_a_grant_and_fails_none_that_stays() {
    let world = World::new(Way::Strict, 1);
    let (_process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    world.blind.store(true, Ordering::SeqCst);
    let (_process, source) = world.process(1, -1);
    assert_eq!(look(&source).await, None);
    assert!(log_in(&source).await.is_err());
    assert_eq!(world.exchanges(), 1, "the configured token is not tried");
    world.blind.store(false, Ordering::SeqCst);
    assert_eq!(log_in(&source).await, Ok(1));

    let world = World::new(Way::Keeps, 1);
    world.blind.store(true, Ordering::SeqCst);
    let (_process, source) = world.process_with(0, -1, Rotation::Stays);
    assert_eq!(log_in(&source).await, Ok(1));
    assert_eq!(log_in(&source).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_said_to_stay_needs_no_intent_and_a_successor_is_used_all_the_same() {
    let world = World::new(Way::Strict, 1);
    let (_process, source) = world.process_with(0, -1, Rotation::Stays);
    for expected in 1..4 {
        assert_eq!(log_in(&source).await, Ok(expected));
    }
    let trace = world.trace.lock().unwrap();
    assert!(!trace.iter().any(|step| step == "put intent"));
}

#[tokio::test(start_paused = true)]
async fn another_accounts_access_token_is_not_taken_over_but_its_refresh_token_is() {
    let world = World::new(Way::Strict, 1);
    let (_one, one) = world.process(0, -1);
    let (_two, two) = world.process_asking("bulk", 1);
    assert_eq!(log_in(&one).await, Ok(1));
    assert_eq!(look(&two).await, None);
    assert_eq!(log_in(&two).await, Ok(2));
    assert_eq!(log_in(&one).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_lineage_is_no_record_of_an_account() {
    let world = World::new(Way::Keeps, 1);
    let (_process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    let account = Name::of(Kind::Token, [b"seed".as_slice()]);
    assert_eq!(world.memory.get(&account).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_successor_of_somebody_elses_is_never_overwritten() {
    let world = World::new(Way::Grace, 1);
    let (_process, source) = world.process(0, -1);
    let other = Grant {
        refresh_token: Some("theirs".to_owned()),
        redeemed: 7,
        ..Grant::default()
    };
    *world.meanwhile.lock().unwrap() = Some(other);
    assert_eq!(log_in(&source).await, Ok(1));
    assert_eq!(
        world.grant().await.unwrap().refresh_token.unwrap(),
        "theirs"
    );
}
