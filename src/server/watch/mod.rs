//! Who keeps a connection waiting: callers that send no head, half a head, or nothing at all, and callers that take
//! nothing of their answer, are cut in time.
//!
//! One timer per worker looks over all connections; a connection costs no timer of its own. Each carries a few
//! numbers that its stream and its service keep up to date, and of HTTP/2 its answers, each of which may wait for its caller while
//! the connection moves on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
    /// Since when there is a part of a head.
    head: Since,
    /// HTTP/2: between requests come acknowledgements, windows and pings, not heads alone.
    frames: AtomicBool,
    /// Since when the caller takes nothing of what is written.
    stuck: Since,
    /// Since when the connection is idle.
    idle: Since,
    /// Until when it may begin requests, after it was told to go, in ms since the watch's start; 0: it was not.
    last_call: AtomicU64,
    /// Since when it was idle when it was told to rest.
    told: AtomicU64,
    /// No request may begin any more, on this connection and those that came in as it did.
    barred: Arc<AtomicBool>,
    rest: Notify,
    cut: CancellationToken,
    /// HTTP/2: the answers under way, by where they are.
    answers: Mutex<BTreeMap<usize, Weak<dyn Answer>>>,
}

/// An answer that is given up when its caller takes nothing of it.
pub(super) trait Answer: Send + Sync {
    /// Gives it up if it waits for longer than `limit`, at the sweep of `now`.
    fn give_up_after(&self, limit: Duration, now: u64);
}

/// Since when something is so, in ms since the watch's start, as the sweep sees it: it is the sweep that looks at the clock, and not
/// each request. So a time is at most one sweep too long, and never too short.
#[derive(Default)]
pub(super) struct Since(AtomicU64);

impl Since {
    const NOT: u64 = 0;
    /// Since the last sweep.
    const LATELY: u64 = u64::MAX;
    /// Later than any sweep.
    const NEVER: u64 = u64::MAX - 1;

    fn set(&self, since: u64) {
        self.0.store(since, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != Self::NOT
    }

    /// Begins anew, or is so no more.
    pub(super) fn begin_if(&self, begins: bool) {
        self.set(if begins { Self::LATELY } else { Self::NOT });
    }

    /// For how long, at the sweep of `now`.
    pub(super) fn lasts(&self, now: u64) -> Option<Duration> {
        let known = self.0.load(Ordering::Relaxed);
        if known == Self::LATELY {
            // Unless it has changed since it was looked at.
            let _ = self
                .0
                .compare_exchange(known, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        (known != Self::NOT).then(|| Duration::from_millis(now.saturating_sub(known)))
    }
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

    /// A place for a new connection, on which no request begins once it is `barred`.
    pub(super) fn enter(&self, barred: Arc<AtomicBool>) -> Entry {
        let entry = Entry {
            start: self.start,
            state: Arc::new(State {
                active: AtomicUsize::new(0),
                head: Since::default(),
                frames: AtomicBool::new(false),
                stuck: Since::default(),
                idle: Since(AtomicU64::new(Since::LATELY)),
                last_call: AtomicU64::new(0),
                told: AtomicU64::new(0),
                barred,
                rest: Notify::new(),
                cut: CancellationToken::new(),
                answers: Mutex::default(),
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
                    state.look_after_answers(longest_stuck(self.idle_timeout), now);
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
        let over = |since: &Since, limit| since.lasts(now).is_some_and(|time| time > limit);
        // Each is asked, since to be asked is what begins a time.
        let stuck = over(&state.stuck, longest_stuck(self.idle_timeout));
        let head = over(&state.head, self.header_timeout);
        let idle = over(&state.idle, idle_timeout);
        stuck || state.active.load(Ordering::Relaxed) == 0 && (head || idle)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.active.load(Ordering::Relaxed) == 0 && !self.head.is_set() && !self.stuck.is_set()
    }

    fn look_after_answers(&self, limit: Duration, now: u64) {
        // The lock is not held: who is given up may end its connection.
        let answers: Vec<_> = {
            let answers = self.answers();
            answers.values().filter_map(Weak::upgrade).collect()
        };
        for answer in answers {
            answer.give_up_after(limit, now);
        }
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<usize, Weak<dyn Answer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has been idle long enough to rest, and was not told to. Asked by the sweep alone.
    fn may_rest(&self, now: u64) -> bool {
        let long = self.idle.lasts(now).is_some_and(|time| time >= REST);
        let since = self.idle.0.load(Ordering::Relaxed);
        long && self.is_idle() && self.told.swap(since, Ordering::Relaxed) != since
    }
}

impl Entry {
    /// The stream read something: with no request under way it is the beginning of a head.
    pub(super) fn bytes_came(&self) {
        let state = &self.state;
        if state.active.load(Ordering::Relaxed) == 0 && !state.head.is_set() {
            state.head.set(Since::LATELY);
        }
    }

    /// The connection speaks HTTP/2. Its first head must come in time; later bytes need not begin one.
    pub(super) fn speaks_frames(&self) {
        self.state.frames.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_frames(&self) -> bool {
        self.state.frames.load(Ordering::Relaxed)
    }

    /// An answer of HTTP/2 begins.
    pub(super) fn look_after(&self, place: usize, answer: Weak<dyn Answer>) {
        self.state.answers().insert(place, answer);
    }

    /// It has ended.
    pub(super) fn forget(&self, place: usize) {
        self.state.answers().remove(&place);
    }

    /// Something was written, or (`stuck`) the caller had no room for it.
    pub(super) fn wrote(&self, stuck: bool) {
        let state = &self.state;
        match (stuck, state.stuck.is_set()) {
            (true, false) => state.stuck.set(Since::LATELY),
            (false, true) => {
                state.stuck.set(Since::NOT);
                // The end of an answer may still be on its way out when its body has ended.
                state.idle.set(Since::LATELY);
            }
            _ => {}
        }
    }

    /// A whole head came; the returned guard lives as long as its answer.
    pub(super) fn request(&self) -> Active {
        let state = &self.state;
        state.active.fetch_add(1, Ordering::Relaxed);
        state.head.set(match state.frames.load(Ordering::Relaxed) {
            true => Since::NEVER,
            false => Since::NOT,
        });
        Active(self.clone())
    }

    /// The drain has begun: an idle connection has the time for a head from now on, and so have new requests.
    pub(super) fn told_to_go(&self, head: Duration) {
        let now = millis(self.start);
        self.state.idle.set(now);
        let head = u64::try_from(head.as_millis()).unwrap_or(u64::MAX);
        let last_call = now.saturating_add(head);
        self.state.last_call.store(last_call, Ordering::Relaxed);
    }

    /// Whether a request that begins now comes too late. After the time for it the connection ends, too: a caller who does
    /// not heed the good-bye of HTTP/2 could go on for ever.
    pub(super) fn is_too_late(&self) -> bool {
        let last_call = self.state.last_call.load(Ordering::Relaxed);
        let late = last_call > 0 && millis(self.start) > last_call;
        if late {
            self.state.cut.cancel();
        }
        late || self.state.barred.load(Ordering::Relaxed)
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
        state.idle.set(Since::LATELY);
        state.active.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(start: Instant) -> u64 {
    // Never 0, which means "none".
    u64::try_from(start.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// How long a caller may take nothing of its answer.
pub(super) fn longest_stuck(idle_timeout: Duration) -> Duration {
    idle_timeout.saturating_mul(STUCK)
}

/// How many idle times a caller may take nothing of its answer. A socket is writable again only when a good part of
/// its buffer is free, so that a slow reader looks like none for a while.
const STUCK: u32 = 4;
/// How long a connection is idle before it rests: callers that ask again and again do so within a second.
const REST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
