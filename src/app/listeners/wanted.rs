//! What a configuration asks for: its listeners, and the names that this proxy goes by.

use super::Leads;
use crate::admin::Scope;
use crate::config::Config;
use crate::config::server::{Address, Listen, ListenTls};
use crate::message::{Guard, Own};

/// One `listen` of the configuration.
pub(super) struct Wanted<'a> {
    pub(super) listen: &'a Listen,
    pub(super) tls: &'a ListenTls,
    pub(super) leads: Leads,
}

/// All of them.
pub(super) fn wanted(config: &Config) -> Vec<Wanted<'_>> {
    let (server, admin) = (&config.server, &config.admin);
    let everywhere = server.listen.iter();
    let everywhere = everywhere.map(|listen| (listen, &server.tls, Leads::Everywhere));
    let upstreams = config.upstreams.iter().flat_map(|upstream| {
        let leads = Leads::Upstream(upstream.name.clone());
        let listens = upstream.listen.iter();
        listens.map(move |listen| (listen, &upstream.tls, leads.clone()))
    });
    let routes = config.routes.iter().flat_map(|route| {
        let leads = Leads::Route(route.name.clone());
        let listens = route.listen.iter();
        listens.map(move |listen| (listen, &server.tls, leads.clone()))
    });
    let operators = [
        (&admin.listen, Scope::Full),
        (&admin.health_listen, Scope::HealthOnly),
    ];
    let operators = operators.into_iter().filter_map(|(listen, scope)| {
        let listen = listen.as_ref()?;
        Some((listen, &ListenTls::Off, Leads::Admin(scope)))
    });
    everywhere
        .chain(upstreams)
        .chain(routes)
        .chain(operators)
        .map(|(listen, tls, leads)| Wanted { listen, tls, leads })
        .collect()
}

/// A listener as messages name it.
pub(in crate::app) fn first(listen: &Listen) -> String {
    let first = listen.addrs.first();
    first.map_or_else(|| listen.host.clone(), Address::to_string)
}

/// Which Hosts are served, at which ports, and which pages may call.
pub(in crate::app) fn guard(config: &Config, ports: Vec<u16>) -> Guard {
    let own = Own::new(names(config), ports, config.server.public_url.clone());
    let own = own.with_several(config.upstreams.len() > 1);
    let guard = Guard::new(own, config.access.origins.clone());
    guard.keyless(config.access.keys.is_none())
}

/// The names this proxy is called by, besides loopback ones: what the guard lets in and what `tls = "auto"` vouches for.
pub(super) fn names(config: &Config) -> Vec<String> {
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
