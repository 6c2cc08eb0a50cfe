//! [`Pulse`]: what a connection's task, its requests and the pool know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::incoming::Incoming;

/// One connection as it lives. A worker has one thread: the atomics are for the type system more than for races.
#[derive(Default)]
pub(super) struct Pulse {
    read: AtomicU64,
    written: AtomicU64,
    /// Its socket has no room for what is written.
    no_room: AtomicBool,
    /// How often it had some again.
    freed: AtomicU64,
    /// Since when that was so at the end of each of the task's turns.
    blocked: Mutex<Option<Instant>>,
    /// Requests that are on it.
    seats: AtomicUsize,
    /// Those that it ever had.
    requests: AtomicU64,
    /// What went out of the bodies of those that are not answered yet.
    unanswered: AtomicU64,
    /// Much of one went out that is answered by now, or that nobody waits for any more.
    abandoned: AtomicBool,
    /// One of them was begun, and nothing is read before it is out.
    begun: AtomicBool,
    /// No more of them.
    retired: AtomicBool,
    /// No more of them where there is another way.
    doubted: AtomicBool,
    /// The upstream ends it for what was sent on it.
    blamed: AtomicBool,
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

    /// So many bytes have come, and so many small pieces begin in them.
    pub(super) fn hear(&self, count: usize, small: usize) {
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        self.small.fetch_add(small, Ordering::Relaxed);
    }

    /// So many bytes have gone out.
    pub(super) fn write(&self, count: usize) {
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Its socket has no room for what is written, or some again.
    pub(super) fn has_room(&self, some: bool) {
        self.no_room.store(!some, Ordering::Relaxed);
        self.freed.fetch_add(u64::from(some), Ordering::Relaxed);
    }

    /// How often its socket had no room and then some: so often the other side's has taken something.
    pub(super) fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// The task has written all that there is, or that the socket has room for.
    pub(super) fn end_turn(&self) {
        let mut blocked = self.blocked();
        match self.no_room.load(Ordering::Relaxed) {
            true => *blocked = blocked.or_else(|| Some(Instant::now())),
            false => *blocked = None,
        }
    }

    /// Whether something has been left each time for long.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked().as_ref().is_some_and(is_long_ago)
    }

    fn blocked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests are on it.
    pub(super) fn is_busy(&self) -> bool {
        self.seats.load(Ordering::Relaxed) > 0
    }

    /// How many requests it has had.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether much of bodies went out that no answer has come to: a slow way may hold it all.
    pub(super) fn holds_much(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > MUCH
    }

    /// Whether, since this was asked last, much of a body was answered, or left by who sent it: it may be on its way all the same.
    pub(super) fn was_abandoned(&self) -> bool {
        self.abandoned.swap(false, Ordering::Relaxed)
    }

    /// A request is handed to h2. It goes out before more is read: that may be that the upstream takes fewer at once, and then it
    /// would wait in h2 until that changes, if ever, and could be taken out of it by nobody.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Whether some are begun that are not out.
    pub(super) fn is_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
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

    /// The upstream ends it for what was sent on it.
    pub(super) fn blame(&self) {
        self.blamed.store(true, Ordering::Relaxed);
    }

    /// Whether the upstream ends it for what was sent on it.
    pub(super) fn is_blamed(&self) -> bool {
        self.blamed.load(Ordering::Relaxed)
    }

    /// This side resets a stream. Each so many leave the connection, if there can be another, and so do two of five.
    pub(super) fn reset(&self) {
        let resets = self.resets.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let requests = self.requests.load(Ordering::Relaxed);
        let next_is_too_many = RESET * (resets + 1) > REQUEST * requests + FREE;
        if resets.is_multiple_of(MOST_RESETS) || next_is_too_many {
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

    /// Whether who comes next, with a `body` or without, would stand behind others for long. For all, the socket may have no room;
    /// for bodies, one of them: what they share may be used up, by one that the upstream does not take or by many that it takes slowly.
    pub(super) fn is_stalled(&self, body: bool) -> bool {
        self.is_blocked() || body && self.starving().iter().any(is_long_ago)
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

fn is_long_ago(since: &Instant) -> bool {
    since.elapsed() >= STALLED
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
    /// What went out of the request's body before it is answered.
    sent: u64,
    answered: bool,
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
            sent: 0,
            answered: false,
        })
    }

    /// So much of the request's body went out.
    pub(super) fn send(&mut self, count: usize) {
        // Who answers while more comes may go on so for long: that says nothing of a way.
        if self.answered {
            return;
        }
        self.sent += count as u64;
        self.pulse
            .unanswered
            .fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The head of the answer has come, or nobody waits for it. Neither says that the body has arrived: the upstream may answer before.
    pub(super) fn answer(&mut self) {
        self.answered = true;
        let sent = std::mem::take(&mut self.sent);
        self.pulse.unanswered.fetch_sub(sent, Ordering::Relaxed);
        if sent > MUCH {
            self.pulse.abandoned.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the upstream allows fewer by now.
    pub(super) fn is_beyond(&self, most: usize) -> bool {
        self.pulse.seats.load(Ordering::Relaxed) > most
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.answer();
        self.pulse.seats.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What no slow way takes long for, in bytes.
const MUCH: u64 = 16 * 1024;

/// What h2 keeps of each costs some hundred bytes, however small it is.
const MOST_SMALL: usize = 1024;

/// How long there may be no room before others go elsewhere. Who reads makes some far sooner.
const STALLED: Duration = Duration::from_secs(1);

/// Upstreams that fear rapid resets (CVE-2023-44487) end a connection after some hundred, with all requests that are on it.
/// Those that are on it now may be reset as well.
const MOST_RESETS: u64 = 64;
/// Others weigh them against requests, as Tomcat does: what a reset costs, what a request brings, and what a connection has at first.
const RESET: u64 = 5;
const REQUEST: u64 = 2;
const FREE: u64 = 10;
