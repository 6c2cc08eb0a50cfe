//! All listeners of a configuration. A reload leaves alone what is listened on before and after.
//!
//! That is said of addresses, not of entries: whichever entry an address belongs to, its socket stays, for a connection
//! that waits at a socket is lost with it. What is really new is bound before anything closes; what is really gone is
//! closed a moment later ([`GRACE`]), and until then leads to whoever has its address now, or else where it led before.

mod next;
#[cfg(test)]
mod tests;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::next::Next;
use self::wanted::Wanted;
pub(super) use self::wanted::{first, guard};
use super::{Addresses, StartError};
use crate::admin::Scope;
use crate::config::Config;
use crate::config::server::Address;
use crate::server::{Floor, Hall, Passage, SocketFile};

/// Every listener, and what is left of those that were.
#[derive(Clone)]
pub(super) struct Listeners {
    open: Vec<Listener>,
    /// Those that nothing asks for: until they are closed they can be taken back, and until the last of their doors has
    /// ended their port is not a stranger's.
    closing: Vec<Listener>,
    /// Halls that nobody enters any more.
    parted: Vec<(Arc<Hall>, Leads)>,
    /// Numbers are never used again: a connection bears that of its hall.
    numbers: usize,
    workers: usize,
    /// Ends all that callers use.
    drain: CancellationToken,
    /// Ends all that operators use.
    admin_end: CancellationToken,
}

/// One address that is listened on.
#[derive(Clone)]
struct Listener {
    leads: Leads,
    /// As configured, perhaps with port 0.
    asked: Address,
    /// As bound.
    addr: Address,
    /// Nothing asks for this address but an entry that covers it, and that would have to do with less connections while
    /// this one closes.
    within: bool,
    /// What is on disk of it, until it closes.
    file: Option<Arc<SocketFile>>,
    terms: Terms,
    hall: Arc<Hall>,
    passage: Passage,
    /// When nothing asks for it: until when it stays.
    until: Option<Instant>,
    end: CancellationToken,
}

/// Where a listener leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// To every upstream, by path or host.
    Everywhere,
    /// To one upstream.
    Upstream(String),
    /// To one route.
    Route(String),
    /// Inside, to look.
    Admin(Scope),
}

impl Leads {
    /// Where the `tls` of such a listener stands.
    fn section(&self) -> String {
        match self {
            Self::Everywhere | Self::Route(_) | Self::Admin(_) => "[server] tls".to_owned(),
            Self::Upstream(name) => format!("[upstream.{name}] tls"),
        }
    }

    /// Where the address of such a listener stands.
    fn key(&self) -> String {
        match self {
            Self::Everywhere => OF_ALL.to_owned(),
            Self::Upstream(name) => format!("[upstream.{name}] listen"),
            Self::Route(name) => format!("[route.{name}] listen"),
            Self::Admin(Scope::Full) => "[admin] listen".to_owned(),
            Self::Admin(Scope::HealthOnly) => "[admin] health_listen".to_owned(),
        }
    }
}

/// What is asked of callers on a connection before the first request. Where it changes, they come anew.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Terms {
    Plain,
    Tls,
    /// A certificate of one of the authorities with this digest.
    Certified(String),
}

impl Listeners {
    /// None yet: they will have `workers` sockets each, and end with `floor` or, those of operators, with `admin_end`.
    pub(super) fn new(workers: usize, floor: &Floor, admin_end: &CancellationToken) -> Self {
        Self {
            open: Vec::new(),
            closing: Vec::new(),
            parted: Vec::new(),
            numbers: 0,
            workers,
            drain: floor.drain.clone(),
            admin_end: admin_end.clone(),
        }
    }

    /// Binds what `config` listens on and is not bound yet.
    pub(super) fn next(&self, config: &Config) -> Result<Next, StartError> {
        Next::after(self, config)
    }

    /// The numbers that connections have or may get, and where they lead.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (usize, &Leads)> {
        let listeners = self.open.iter().chain(&self.closing);
        let halls = listeners.map(|listener| (&listener.hall, &listener.leads));
        let parted = self.parted.iter().map(|(hall, leads)| (hall, leads));
        halls
            .chain(parted)
            .map(|(hall, leads)| (hall.listener, leads))
    }

    /// Whether there is something to be closed.
    pub(super) fn are_closing(&self) -> bool {
        self.closing.iter().any(|listener| !listener.has_ended())
    }

    /// Closes what has stayed long enough.
    pub(super) fn close(&mut self, now: Instant) {
        let due = |listener: &&mut Listener| listener.until.is_some_and(|until| until <= now);
        for listener in self.closing.iter_mut().filter(due) {
            // First, so that nobody comes after the last look for callers.
            listener.file = None;
            listener.end.cancel();
        }
    }

    /// Takes what is on disk of them away, at the end.
    pub(super) fn remove_files(&mut self) {
        for listener in self.open.iter_mut().chain(&mut self.closing) {
            listener.file = None;
        }
    }

    /// Those that are listened on, whoever is served there.
    pub(super) fn ports(&self) -> Vec<u16> {
        let bound = self.open.iter().filter_map(|listener| listener.addr.tcp());
        bound.map(|addr| addr.port()).collect()
    }

    /// What is really bound.
    pub(super) fn addresses(&self) -> Addresses {
        let mut addresses = Addresses::default();
        for listener in self.open.iter().filter(|listener| !listener.within) {
            let Some(addr) = listener.addr.tcp() else {
                continue;
            };
            match &listener.leads {
                Leads::Everywhere => addresses.server.push(addr),
                Leads::Upstream(name) => {
                    let own = addresses.upstreams.entry(name.clone()).or_default();
                    own.push(addr);
                }
                Leads::Route(name) => {
                    let own = addresses.routes.entry(name.clone()).or_default();
                    own.push(addr);
                }
                Leads::Admin(Scope::Full) => addresses.admin = addresses.admin.or(Some(addr)),
                Leads::Admin(Scope::HealthOnly) => {
                    addresses.health = addresses.health.or(Some(addr));
                }
            }
        }
        addresses
    }
}

impl Listener {
    fn has_ended(&self) -> bool {
        self.end.is_cancelled()
    }
}

impl Leads {
    /// Whether a socket that leads here may lead there: operators are served elsewhere than callers.
    fn may_become(&self, other: &Self) -> bool {
        let operators = |leads: &Self| matches!(leads, Self::Admin(_));
        self == other || !(operators(self) || operators(other))
    }

    fn are_for_operators(&self) -> bool {
        matches!(self, Self::Admin(_))
    }
}

/// Where the address stands that leads to every upstream.
pub(super) const OF_ALL: &str = "[server] listen";
/// How long a socket that nothing asks for stays open: whoever the system was connecting to it when its address went to
/// another is let in, and an address that comes back at once has never been away.
pub(super) const GRACE: Duration = Duration::from_millis(250);
