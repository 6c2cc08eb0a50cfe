//! [`Lanes`]: the connections of HTTP/2 to one origin.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::session::{MOST_STREAMS, Session};
use super::stream::Exchange;
use crate::message::Origin;

/// The connections to one origin, oldest first: the first that has room gets a request, so that others become idle. Those
/// that get no more requests are among them until they have ended.
pub(in crate::egress) struct Lanes {
    /// For the log.
    origin: String,
    sessions: Mutex<Vec<(u64, Session)>>,
    /// How many were made.
    made: AtomicU64,
    /// How many requests the last one takes.
    size: AtomicUsize,
    /// The upstream chose HTTP/1.1.
    http1: AtomicBool,
    /// When it last ended one for what was sent on it.
    blamed: Mutex<Option<Instant>>,
    /// When it last did not speak HTTP/1.1 although it was offered nothing else, and never has.
    only_http2: Mutex<Option<Instant>>,
    /// It has spoken HTTP/1.1.
    has_http1: AtomicBool,
}

impl Lanes {
    pub(in crate::egress) fn new(origin: &Origin) -> Self {
        Self {
            origin: format!("{}:{}", origin.host(), origin.port()),
            sessions: Mutex::default(),
            made: AtomicU64::new(0),
            size: AtomicUsize::new(MOST_STREAMS),
            http1: AtomicBool::new(false),
            blamed: Mutex::default(),
            only_http2: Mutex::default(),
            has_http1: AtomicBool::new(false),
        }
    }

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

    /// Whether no request had better share a connection with another: the upstream ended one for what was sent on it, and what
    /// that was, one of those that come may be again.
    pub(in crate::egress) fn is_wary(&self) -> bool {
        self.sweep();
        is_since(&self.blamed, WARY)
    }

    /// Whether the upstream may speak HTTP/1.1 as well.
    pub(in crate::egress) fn may_speak_http1(&self) -> bool {
        !is_since(&self.only_http2, WITHOUT_HTTP1)
    }

    /// The upstream does not speak HTTP/1.1 although it was offered nothing else. Of one that ever has, this is not believed: it fails, or
    /// something in front of it does, and what goes on a connection of its own would end those of others.
    pub(in crate::egress) fn lacks_http1(&self) {
        if !self.has_http1.load(Ordering::Relaxed) {
            *lock(&self.only_http2) = Some(Instant::now());
        }
    }

    /// The upstream speaks HTTP/1.1 as well.
    pub(in crate::egress) fn speaks_http1(&self) {
        self.has_http1.store(true, Ordering::Relaxed);
        *lock(&self.only_http2) = None;
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
        let mut sessions = self.sessions();
        let mut fitting = sessions
            .iter_mut()
            .filter(|(number, session)| fits(*number, session));
        let place = fitting.find_map(|(_, session)| session.room());
        self.tidy(&mut sessions);
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
        self.tidy(&mut self.sessions());
    }

    fn tidy(&self, sessions: &mut Vec<(u64, Session)>) {
        if sessions.iter().any(|(_, session)| session.is_blamed()) {
            if !is_since(&self.blamed, WARY) {
                tracing::warn!(
                    origin = self.origin,
                    "the upstream ended a connection of HTTP/2 with an error: requests have one of HTTP/1.1 each for an hour"
                );
            }
            *lock(&self.blamed) = Some(Instant::now());
            // To be asked anew: that costs less than another such end.
            *lock(&self.only_http2) = None;
        }
        sessions.retain_mut(|(_, session)| session.is_open());
    }

    /// Closes one connection without requests, if there is one: one that is ending and may take its time, else the oldest.
    pub(in crate::egress) fn close_idle(&self) -> bool {
        let mut sessions = self.sessions();
        self.tidy(&mut sessions);
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
        lock(&self.sessions)
    }
}

fn is_since(mutex: &Mutex<Option<Instant>>, time: Duration) -> bool {
    lock(mutex).is_some_and(|since| since.elapsed() < time)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So seldom may what a caller sends cost others their requests.
const WARY: Duration = Duration::from_secs(3600);
/// To find out costs a connection.
const WITHOUT_HTTP1: Duration = Duration::from_secs(600);
