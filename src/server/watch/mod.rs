//! Who keeps a connection waiting: callers that send no head, half a head, or nothing at all, and callers that take
//! nothing of their answer, are cut in time.
//!
//! One timer per worker looks over all connections; a connection costs no timer of its own. Each carries a few
//! numbers that its stream and its service keep up to date. What it deliberately does not see is a single HTTP/2
//! stream whose window the caller keeps shut while the connection moves on.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::server::Limits;

/// The watch of one worker.
#[derive(Clone)]
pub(super) struct Watch {
    start: Instant,
    header_timeout: Duration,
    idle_timeout: Duration,
    entries: Arc<Mutex<Vec<Weak<State>>>>,
}

/// One connection's place in the watch.
#[derive(Clone)]
pub(super) struct Entry {
    start: Instant,
    state: Arc<State>,
}

struct State {
    /// Requests whose answer is not finished.
    active: AtomicUsize,
    /// When the first byte of a head that is not complete came, in ms since the watch's start; 0: none.
    head_since: AtomicU64,
    /// HTTP/2: between requests come acknowledgements, windows and pings, not heads alone.
    frames: AtomicBool,
    /// Since when the caller takes nothing of what is written; 0: it does.
    stuck_since: AtomicU64,
    /// When the connection became idle.
    idle_since: AtomicU64,
    /// Until when it may begin requests, after it was told to go; 0: it was not.
    last_call: AtomicU64,
    /// The `idle_since` at which it was told to rest.
    told_at: AtomicU64,
    rest: Notify,
    cut: CancellationToken,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with(limits.header_timeout, limits.idle_timeout)
    }

    pub(super) fn with(header_timeout: Duration, idle_timeout: Duration) -> Self {
        Self {
            start: Instant::now(),
            header_timeout,
            idle_timeout,
            entries: Arc::default(),
        }
    }

    /// A place for a new connection.
    pub(super) fn enter(&self) -> Entry {
        let entry = Entry {
            start: self.start,
            state: Arc::new(State {
                active: AtomicUsize::new(0),
                head_since: AtomicU64::new(0),
                frames: AtomicBool::new(false),
                stuck_since: AtomicU64::new(0),
                idle_since: AtomicU64::new(millis(self.start)),
                last_call: AtomicU64::new(0),
                told_at: AtomicU64::new(0),
                rest: Notify::new(),
                cut: CancellationToken::new(),
            }),
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(Arc::downgrade(&entry.state));
        entry
    }

    /// Cuts connections that are over their time; runs as long as the worker. In the drain idle connections get no more
    /// than the time for a head: a caller that does not heed the good-bye would hold it up.
    pub(super) async fn sweep(&self, drain: &CancellationToken) {
        let shortest = self.header_timeout.min(self.idle_timeout);
        let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
        loop {
            tokio::time::sleep(every).await;
            let now = millis(self.start);
            let idle_timeout = if drain.is_cancelled() {
                shortest
            } else {
                self.idle_timeout
            };
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.retain(|entry| match entry.upgrade() {
                Some(state) => {
                    if self.over(&state, now, idle_timeout) {
                        state.cut.cancel();
                    } else if state.may_rest(now) {
                        state.rest.notify_one();
                    }
                    true
                }
                None => false,
            });
        }
    }

    fn over(&self, state: &State, now: u64, idle_timeout: Duration) -> bool {
        let over = |at: &AtomicU64, limit: Duration| {
            let at = at.load(Ordering::Relaxed);
            at > 0 && Duration::from_millis(now.saturating_sub(at)) > limit
        };
        if over(&state.stuck_since, self.idle_timeout.saturating_mul(STUCK)) {
            return true;
        }
        state.active.load(Ordering::Relaxed) == 0
            && (over(&state.head_since, self.header_timeout)
                || over(&state.idle_since, idle_timeout))
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.active.load(Ordering::Relaxed) == 0
            && self.head_since.load(Ordering::Relaxed) == 0
            && self.stuck_since.load(Ordering::Relaxed) == 0
    }

    /// Whether it has been idle long enough to rest, and was not told to. Asked by the sweep alone.
    fn may_rest(&self, now: u64) -> bool {
        let since = self.idle_since.load(Ordering::Relaxed);
        let idle = Duration::from_millis(now.saturating_sub(since));
        idle >= REST && self.is_idle() && self.told_at.swap(since, Ordering::Relaxed) != since
    }
}

impl Entry {
    /// The stream read something: with no request under way it is the beginning of a head.
    pub(super) fn bytes_came(&self) {
        let state = &self.state;
        if state.active.load(Ordering::Relaxed) == 0
            && state.head_since.load(Ordering::Relaxed) == 0
        {
            state
                .head_since
                .store(millis(self.start), Ordering::Relaxed);
        }
    }

    /// The connection speaks HTTP/2. Its first head must come in time; later bytes need not begin one.
    pub(super) fn speaks_frames(&self) {
        self.state.frames.store(true, Ordering::Relaxed);
    }

    /// Something was written, or (`stuck`) the caller had no room for it.
    pub(super) fn wrote(&self, stuck: bool) {
        let state = &self.state;
        match (stuck, state.stuck_since.load(Ordering::Relaxed)) {
            (true, 0) => state
                .stuck_since
                .store(millis(self.start), Ordering::Relaxed),
            (false, 1..) => {
                state.stuck_since.store(0, Ordering::Relaxed);
                // The end of an answer may still be on its way out when its body has ended.
                state
                    .idle_since
                    .store(millis(self.start), Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// A whole head came; the returned guard lives as long as its answer.
    pub(super) fn request(&self) -> Active {
        let state = &self.state;
        state.active.fetch_add(1, Ordering::Relaxed);
        let next_head = if state.frames.load(Ordering::Relaxed) {
            NEVER
        } else {
            0
        };
        state.head_since.store(next_head, Ordering::Relaxed);
        Active(self.clone())
    }

    /// The drain has begun: an idle connection has the time for a head from now on, and so have new requests.
    pub(super) fn told_to_go(&self, head: Duration) {
        let now = millis(self.start);
        self.state.idle_since.store(now, Ordering::Relaxed);
        let head = u64::try_from(head.as_millis()).unwrap_or(u64::MAX);
        let last_call = now.saturating_add(head);
        self.state.last_call.store(last_call, Ordering::Relaxed);
    }

    /// Whether a request that begins now comes too late, and with it the end of its connection: a caller who does not
    /// heed the good-bye of HTTP/2 could go on for ever.
    pub(super) fn is_too_late(&self) -> bool {
        let last_call = self.state.last_call.load(Ordering::Relaxed);
        let late = last_call > 0 && millis(self.start) > last_call;
        if late {
            self.state.cut.cancel();
        }
        late
    }

    /// Whether nothing is under way, neither a request nor a part of one.
    pub(super) fn is_idle(&self) -> bool {
        self.state.is_idle()
    }

    /// Ends when the connection has been idle for a while.
    pub(super) async fn rests(&self) {
        self.state.rest.notified().await;
    }

    /// Says so before its time.
    #[cfg(test)]
    pub(super) fn tell_to_rest(&self) {
        self.state.rest.notify_one();
    }

    /// Ends when the connection is over its time.
    pub(super) async fn cut(&self) {
        self.state.cut.cancelled().await;
    }
}

/// A request whose answer is not finished.
pub(super) struct Active(Entry);

impl Drop for Active {
    fn drop(&mut self) {
        let state = &self.0.state;
        state
            .idle_since
            .store(millis(self.0.start), Ordering::Relaxed);
        state.active.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(start: Instant) -> u64 {
    // Never 0, which means "none".
    u64::try_from(start.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// How many idle times a caller may take nothing of its answer. A socket is writable again only when a good part of
/// its buffer is free, so that a slow reader looks like none for a while.
const STUCK: u32 = 4;
/// How long a connection is idle before it rests: callers that ask again and again do so within a second.
const REST: Duration = Duration::from_secs(1);
/// As a time since when a head is awaited: later than any sweep.
const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests;
