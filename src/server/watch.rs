//! Who keeps a connection waiting: callers that send no head, half a head, or nothing at all are cut in time.
//!
//! One timer per worker looks over all connections; a connection costs no timer of its own. Each carries three
//! numbers that its stream and its service keep up to date.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
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
    /// When the connection became idle.
    idle_since: AtomicU64,
    /// Whether there ever was a request.
    served: AtomicBool,
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
                idle_since: AtomicU64::new(millis(self.start)),
                served: AtomicBool::new(false),
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
                    }
                    true
                }
                None => false,
            });
        }
    }

    fn over(&self, state: &State, now: u64, idle_timeout: Duration) -> bool {
        if state.active.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let since =
            |at: &AtomicU64| Duration::from_millis(now.saturating_sub(at.load(Ordering::Relaxed)));
        let head = state.head_since.load(Ordering::Relaxed) > 0
            && since(&state.head_since) > self.header_timeout;
        head || since(&state.idle_since) > idle_timeout
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

    /// A whole head came; the returned guard lives as long as its answer.
    pub(super) fn request(&self) -> Active {
        self.state.active.fetch_add(1, Ordering::Relaxed);
        self.state.head_since.store(0, Ordering::Relaxed);
        self.state.served.store(true, Ordering::Relaxed);
        Active(self.clone())
    }

    /// The drain has begun: an idle connection has the time for a head from now on.
    pub(super) fn told_to_go(&self) {
        let now = millis(self.start);
        self.state.idle_since.store(now, Ordering::Relaxed);
    }

    /// Whether a whole head ever came.
    pub(super) fn has_served(&self) -> bool {
        self.state.served.load(Ordering::Relaxed)
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

/// An answer's body that keeps its connection busy until it ends.
pub(super) struct Tracked<B> {
    body: Option<B>,
    _active: Active,
}

impl<B> Tracked<B> {
    pub(super) fn new(body: B, active: Active) -> Self {
        Self {
            body: Some(body),
            _active: active,
        }
    }

    /// No body at all.
    pub(super) fn empty(active: Active) -> Self {
        Self {
            body: None,
            _active: active,
        }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}
