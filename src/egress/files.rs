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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::*;
    use crate::egress::connect::Stream;
    use crate::egress::connection::Open;
    use crate::egress::http2::Session;
    use crate::egress::{Asks, Destination, Profile};
    use crate::message::Origin;
    use crate::telemetry::Metrics;
    use crate::tls::Trust;

    /// A frame of settings, empty.
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    #[tokio::test]
    async fn who_waits_for_a_file_has_that_of_a_connection_of_http2_before_who_comes_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (busy, other) = (format!("https://{addr}"), format!("http://{addr}"));
        let [busy, other] = [busy, other].map(|origin| origin.parse::<Origin>().unwrap());
        let metrics = Metrics::new();
        let profile = Profile {
            id: 0,
            tls: Trust::new(&[]),
            proxy: None,
            connect_timeout: Duration::from_secs(60),
            connections: 9,
            http2: true,
            metrics: metrics.upstream("api"),
        };
        let to = |origin| Destination {
            profile: &profile,
            origin,
            public_only: false,
            fresh: false,
        };
        let files = Files::<Full<Bytes>>::new(1);
        let pool = Pool::new(&files);
        let place = pool.place(to(&busy));
        let open = Open::new(&profile.metrics, place.room().await.ok().unwrap());
        let stream = TcpStream::connect(addr).await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        upstream.write_all(&SETTINGS).await.unwrap();
        let session = Session::open(Stream::Left(stream), open).await;
        place.lanes.add(session.ok().unwrap());
        let request = place.lanes.place::<Full<Bytes>>(0, false);
        let now = Instant::now();
        let mut waits = Box::pin(pool.checkout(to(&other), now, None, Asks::default()));
        let early = tokio::time::timeout(Duration::from_millis(50), &mut waits).await;
        assert!(early.is_err() && files.are_wanted());
        drop(request);
        tokio::select! {
            biased;
            _ = pool.checkout(to(&busy), now, None, Asks::default()) => panic!("it was before"),
            waited = waits => assert!(waited.is_ok()),
        }
    }
}
