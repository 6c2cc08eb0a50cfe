//! [`Lanes`]: the connections of HTTP/2 to one origin.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::session::{MOST_STREAMS, Session};
use super::stream::Exchange;

/// The connections to one origin, oldest first: the first that has room gets a request, so that others become idle. Those
/// that get no more requests are among them until they have ended.
pub(in crate::egress) struct Lanes {
    sessions: Mutex<Vec<(u64, Session)>>,
    /// How many were made.
    made: AtomicU64,
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

    /// A place on a connection that is there, if it was made `after` so many others, for a request with a `body` or without.
    pub(in crate::egress) fn place<B>(&self, after: u64, body: bool) -> Option<Box<Exchange<B>>> {
        self.place_where(|number, session| number > after && session.is_well(body))
    }

    /// The same where no connection could be made: those that are doubted, or stalled, are what there is, and used on.
    pub(in crate::egress) fn place_at_last<B>(&self, after: u64) -> Option<Box<Exchange<B>>> {
        for (_, session) in &*self.sessions() {
            session.trust();
        }
        self.place_where(|number, _| number > after)
    }

    fn place_where<B>(&self, fits: impl Fn(u64, &Session) -> bool) -> Option<Box<Exchange<B>>> {
        let mut place = None;
        self.sessions().retain_mut(|(number, session)| {
            if place.is_none() && fits(*number, session) {
                place = session.room();
            }
            session.is_open()
        });
        place
    }

    /// How many requests the last one took at once.
    pub(in crate::egress) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// A new connection.
    pub(in crate::egress) fn add(&self, session: Session) {
        self.http1.store(false, Ordering::Relaxed);
        self.size.store(session.size(), Ordering::Relaxed);
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        self.sessions().push((number, session));
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
