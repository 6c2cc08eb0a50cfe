//! [`Names`]: the addresses of names, by the system's resolver, so that a name that nobody answers for is in no other's way.
//!
//! A lookup cannot be given up: it holds a thread until the resolver has, which may take half a minute, long after whoever
//! wanted to connect has left. So all who want the same name at the same time wait for the same lookup. Nothing is kept
//! of it: who comes after its end has the name looked up anew.
//!
//! The token leg has none of this: its lookups are those of logins, of which an account has one at a time, with growing waits
//! after each that failed, on threads that no worker needs. Hundreds of accounts at once would have to be at a loss for one name.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// One worker's lookups that are under way.
#[derive(Clone)]
pub(super) struct Names(Arc<Inner>);

struct Inner {
    asked: Mutex<BTreeMap<String, Asked>>,
    look_up: Box<LookUp>,
}

type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Found = Result<Vec<SocketAddr>, String>;
/// `None` as long as there is none.
type Answer = Option<Found>;

/// A name that is being looked up.
#[derive(Default)]
struct Asked {
    /// For one answer.
    answer: watch::Sender<Answer>,
    /// Lookups that are under way.
    count: usize,
    /// Lookups that were begun.
    number: usize,
    /// When the last of them was, if nothing was found since.
    began: Option<Instant>,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }
}

impl Names {
    pub(super) fn new(
        look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            asked: Mutex::default(),
            look_up: Box::new(look_up),
        }))
    }

    /// The addresses of `name`.
    ///
    /// Cancel-safe: a lookup that has begun goes on, for those who come before its end.
    pub(super) async fn find(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let mut answer = self.ask(name);
        let told = match timeout(SLOW, answer.changed()).await {
            Ok(told) => told,
            Err(_) => {
                // A question that was lost is asked again far later than connections are waited for.
                drop(self.ask(name));
                answer.changed().await
            }
        };
        told.map_err(|_| io::Error::other("the lookup broke off"))?;
        match &*answer.borrow() {
            Some(Ok(addrs)) => Ok(addrs.clone()),
            Some(Err(text)) => Err(io::Error::other(text.clone())),
            None => Err(io::Error::other("the lookup found nothing")),
        }
    }

    /// Where the next answer will be. It begins a lookup if there is none, or the only one is slow.
    fn ask(&self, name: &str) -> watch::Receiver<Answer> {
        let mut all = self.asked();
        let now = Instant::now();
        let asked = all.entry(name.to_owned()).or_default();
        let answer = asked.answer.subscribe();
        let is_slow = |began| now.duration_since(began) >= SLOW;
        if asked.count < MOST && asked.began.is_none_or(is_slow) {
            asked.count += 1;
            asked.number += 1;
            asked.began = Some(now);
            let mut lookup = Lookup {
                names: self.clone(),
                name: name.to_owned(),
                number: asked.number,
                begun: false,
                found: Err("the lookup broke off".to_owned()),
            };
            // Where no thread can be started it ends here, and looks for its name. The runtime would keep it until it has one.
            drop(all);
            let thread = thread::Builder::new().name("lookup".to_owned());
            if let Err(error) = thread.spawn(move || lookup.run()) {
                tracing::warn!(%error, "no thread to look a name up with");
            }
        }
        answer
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<String, Asked>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lookup under way. However it ends, it is told to those who wait.
struct Lookup {
    names: Names,
    name: String,
    number: usize,
    begun: bool,
    found: Found,
}

impl Lookup {
    fn run(&mut self) {
        self.begun = true;
        let found = (self.names.0.look_up)(&self.name);
        self.found = found.map_err(|error| error.to_string());
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let mut all = self.names.asked();
        let Some(asked) = all.get_mut(&self.name) else {
            return;
        };
        asked.count -= 1;
        let is_last = self.number == asked.number;
        if is_last && !self.begun {
            asked.number -= 1;
        }
        // That an earlier one failed, or a later one was none, says nothing about the other.
        if self.found.is_ok() || is_last && (self.begun || asked.count == 0) {
            let found = std::mem::replace(&mut self.found, Ok(Vec::new()));
            // Those who come from now on wait for another.
            std::mem::take(&mut asked.answer).send_replace(Some(found));
            asked.began = None;
        }
        if asked.count == 0 {
            all.remove(&self.name);
        }
    }
}

/// Lookups of one name at once. The second is for a question that was lost (resolvers ask again after five seconds), or went to a
/// server of a network that is gone.
const MOST: usize = 2;
/// How long a lookup may take before it is begun again beside.
const SLOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
