//! All listeners of the configuration, bound before anything else starts.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Addresses, StartError};
use crate::config::server::{Listen, ListenTls};
use crate::config::{Config, Route};
use crate::message::Guard;
use crate::server::{self, Bound, Door};
use crate::tls::{self, ServerConfig};

/// Every bound listener.
pub(super) struct Listeners {
    pub(super) all: Vec<Listener>,
}

/// One bound `listen` entry.
pub(super) struct Listener {
    pub(super) leads: Leads,
    bound: Bound,
    tls: Option<Arc<ServerConfig>>,
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

impl Listeners {
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let server = &config.server;
        let mut listeners = Self { all: Vec::new() };
        for listen in &server.listen {
            listeners.add(config, listen, &server.tls, Leads::Everywhere)?;
        }
        for upstream in &config.upstreams {
            for listen in &upstream.listen {
                listeners.add(
                    config,
                    listen,
                    &upstream.tls,
                    Leads::Upstream(upstream.name.clone()),
                )?;
            }
        }
        for Route { name, listen, .. } in &config.routes {
            for listen in listen {
                listeners.add(config, listen, &server.tls, Leads::Route(name.clone()))?;
            }
        }
        Ok(listeners)
    }

    fn add(
        &mut self,
        config: &Config,
        listen: &Listen,
        tls: &ListenTls,
        leads: Leads,
    ) -> Result<(), StartError> {
        let tls = tls::server(tls, &names(config), config.server.state.as_deref())?;
        let bound =
            server::bind(listen, config.server.workers).map_err(|source| StartError::Listen {
                addr: listen
                    .addrs
                    .first()
                    .map_or_else(|| listen.host.clone(), SocketAddr::to_string),
                source,
            })?;
        self.all.push(Listener { leads, bound, tls });
        Ok(())
    }

    pub(super) fn addresses(&self) -> Addresses {
        let mut addresses = Addresses::default();
        for listener in &self.all {
            let addrs = listener.bound.addrs.iter().copied();
            match &listener.leads {
                Leads::Everywhere => addresses.server.extend(addrs),
                Leads::Upstream(name) => addresses
                    .upstreams
                    .entry(name.clone())
                    .or_default()
                    .extend(addrs),
                Leads::Route(_) => {}
            }
        }
        addresses
    }

    /// For each worker the doors it serves.
    pub(super) fn into_doors(self, workers: usize) -> Vec<Vec<Door>> {
        let mut doors: Vec<Vec<Door>> = (0..workers).map(|_| Vec::new()).collect();
        for (id, listener) in self.all.into_iter().enumerate() {
            for (worker, sockets) in doors.iter_mut().zip(listener.bound.sockets) {
                worker.extend(sockets.into_iter().map(|socket| Door {
                    listener: id,
                    socket,
                    tls: listener.tls.clone(),
                }));
            }
        }
        doors
    }
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
