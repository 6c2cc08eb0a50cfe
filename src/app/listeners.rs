//! All listeners of a configuration. A reload binds what is new before it closes anything, and leaves the rest alone.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Addresses, StartError};
use crate::config::server::{Address, Listen, ListenTls};
use crate::config::{Config, Route};
use crate::message::Guard;
use crate::server::{self, Door, Ours, SocketFile, TlsSlot};
use crate::tls::{self, ServerConfig};

/// Every listener, and those that closed last: a request may still be on its way from them.
#[derive(Clone, Default)]
pub(super) struct Listeners {
    pub(super) all: Vec<Listener>,
    /// Numbers are never used again: a connection bears that of its listener.
    numbers: usize,
}

/// One address that is listened on.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) number: usize,
    pub(super) leads: Leads,
    /// As configured, perhaps with port 0.
    asked: Address,
    /// As bound.
    addr: Address,
    /// What is on disk of it, until it closes.
    file: Option<Arc<SocketFile>>,
    tls: TlsSlot,
    closing: CancellationToken,
    closed: bool,
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
}

impl Leads {
    /// Where the `tls` of such a listener stands.
    fn section(&self) -> String {
        match self {
            Self::Everywhere | Self::Route(_) => "[server] tls".to_owned(),
            Self::Upstream(name) => format!("[upstream.{name}] tls"),
        }
    }
}

/// The listeners of the next configuration: everything that can fail has been done.
pub(super) struct Next {
    pub(super) listeners: Listeners,
    /// For each worker the doors that are new.
    pub(super) doors: Vec<Vec<Door>>,
    tls: Vec<(TlsSlot, Option<Arc<ServerConfig>>)>,
    closing: Vec<CancellationToken>,
}

impl Next {
    /// Puts the new certificates in place. The doors are to be opened before anything closes.
    pub(super) fn commit(&mut self) -> Vec<Vec<Door>> {
        for (slot, tls) in self.tls.drain(..) {
            slot.replace(tls);
        }
        std::mem::take(&mut self.doors)
    }

    /// Closes what the configuration does not have any more.
    pub(super) fn close_others(mut self) -> Listeners {
        for closing in &self.closing {
            closing.cancel();
        }
        for listener in &mut self.listeners.all {
            listener.file = listener.file.take().filter(|_| !listener.closed);
        }
        self.listeners
    }
}

impl Listeners {
    /// What `config` listens on, `workers` sockets for each address. `drain` closes all.
    pub(super) fn next(
        &self,
        config: &Config,
        workers: usize,
        drain: &CancellationToken,
    ) -> Result<Next, StartError> {
        let mut binding = Binding {
            old: self.all.clone(),
            closing: Vec::new(),
            drain,
            next: Next {
                listeners: Self {
                    all: Vec::new(),
                    numbers: self.numbers,
                },
                doors: (0..workers).map(|_| Vec::new()).collect(),
                tls: Vec::new(),
                closing: Vec::new(),
            },
        };
        let wanted = wanted(config);
        let stays = |old: &Listener| {
            let asked = |(listen, _, leads): &(&Listen, &ListenTls, Leads)| {
                listen.addrs.contains(&old.asked) && old.may_lead(leads)
            };
            !old.closed && wanted.iter().any(asked)
        };
        let going = self.all.iter().filter(|old| !stays(old));
        binding.closing = going.map(|old| old.addr.clone()).collect();
        let names = names(config);
        for (listen, tls, leads) in &wanted {
            let state = config.server.state.as_deref();
            let tls = tls::server(tls, &names, state);
            let tls = tls.map_err(|error| StartError::of(leads.section(), error))?;
            binding.add(listen, tls.as_ref(), leads)?;
        }
        Ok(binding.finish())
    }

    /// Takes what is on disk of them away, at the end.
    pub(super) fn remove_files(&mut self) {
        for listener in &mut self.all {
            listener.file = None;
        }
    }

    pub(super) fn addresses(&self) -> Addresses {
        let mut addresses = Addresses::default();
        for listener in self.all.iter().filter(|listener| !listener.closed) {
            let Some(addr) = listener.addr.tcp() else {
                continue;
            };
            match &listener.leads {
                Leads::Everywhere => addresses.server.push(addr),
                Leads::Upstream(name) => addresses
                    .upstreams
                    .entry(name.clone())
                    .or_default()
                    .push(addr),
                Leads::Route(_) => {}
            }
        }
        addresses
    }
}

impl Listener {
    /// Whether it can be one that `leads` there: a free port that was taken for one purpose serves no other.
    fn may_lead(&self, leads: &Leads) -> bool {
        !self.asked.is_free_port() || self.leads == *leads
    }
}

/// The listeners of the next configuration while they are bound.
struct Binding<'a> {
    /// Those that were not taken over yet.
    old: Vec<Listener>,
    closing: Vec<Address>,
    drain: &'a CancellationToken,
    next: Next,
}

impl Binding<'_> {
    fn add(
        &mut self,
        listen: &Listen,
        tls: Option<&Arc<ServerConfig>>,
        leads: &Leads,
    ) -> Result<(), StartError> {
        let mut kept = Vec::new();
        for asked in &listen.addrs {
            let same = |old: &Listener| !old.closed && old.asked == *asked && old.may_lead(leads);
            if let Some(at) = self.old.iter().position(same) {
                let mut listener = self.old.remove(at);
                listener.leads = leads.clone();
                self.next.tls.push((listener.tls.clone(), tls.cloned()));
                self.next.listeners.all.push(listener);
                kept.push(asked.clone());
            }
        }
        if !kept.is_empty() && kept.iter().all(Address::is_free_port) {
            // The other family was not there, and could not get the same port now.
            return Ok(());
        }
        let ours = Ours {
            kept: &kept,
            closing: &self.closing,
        };
        let bound = server::bind(listen, self.next.doors.len(), ours).map_err(|source| {
            StartError::Listen {
                addr: first(listen),
                source,
            }
        })?;
        let asked = |addr: &Address| {
            let zero = addr.tcp().map(|addr| SocketAddr::new(addr.ip(), 0));
            let free = zero.map(Address::Tcp);
            free.filter(|free| listen.addrs.contains(free))
                .unwrap_or_else(|| addr.clone())
        };
        let first = self.next.listeners.all.len();
        for (addr, file) in bound.addrs {
            self.next.listeners.all.push(Listener {
                number: self.next.listeners.numbers,
                leads: leads.clone(),
                asked: asked(&addr),
                addr,
                file: file.map(Arc::new),
                tls: TlsSlot::default(),
                closing: self.drain.child_token(),
                closed: false,
            });
            self.next.listeners.numbers += 1;
        }
        let made = self.next.listeners.all.get(first..).unwrap_or_default();
        for (worker, sockets) in self.next.doors.iter_mut().zip(bound.sockets) {
            worker.extend(sockets.into_iter().zip(made).map(|(socket, of)| {
                of.tls.replace(tls.cloned());
                Door {
                    listener: of.number,
                    socket,
                    tls: of.tls.clone(),
                    closing: of.closing.clone(),
                }
            }));
        }
        Ok(())
    }

    /// What was not taken over closes, and is forgotten the time after.
    fn finish(mut self) -> Next {
        for mut old in self.old {
            if !old.closed {
                old.closed = true;
                self.next.closing.push(old.closing.clone());
                self.next.listeners.all.push(old);
            }
        }
        self.next
    }
}

/// Every `listen` of the configuration, with its TLS and where it leads.
fn wanted(config: &Config) -> Vec<(&Listen, &ListenTls, Leads)> {
    let server = &config.server;
    let mut wanted = Vec::new();
    for listen in &server.listen {
        wanted.push((listen, &server.tls, Leads::Everywhere));
    }
    for upstream in &config.upstreams {
        for listen in &upstream.listen {
            let leads = Leads::Upstream(upstream.name.clone());
            wanted.push((listen, &upstream.tls, leads));
        }
    }
    for Route { name, listen, .. } in &config.routes {
        for listen in listen {
            wanted.push((listen, &server.tls, Leads::Route(name.clone())));
        }
    }
    wanted
}

/// A listener as messages name it.
pub(super) fn first(listen: &Listen) -> String {
    let first = listen.addrs.first();
    first.map_or_else(|| listen.host.clone(), Address::to_string)
}

/// Which Hosts are served, and which pages may call.
pub(super) fn guard(config: &Config) -> Guard {
    Guard::new(names(config), config.access.origins.clone())
}

/// The names this proxy is called by, besides loopback ones: what the guard lets in and what `tls = "auto"` vouches for.
fn names(config: &Config) -> Vec<String> {
    let listens = config.server.listen.iter();
    let listens = listens.chain(
        config
            .upstreams
            .iter()
            .flat_map(|upstream| &upstream.listen),
    );
    let listens = listens.chain(config.routes.iter().flat_map(|route| &route.listen));
    let bound = listens
        .flat_map(|listen| &listen.addrs)
        .filter_map(Address::tcp)
        .filter(|addr| !addr.ip().is_unspecified())
        .map(|addr| match addr.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        });
    let hosts = config
        .upstreams
        .iter()
        .filter_map(|upstream| upstream.host.clone());
    let hosts = hosts.chain(config.routes.iter().filter_map(|route| route.host.clone()));
    let public = config
        .server
        .public_url
        .iter()
        .map(|url| url.host().to_owned());
    let mut names: Vec<String> = config
        .access
        .hosts
        .iter()
        .cloned()
        .chain(hosts)
        .chain(public)
        .chain(bound)
        .collect();
    names.sort();
    names.dedup();
    names
}
