//! A record that several processes write.

use tokio::time::sleep;

use super::{HOUR, NO_EXPIRY, World, get};
use crate::token::TokenSource;
use crate::token::script::{number, seconds};

#[tokio::test(start_paused = true)]
async fn a_rejection_says_nothing_about_what_another_process_has_stored_since() {
    let world = World::new(HOUR);
    let (first, second) = (world.source(), world.source());
    let token = first.0.login().await.unwrap().credential;
    assert!(first.1.settle(seconds(1)).await);
    assert!(second.0.restore().await.is_some());
    second.0.login().await.unwrap();
    assert!(second.1.settle(seconds(1)).await);
    first.0.rejected(&token);
    assert!(first.1.settle(seconds(1)).await);
    assert_eq!(get(&world.process()).await.1, 2);
}

#[tokio::test(start_paused = true)]
async fn a_note_of_use_undoes_nothing_that_another_process_has_stored_since() {
    let world = World::new(NO_EXPIRY);
    let (first, second) = (world.source(), world.source());
    let old = first.0.login().await.unwrap().credential;
    assert!(first.1.settle(seconds(1)).await);
    assert!(second.0.restore().await.is_some());
    sleep(seconds(1)).await;
    let new = second.0.login().await.unwrap().credential;
    assert!(second.1.settle(seconds(1)).await);
    // It is late, and comes again.
    for _ in 0..2 {
        sleep(seconds(1)).await;
        first.0.used(&old);
        assert!(first.1.settle(seconds(1)).await);
    }
    let kept = world.source().0.restore().await.unwrap();
    assert_eq!(number(&kept.credential), 2);
    // Nor is one revived that the other has called dead.
    second.0.rejected(&new);
    assert!(second.1.settle(seconds(1)).await);
    first.0.used(&old);
    assert!(first.1.settle(seconds(1)).await);
    assert!(world.source().0.restore().await.is_none());
    // A new login is stored all the same.
    sleep(seconds(1)).await;
    first.0.login().await.unwrap();
    assert!(first.1.settle(seconds(1)).await);
    let kept = world.source().0.restore().await.unwrap();
    assert_eq!(number(&kept.credential), 3);
}
