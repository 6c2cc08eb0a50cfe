//! [`Anteroom`]: where logins wait for their bodies that have shown no key so far, since it may be in there.
//!
//! They take no place among the requests in flight, and no memory that others share: who shows no key holds nothing that others need.
//! When the room is full, who has waited longest makes way. So whoever fills it does not shut it: a login whose body comes with
//! its head, or soon behind, is gone before it is the oldest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::Error;

/// The room, of one process.
#[derive(Debug)]
pub struct Anteroom {
    most: usize,
    patience: Duration,
    waiting: Mutex<Waiting>,
}

/// Who waits, by when it came.
#[derive(Debug, Default)]
struct Waiting {
    came: u64,
    told_to_go: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One who waits, until it is dropped.
struct Seat<'a> {
    room: &'a Anteroom,
    came: u64,
}

impl Anteroom {
    /// For a quarter as many as there may be requests in flight, each for as long as a head may take.
    pub fn new(requests_in_flight: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            most: requests_in_flight.div_ceil(4),
            patience,
            waiting: Mutex::default(),
        })
    }

    /// Waits for `body`, and no longer than there is room and time.
    pub(super) async fn wait<T>(&self, body: impl Future<Output = T>) -> Result<T, Error> {
        let (_seat, told_to_go) = self.enter();
        tokio::select! {
            // What is here already is not sent away.
            biased;
            body = tokio::time::timeout(self.patience, body) => body.map_err(|_| Error::CallerBody),
            _ = told_to_go => Err(Error::Overload),
        }
    }

    fn enter(&self) -> (Seat<'_>, oneshot::Receiver<()>) {
        let (tell, told_to_go) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.came += 1;
        let came = waiting.came;
        if waiting.told_to_go.len() >= self.most
            && let Some((_, oldest)) = waiting.told_to_go.pop_first()
        {
            // Or it has gone by itself.
            let _ = oldest.send(());
        }
        waiting.told_to_go.insert(came, tell);
        (Seat { room: self, came }, told_to_go)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.room.waiting().told_to_go.remove(&self.came);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio_test::task::spawn;
    use tokio_test::{assert_pending, assert_ready};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn when_the_room_is_full_who_has_waited_longest_makes_way() {
        let room = Anteroom::new(8, LONG);
        let mut waiting: Vec<_> = (0..5).map(|_| spawn(room.wait(pending::<()>()))).collect();
        for one in &mut waiting {
            assert_pending!(one.poll());
        }
        for (at, one) in waiting.iter_mut().enumerate() {
            if at < 3 {
                assert!(one.is_woken());
                let end = assert_ready!(one.poll());
                assert!(matches!(end, Err(Error::Overload)), "{at}: {end:?}");
            } else {
                assert_pending!(one.poll());
            }
        }
    }

    #[tokio::test]
    async fn who_leaves_makes_room_and_what_is_here_already_is_not_sent_away() {
        let room = Anteroom::new(4, LONG);
        let mut first = spawn(room.wait(pending::<()>()));
        assert_pending!(first.poll());
        drop(first);
        let mut second = spawn(room.wait(pending::<()>()));
        assert_pending!(second.poll());
        for _ in 0..3 {
            assert!(matches!(room.wait(ready(7)).await, Ok(7)));
        }
        let end = assert_ready!(second.poll());
        assert!(matches!(end, Err(Error::Overload)), "{end:?}");
        assert!(room.waiting().told_to_go.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_longer_than_a_head_may_take() {
        let room = Anteroom::new(1, LONG);
        let end = room.wait(pending::<()>()).await;
        assert!(matches!(end, Err(Error::CallerBody)), "{end:?}");
        assert!(room.waiting().told_to_go.is_empty());
    }
}
