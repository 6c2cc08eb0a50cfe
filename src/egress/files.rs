//! [`Files`]: how many connections to upstreams the whole process may have open, and whose idle one makes way for another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Outgoing;
use super::pool::Pool;

/// The open files that connections to upstreams may be, of all workers.
///
/// A request under way has its caller's connection for it, but idle connections are kept after a burst, for each upstream apart:
/// several bursts would leave more of them than there may be files, and then nobody could be connected to.
pub struct Files<B: Outgoing> {
    places: Arc<Semaphore>,
    pools: Mutex<Vec<Weak<Pool<B>>>>,
    waiting: AtomicUsize,
    /// Which of them closes the next one.
    turn: AtomicUsize,
    looking: Semaphore,
}

impl<B: Outgoing> Files<B> {
    /// At most so many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            pools: Mutex::default(),
            waiting: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            looking: Semaphore::new(1),
        })
    }

    /// The connections of a pool make way, too.
    pub(super) fn add(&self, pool: &Arc<Pool<B>>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// The right to one more, once there is one: idle connections are closed for it, wherever they are.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        let _waiting = Waiting::new(&self.waiting);
        let mut place = std::pin::pin!(self.places.clone().acquire_owned());
        self.close_idle();
        loop {
            tokio::select! {
                biased;
                place = &mut place => return place.ok(),
                // One looks for all who wait.
                _turn = self.looking.acquire() => {
                    if let Ok(place) = tokio::time::timeout(LOOK, &mut place).await {
                        return place.ok();
                    }
                    self.close_idle();
                }
            }
        }
    }

    /// Whether somebody waits for one: then none is kept for who comes later.
    pub(super) fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Closes one that is idle, if there is one, of each worker in turn. It is free in a moment, and if another gets its place, the
    /// next look may find one.
    fn close_idle(&self) {
        let pools = self.pools();
        let from = self.turn.fetch_add(1, Ordering::Relaxed) % pools.len().max(1);
        let mut pools = pools.iter().cycle().skip(from).take(pools.len());
        let _ = pools.any(|pool| pool.close_idle());
    }

    /// Those that there are. Not looked at under the lock: whoever is the last to have one drops it with all that it holds.
    fn pools(&self) -> Vec<Arc<Pool<B>>> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().filter_map(Weak::upgrade).collect()
    }
}

/// One who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How often it is looked for a connection that has become idle.
const LOOK: Duration = Duration::from_millis(10);
