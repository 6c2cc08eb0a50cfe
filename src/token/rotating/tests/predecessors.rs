//! The refresh token before one that has brought nothing so far.

use tokio::time::Instant;

use super::claims::{log_in, look};
use super::process::lost;
use super::{Way, World};
use crate::provider::Refused;
use crate::secret::Secret;
use crate::token::script::{refused, seconds, transient};
use crate::token::{NotExchanged, Presented};

/// The refresh token of the record, and the one before it.
async fn tokens(world: &World) -> (String, Option<String>) {
    let grant = world.grant().await.unwrap();
    (grant.refresh_token.unwrap(), grant.before)
}

fn of(token: &str, before: &str) -> (String, Option<String>) {
    (token.to_owned(), Some(before.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_successor_from_an_answer_that_cannot_be_used_has_its_predecessor_beside_it_until_it_is_good()
 {
    let read = |next: &str| Some(lost(Presented::Replaced(Secret::new(next))));
    let world = World::new(Way::Strict, 1);
    let (_process, source) = world.process(0, -1);
    assert_eq!(log_in(&source).await, Ok(1));
    // What was read is no refresh token: nothing is lost.
    *world.next.lock().unwrap() = read("odd");
    assert!(log_in(&source).await.is_err());
    let expected = of("odd", "r1");
    assert_eq!(tokens(&world).await, expected);
    // What says nothing of it changes nothing.
    for presented in [Presented::Never, Presented::InVain, Presented::Perhaps] {
        *world.next.lock().unwrap() = Some(lost(presented));
        assert!(log_in(&source).await.is_err());
        assert_eq!(tokens(&world).await, expected);
    }
    // Nor does what was taken, with an access token of no use, nor what is refused for something else, or passes by itself.
    for (presented, failure) in [
        (Presented::Perhaps, refused(Refused::Policy)),
        (Presented::InVain, refused(Refused::Client)),
        (Presented::Denied, refused(Refused::Policy)),
        (Presented::Denied, refused(Refused::Password)),
        (Presented::Denied, transient(None)),
        (Presented::Denied, transient(Some(seconds(900)))),
    ] {
        *world.next.lock().unwrap() = Some(NotExchanged { failure, presented });
        assert!(log_in(&source).await.is_err());
        assert_eq!(tokens(&world).await, expected);
    }
    assert_eq!(log_in(&source).await, Ok(2));
    assert_eq!(tokens(&world).await, ("r2".to_owned(), None));
    // What was read is the successor: its predecessor is not presented, which would end everything.
    world.provider.lock().unwrap().tokens.extend([
        ("r2".to_owned(), Some(Instant::now())),
        ("good".to_owned(), None),
    ]);
    *world.next.lock().unwrap() = read("good");
    assert!(log_in(&source).await.is_err());
    assert_eq!(log_in(&source).await, Ok(3));
    assert_eq!(tokens(&world).await, of("r3", "good"));
}

#[tokio::test(start_paused = true)]
async fn a_word_that_a_good_answer_has_for_a_refresh_token_costs_no_grant() {
    let world = World::new(Way::Keeps, 1);
    let (_process, source) = world.process(0, -1);
    for number in (1..6).step_by(2) {
        *world.word.lock().unwrap() = Some("N/A");
        assert_eq!(log_in(&source).await, Ok(number));
        assert_eq!(tokens(&world).await, of("N/A", "seed"));
        // One that has brought a token itself needs none beside it.
        assert_eq!(log_in(&source).await, Ok(number + 1));
        assert_eq!(tokens(&world).await, ("seed".to_owned(), None));
    }
    // Not for now, nor by another process, is the one before it given up; where it is of no use either, nothing changes.
    *world.word.lock().unwrap() = Some("N/A");
    assert_eq!(log_in(&source).await, Ok(7));
    let failure = transient(None);
    let presented = Presented::Denied;
    *world.next.lock().unwrap() = Some(NotExchanged { failure, presented });
    assert!(log_in(&source).await.is_err());
    let seed = world.provider.lock().unwrap().tokens.remove("seed");
    assert!(log_in(&source).await.is_err());
    assert_eq!(tokens(&world).await, of("N/A", "seed"));
    let back = ("seed".to_owned(), seed.unwrap());
    world.provider.lock().unwrap().tokens.extend([back]);
    let (_process, source) = world.process(1, -1);
    assert_eq!(look(&source).await, Some(7));
    assert_eq!(log_in(&source).await, Ok(8));
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_looks_like_one_has_none_beside_it() {
    let world = World::new(Way::Keeps, 1);
    let (_process, source) = world.process(0, -1);
    for (number, (word, is_sure)) in [
        ("5Aep861TSESvWeug_xvFHRBTTbf", true),
        ("00000000000000000000000000000000", true),
        ("REDACTED_BY_THE_GATEWAY", false),
        ("tok-1", false),
    ]
    .into_iter()
    .enumerate()
    {
        *world.word.lock().unwrap() = Some(word);
        assert_eq!(log_in(&source).await, Ok(2 * number as u64 + 1), "{word}");
        let (token, before) = tokens(&world).await;
        assert_eq!((token.as_str(), before.is_none()), (word, is_sure));
        world
            .provider
            .lock()
            .unwrap()
            .tokens
            .insert(word.to_owned(), None);
        assert_eq!(log_in(&source).await, Ok(2 * number as u64 + 2), "{word}");
    }
}
