//! [`Lanes`]: the connections of HTTP/2 to one origin, and who makes the next.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::session::{MOST_STREAMS, Session};
use super::stream::Exchange;

/// The connections to one origin, oldest first: the first that has room gets a request, so that others become idle. Those
/// that get no more requests are among them until they have ended.
pub(in crate::egress) struct Lanes {
    sessions: Mutex<Vec<(u64, Session)>>,
    /// How many were made.
    made: AtomicU64,
    /// Who may make one. Others wait, and find room on it.
    turns: Semaphore,
    /// How many may at once.
    most_turns: AtomicUsize,
    waiting: AtomicUsize,
    /// How many requests the last one takes.
    size: AtomicUsize,
    /// The upstream chose HTTP/1.1.
    http1: AtomicBool,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            made: AtomicU64::new(0),
            turns: Semaphore::new(1),
            most_turns: AtomicUsize::new(1),
            waiting: AtomicUsize::new(0),
            size: AtomicUsize::new(MOST_STREAMS),
            http1: AtomicBool::new(false),
        }
    }
}

impl Lanes {
    /// How many connections were made so far.
    pub(in crate::egress) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Whether the upstream chose HTTP/1.1 last time.
    pub(in crate::egress) fn is_http1(&self) -> bool {
        self.http1.load(Ordering::Relaxed)
    }

    /// The upstream chose HTTP/1.1.
    pub(in crate::egress) fn is_for_http1(&self) {
        self.http1.store(true, Ordering::Relaxed);
    }

    /// A place on a connection that is there, if it was made `after` so many others.
    pub(in crate::egress) fn place<B>(&self, after: u64) -> Option<Box<Exchange<B>>> {
        let mut place = None;
        self.sessions().retain_mut(|(number, session)| {
            if place.is_none() && *number > after {
                place = session.room();
            }
            session.is_open()
        });
        place
    }

    /// The same where no connection could be made: those that are doubted are what there is, and used on.
    pub(in crate::egress) fn place_at_last<B>(&self, after: u64) -> Option<Box<Exchange<B>>> {
        for (_, session) in &*self.sessions() {
            session.trust();
        }
        self.place(after)
    }

    /// Waits for the right to make a connection. `None`: never.
    pub(in crate::egress) async fn turn(&self) -> Option<Turn<'_>> {
        let waiting = Waiting::new(&self.waiting);
        self.more_turns();
        let permit = self.turns.acquire().await.ok()?;
        drop(waiting);
        Some(Turn {
            lanes: self,
            permit: Some(permit),
        })
    }

    /// How many connections are to be made at once, so that there is room for all who wait.
    fn wanted(&self) -> usize {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let size = self.size.load(Ordering::Relaxed);
        waiting.div_ceil(size.max(1)).max(1)
    }

    fn more_turns(&self) {
        let wanted = self.wanted();
        let turns = self.most_turns.fetch_max(wanted, Ordering::Relaxed);
        self.turns.add_permits(wanted.saturating_sub(turns));
    }

    /// A place on a new connection.
    pub(in crate::egress) fn add<B>(&self, mut session: Session) -> Option<Box<Exchange<B>>> {
        self.http1.store(false, Ordering::Relaxed);
        self.size.store(session.size(), Ordering::Relaxed);
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let place = session.room();
        self.sessions().push((number, session));
        place
    }

    /// Lets connections end that get no more requests, and forgets those that have.
    pub(in crate::egress) fn sweep(&self) {
        self.sessions().retain_mut(|(_, session)| session.is_open());
    }

    /// Closes one connection without requests, if there is one: one that is ending and may take its time, else the oldest.
    pub(in crate::egress) fn close_idle(&self) -> bool {
        let mut sessions = self.sessions();
        sessions.retain_mut(|(_, session)| session.is_open());
        let idle = || sessions.iter().filter(|(_, session)| session.is_idle());
        let ending = idle().find(|(_, session)| session.is_ending());
        let number = ending.or_else(|| idle().next()).map(|(number, _)| *number);
        let at = sessions.iter().position(|(of, _)| Some(*of) == number);
        if let Some(at) = at {
            sessions.remove(at).1.close();
        }
        at.is_some()
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<(u64, Session)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to make a connection.
pub(in crate::egress) struct Turn<'a> {
    lanes: &'a Lanes,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let lanes = self.lanes;
        let Some(permit) = self.permit.take() else {
            return;
        };
        if lanes.most_turns.load(Ordering::Relaxed) > lanes.wanted() {
            lanes.most_turns.fetch_sub(1, Ordering::Relaxed);
            permit.forget();
        } else {
            drop(permit);
            lanes.more_turns();
        }
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
