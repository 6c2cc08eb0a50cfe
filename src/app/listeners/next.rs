//! [`Next`]: the listeners of the next configuration, made beside those that are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::wanted::{names, wanted};
use super::{GRACE, Leads, Listener, Listeners, Terms, Wanted, first};
use crate::admin::Scope;
use crate::app::StartError;
use crate::app::authorities::contents;
use crate::config::Config;
use crate::config::server::{Address, Listen, ListenTls};
use crate::server::{self, Bound, Door, Hall, Ours, Passage};
use crate::tls::{self, ServerConfig};

/// The listeners of the next configuration, bound but not at work.
pub(in crate::app) struct Next {
    pub(in crate::app) listeners: Listeners,
    opened: Opened,
    /// For each hall that is open what it is secured with from then on.
    tls: Vec<(Arc<Hall>, Option<Arc<ServerConfig>>)>,
    /// Halls whose callers have shown certificates, or none, that are not enough any more.
    barred: Vec<Arc<Hall>>,
}

/// Doors that are new.
pub(in crate::app) struct Opened {
    /// Those of each worker.
    pub(in crate::app) workers: Vec<Vec<Door>>,
    pub(in crate::app) admin: Vec<(Scope, Door)>,
}

/// What a listener is for.
#[derive(Clone)]
struct Purpose {
    leads: Leads,
    terms: Terms,
    tls: Option<Arc<ServerConfig>>,
}

/// Those listeners while they are bound.
struct Binding {
    /// Those that were not taken over yet.
    old: Vec<Listener>,
    next: Next,
    /// For each listener of `next` that is open.
    purposes: Vec<Purpose>,
}

impl Next {
    pub(super) fn after(old: &Listeners, config: &Config) -> Result<Self, StartError> {
        let wanted = wanted(config);
        let mut binding = Binding::beside(old);
        // All of them before anything is bound: what is left is free to be taken the place of.
        let kept: Vec<_> = wanted.iter().map(|wanted| binding.keep(wanted)).collect();
        let (names, state) = (names(config), config.server.state.as_deref());
        for (Wanted { listen, tls, leads }, kept) in wanted.into_iter().zip(kept) {
            // Looked at first: should the file change meanwhile, the next reload will see that it has.
            let terms = Terms::of(tls);
            let tls = tls::server(tls, &names, state);
            let tls = tls.map_err(|error| StartError::of(leads.section(), error))?;
            let purpose = Purpose { leads, terms, tls };
            binding.add(listen, &purpose, kept)?;
        }
        Ok(binding.finish())
    }

    /// Lets callers come to what is new. It is the last thing of a reload that may fail: from here on calls to an address
    /// that was covered by another listener wait at its own.
    pub(in crate::app) fn listen(&self) -> Result<(), StartError> {
        let workers = self.opened.workers.iter().flatten();
        for door in workers.chain(self.opened.admin.iter().map(|(_, door)| door)) {
            door.socket.listen().map_err(|source| {
                let addr = door.socket.tcp_addr();
                let mut open = self.listeners.open.iter();
                let own = open.find(|own| own.addr.tcp() == addr);
                StartError::Listen {
                    key: own.map(|own| own.leads.key()).unwrap_or_default(),
                    addr: addr.map(|addr| addr.to_string()).unwrap_or_default(),
                    source,
                }
            })?;
        }
        Ok(())
    }

    /// From now on connections come in as the configuration says. Requests must be served by it already: their
    /// connections bear its numbers.
    pub(in crate::app) fn commit(self) -> (Listeners, Opened) {
        for (hall, tls) in self.tls {
            hall.secure(tls);
        }
        for hall in self.barred {
            hall.bar();
        }
        let listeners = self.listeners;
        for listener in &listeners.open {
            listener.passage.lead(listener.hall.clone(), Vec::new());
        }
        for listener in &listeners.closing {
            let heirs = listener.heirs(&listeners.open);
            listener.passage.lead(listener.hall.clone(), heirs);
            listener.hall.drain.cancel();
        }
        for (hall, _) in &listeners.parted {
            hall.drain.cancel();
        }
        (listeners, self.opened)
    }
}

impl Binding {
    fn beside(old: &Listeners) -> Self {
        // Whoever is left in a hall holds it, and a door holds its passage: counted before anything here holds them.
        let is_there = |hall: &Arc<Hall>| Arc::strong_count(hall) > 1;
        let parted = old.parted.iter().filter(|(hall, _)| is_there(hall));
        let mut parted: Vec<_> = parted.cloned().collect();
        let (ended, closing): (Vec<_>, Vec<_>) =
            old.closing.iter().partition(|old| old.has_ended());
        let (last, gone): (Vec<_>, Vec<_>) =
            ended.into_iter().partition(|old| old.passage.is_shared());
        parted.extend(
            gone.into_iter()
                .map(|old| (old.hall.clone(), old.leads.clone())),
        );
        Self {
            old: old.open.iter().chain(closing).cloned().collect(),
            next: Next {
                listeners: Listeners {
                    open: Vec::new(),
                    closing: last.into_iter().cloned().collect(),
                    parted,
                    drain: old.drain.clone(),
                    admin_end: old.admin_end.clone(),
                    ..*old
                },
                opened: Opened {
                    workers: (0..old.workers).map(|_| Vec::new()).collect(),
                    admin: Vec::new(),
                },
                tls: Vec::new(),
                barred: Vec::new(),
            },
            purposes: Vec::new(),
        }
    }

    /// Takes out what is listened on already.
    fn keep(&mut self, wanted: &Wanted<'_>) -> Vec<Listener> {
        let mut kept = Vec::new();
        for asked in &wanted.listen.addrs {
            let is_it = |old: &Listener| old.is(asked, &wanted.leads);
            if let Some(at) = self.old.iter().position(is_it) {
                let mut listener = self.old.remove(at);
                listener.asked = asked.clone();
                kept.push(listener);
            }
        }
        kept
    }

    fn add(
        &mut self,
        listen: &Listen,
        purpose: &Purpose,
        kept: Vec<Listener>,
    ) -> Result<(), StartError> {
        let there: Vec<_> = kept.iter().map(|kept| kept.asked.clone()).collect();
        for mut listener in kept {
            listener.within = false;
            self.take_over(listener, purpose);
        }
        if !there.is_empty() && there.iter().all(Address::is_free_port) {
            // The other family was not there, and could not get the same port now.
            return Ok(());
        }
        let for_operators = purpose.leads.are_for_operators();
        // Operators' sockets and callers' take nothing from each other: a call would come to the wrong one meanwhile.
        let others = self.old.iter().chain(&self.next.listeners.closing);
        let others = others.filter(|old| old.leads.are_for_operators() == for_operators);
        let others: Vec<_> = others.map(|old| old.addr.clone()).collect();
        let ours = Ours {
            kept: &there,
            others: &others,
        };
        let workers = if for_operators {
            1
        } else {
            self.next.listeners.workers
        };
        let bound = server::bind(listen, workers, ours).map_err(|source| StartError::Listen {
            key: purpose.leads.key(),
            addr: first(listen),
            source,
        })?;
        self.open(listen, purpose, bound);
        Ok(())
    }

    /// Adds what is new.
    fn open(&mut self, listen: &Listen, purpose: &Purpose, bound: Bound) {
        let asked = |addr: &Address| {
            let zero = addr.tcp().map(|addr| SocketAddr::new(addr.ip(), 0));
            let free = zero.map(Address::Tcp);
            free.filter(|free| listen.addrs.contains(free))
                .unwrap_or_else(|| addr.clone())
        };
        let from = self.next.listeners.open.len();
        for (addr, file) in bound.addrs {
            let hall = self.hall(&purpose.leads);
            let listener = Listener {
                leads: purpose.leads.clone(),
                asked: asked(&addr),
                addr,
                within: false,
                file: file.map(Arc::new),
                terms: purpose.terms.clone(),
                passage: Passage::to(hall.clone()),
                hall,
                until: None,
                end: self.end(&purpose.leads),
            };
            self.push(listener, purpose);
        }
        let made = self.next.listeners.open.get(from..).unwrap_or_default();
        let door = |(socket, of): (_, &Listener)| Door {
            socket,
            passage: of.passage.clone(),
            closing: of.end.clone(),
        };
        let Opened { workers, admin } = &mut self.next.opened;
        let mut sockets = bound.sockets.into_iter();
        if let Leads::Admin(scope) = purpose.leads {
            let doors = sockets.flatten().zip(made).map(door);
            admin.extend(doors.map(|door| (scope, door)));
            return;
        }
        for worker in workers {
            let sockets = sockets.next().into_iter().flatten();
            worker.extend(sockets.zip(made).map(door));
        }
    }

    /// Lets a listener that is there be what it is from now on.
    fn take_over(&mut self, mut listener: Listener, purpose: &Purpose) {
        if listener.terms != purpose.terms || listener.hall.drain.is_cancelled() {
            let hall = self.hall(&purpose.leads);
            let old = std::mem::replace(&mut listener.hall, hall);
            if listener.terms != purpose.terms && matches!(purpose.terms, Terms::Certified(_)) {
                self.next.barred.push(old.clone());
            }
            self.next.listeners.parted.push((old, listener.leads));
        }
        listener.until = None;
        listener.leads = purpose.leads.clone();
        listener.terms = purpose.terms.clone();
        self.push(listener, purpose);
    }

    fn push(&mut self, listener: Listener, purpose: &Purpose) {
        let hall = listener.hall.clone();
        self.next.tls.push((hall, purpose.tls.clone()));
        self.next.listeners.open.push(listener);
        self.purposes.push(purpose.clone());
    }

    fn hall(&mut self, leads: &Leads) -> Arc<Hall> {
        let number = self.next.listeners.numbers;
        self.next.listeners.numbers += 1;
        Hall::new(number, self.end(leads))
    }

    fn end(&self, leads: &Leads) -> CancellationToken {
        let listeners = &self.next.listeners;
        if leads.are_for_operators() {
            listeners.admin_end.child_token()
        } else {
            listeners.drain.child_token()
        }
    }

    /// What was not taken over stays within one that covers it, or closes.
    fn finish(mut self) -> Next {
        for mut old in std::mem::take(&mut self.old) {
            let open = &self.next.listeners.open;
            let wider = open.iter().position(|wider| {
                wider.addr.covers(&old.addr) && old.leads.may_become(&wider.leads)
            });
            if let Some(purpose) = wider.and_then(|at| self.purposes.get(at)).cloned() {
                old.within = true;
                self.take_over(old, &purpose);
                continue;
            }
            // A file goes before the last look for callers; and where the address is the other scope's from now on, no
            // more calls are to come here.
            let taken = open.iter().any(|other| other.addr == old.addr);
            let at_once = taken || old.addr.tcp().is_none();
            let grace = if at_once { Duration::ZERO } else { GRACE };
            old.until.get_or_insert_with(|| Instant::now() + grace);
            self.next.listeners.closing.push(old);
        }
        self.next
    }
}

impl Listener {
    /// Whether it is what an entry that `leads` there asks for. A free port that was taken for one purpose serves no other.
    fn is(&self, asked: &Address, leads: &Leads) -> bool {
        if asked.is_free_port() {
            return self.asked == *asked && self.leads == *leads;
        }
        self.addr == *asked && self.leads.may_become(leads)
    }

    /// Where its connections belong from now on, by the address that they call: the narrowest first.
    pub(super) fn heirs(&self, open: &[Self]) -> Vec<(Address, Arc<Hall>)> {
        let shares = |other: &&Self| {
            let meets = other.addr.covers(&self.addr) || self.addr.covers(&other.addr);
            meets && self.leads.may_become(&other.leads)
        };
        let mut heirs: Vec<_> = open.iter().filter(shares).collect();
        heirs.sort_by_key(|heir| {
            heir.addr
                .tcp()
                .is_some_and(|addr| addr.ip().is_unspecified())
        });
        let heirs = heirs.into_iter();
        heirs
            .map(|heir| (heir.addr.clone(), heir.hall.clone()))
            .collect()
    }
}

impl Terms {
    fn of(tls: &ListenTls) -> Self {
        match tls {
            ListenTls::Off => Self::Plain,
            ListenTls::Files {
                client_ca: Some(ca),
                ..
            } => Self::Certified(contents(std::slice::from_ref(ca))),
            ListenTls::Auto | ListenTls::Files { .. } => Self::Tls,
        }
    }
}
