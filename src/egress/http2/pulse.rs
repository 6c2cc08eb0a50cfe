//! [`Pulse`]: what a connection's task, its requests and the pool know of each other.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::frames::Frames;
use super::incoming::Incoming;

/// One connection as it lives. A worker has one thread: the atomics are for the type system more than for races.
#[derive(Default)]
pub(super) struct Pulse {
    read: AtomicU64,
    written: AtomicU64,
    /// Requests that are on it.
    seats: AtomicUsize,
    /// Those that it ever had.
    requests: AtomicU64,
    /// One of them was begun, and nothing is read before it is out.
    begun: AtomicBool,
    /// No more of them.
    retired: AtomicBool,
    /// No more of them where there is another way.
    doubted: AtomicBool,
    /// Streams that this side has reset.
    resets: AtomicUsize,
    /// Since when bodies of requests wait for room.
    starving: Mutex<Vec<Instant>>,
    /// The answers that are coming.
    bodies: Mutex<Vec<Weak<Mutex<Incoming>>>>,
    /// How many small pieces of them came since they were gathered.
    small: AtomicUsize,
}

impl Pulse {
    /// How many bytes have come.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many bytes have gone out.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether requests are on it.
    pub(super) fn is_busy(&self) -> bool {
        self.seats.load(Ordering::Relaxed) > 0
    }

    /// How many requests it has had.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A request is handed to h2. It goes out before more is read: that may be that the upstream takes fewer at once, and then it
    /// would wait in h2 until that changes, if ever, and could be taken out of it by nobody.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Those that were begun are out. Whether there were any.
    pub(super) fn are_out(&self) -> bool {
        self.begun.swap(false, Ordering::Relaxed)
    }

    /// Whether it gets no more requests.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// It gets no more requests; those that are on it go on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether another is to be used, if there can be one.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// Another may serve better: it did not do what it should have, or may end soon.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// There is no other.
    pub(super) fn trust(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }

    /// This side resets a stream. Each so many leave the connection, if there can be another.
    pub(super) fn reset(&self) {
        let before = self.resets.fetch_add(1, Ordering::Relaxed);
        if before % MOST_RESETS == MOST_RESETS - 1 {
            self.doubt();
        }
    }

    /// There is no room for more of a request's body, as long as what this gives is kept.
    pub(super) fn starve(self: &Arc<Self>) -> Starving {
        let since = Instant::now();
        self.starving().push(since);
        Starving {
            pulse: self.clone(),
            since,
        }
    }

    /// Whether a body has waited for room for long: what all of them share may be used up, by one that the upstream does not take or by
    /// many that it takes slowly, and who comes next stands behind them all.
    pub(super) fn is_stalled(&self) -> bool {
        let starving = self.starving();
        starving.iter().any(|since| since.elapsed() >= STALLED)
    }

    fn starving(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.starving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of an answer comes.
    pub(super) fn receive(&self, body: &Arc<Mutex<Incoming>>) {
        let mut bodies = self.bodies();
        bodies.retain(|body| body.strong_count() > 0);
        bodies.push(Arc::downgrade(body));
    }

    /// Whether so many small pieces have come that they are to be gathered before more are read.
    pub(super) fn is_full(&self) -> bool {
        self.small.load(Ordering::Relaxed) >= MOST_SMALL
    }

    /// Takes the pieces that nobody has taken yet out of h2, and makes fewer of them.
    pub(super) fn gather(&self) {
        self.small.store(0, Ordering::Relaxed);
        for body in &*self.bodies() {
            if let Some(body) = body.upgrade() {
                Incoming::lock(&body).gather();
            }
        }
    }

    fn bodies(&self) -> MutexGuard<'_, Vec<Weak<Mutex<Incoming>>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request that waits for room.
pub(super) struct Starving {
    pulse: Arc<Pulse>,
    since: Instant,
}

impl Starving {
    /// Whether it does since as long.
    pub(super) fn is_for(&self, time: Duration) -> bool {
        self.since.elapsed() >= time
    }
}

impl Drop for Starving {
    fn drop(&mut self) {
        let mut starving = self.pulse.starving();
        if let Some(at) = starving.iter().position(|since| *since == self.since) {
            starving.swap_remove(at);
        }
    }
}

/// A place for one request among those on a connection.
pub(super) struct Seat {
    pub(super) pulse: Arc<Pulse>,
    /// The connection has served before.
    pub(super) reused: bool,
}

impl Seat {
    /// `None`: there are `most` already.
    pub(super) fn take(pulse: &Arc<Pulse>, most: usize) -> Option<Self> {
        let more = |seats: usize| (seats < most).then_some(seats + 1);
        let taken = pulse
            .seats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok()?;
        Some(Self {
            reused: pulse.requests.fetch_add(1, Ordering::Relaxed) > 0,
            pulse: pulse.clone(),
        })
    }

    /// Whether the upstream allows fewer by now.
    pub(super) fn is_beyond(&self, most: usize) -> bool {
        self.pulse.seats.load(Ordering::Relaxed) > most
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pulse.seats.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream whose bytes are counted as they pass, and whose frames are seen.
pub(super) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
    frames: Frames,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, pulse: &Arc<Pulse>) -> Self {
        Self {
            stream,
            pulse: pulse.clone(),
            frames: Frames::default(),
        }
    }

    fn wrote(&self, count: usize) {
        self.pulse
            .written
            .fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pulse.begun.load(Ordering::Relaxed) {
            // The task comes again at once.
            return Poll::Pending;
        }
        if self.pulse.is_full() {
            // The task gathers them before it is polled again.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let (_, bytes) = buf.filled_mut().split_at_mut(before);
        self.pulse
            .read
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let small = self.frames.pass(bytes);
        self.pulse.small.fetch_add(small, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What h2 keeps of each costs some hundred bytes, however small it is.
const MOST_SMALL: usize = 1024;

/// How long a body may wait for room before others go elsewhere. Who reads makes some far sooner.
const STALLED: Duration = Duration::from_secs(1);

/// Upstreams that fear rapid resets (CVE-2023-44487) end a connection after some hundred, with all requests that are on it.
/// Those that are on it now may be reset as well.
const MOST_RESETS: usize = 64;
