//! From `[upstream.NAME]` and `[route.NAME]` to the proxy's table of ways.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::listeners::{Leads, Listeners};
use crate::config::{Config, Route, Upstream};
use crate::proxy::{self, Entry, Narrow, Table};

/// Every way that the configuration opens, before it is known which worker's upstreams they lead to.
pub(super) struct Ways {
    all: Vec<Way>,
    /// Hosts that lead nowhere else than their ways say.
    own_hosts: Vec<String>,
    /// Listeners that lead everywhere.
    open: Vec<usize>,
    /// Who answers at `/` does so because it is alone: nobody said that it should.
    alone: bool,
    /// What led somewhere before and does not now. Its callers do not mean whoever is left.
    former: Names,
}

/// What leads somewhere: prefixes of paths, and hosts.
#[derive(Clone, Default)]
struct Names {
    prefixes: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

/// One way.
struct Way {
    at: At,
    upstream: usize,
    prefix: String,
    narrow: Option<Narrow>,
}

#[derive(Clone)]
enum At {
    Listener(usize),
    Host(String),
    Path,
    Fallback,
}

impl Ways {
    /// An upstream with routes is reached only through them, on listeners and hosts of its own as well. `before` are the ways
    /// until now.
    pub(super) fn of(config: &Config, listeners: &Listeners, before: Option<&Self>) -> Self {
        let mut ways = Self {
            all: Vec::new(),
            own_hosts: Vec::new(),
            open: led(listeners, Leads::Everywhere).collect(),
            alone: config.server.default.is_none(),
            former: Names::default(),
        };
        for (index, upstream) in config.upstreams.iter().enumerate() {
            let own = own_places(upstream, listeners);
            let routes = config.routes.iter();
            let mut routes = routes
                .filter(|route| route.upstream == upstream.name)
                .peekable();
            if routes.peek().is_none() {
                ways.open(index, upstream, &own, config);
            }
            for route in routes {
                let places = route_places(route, listeners);
                // A route with a place of its own was put there on purpose, and is nowhere else.
                let places = if places.is_empty() {
                    [&[At::Path], own.as_slice()].concat()
                } else {
                    places
                };
                ways.all.extend(places.into_iter().map(|at| Way {
                    at,
                    upstream: index,
                    prefix: route.path.clone(),
                    narrow: Some(narrow(route)),
                }));
            }
            ways.own_hosts
                .extend(own.into_iter().filter_map(|at| match at {
                    At::Host(host) => Some(host),
                    At::Listener(_) | At::Path | At::Fallback => None,
                }));
        }
        if let Some(before) = before {
            ways.former = before.names().and(&before.former).without(&ways.names());
        }
        ways
    }

    /// What leads somewhere now.
    fn names(&self) -> Names {
        let mut names = Names::default();
        names.hosts.extend(self.own_hosts.iter().cloned());
        for way in &self.all {
            match &way.at {
                At::Host(host) => names.hosts.insert(host.clone()),
                // One for all paths has no name.
                At::Path if !way.prefix.is_empty() => names.prefixes.insert(way.prefix.clone()),
                At::Path | At::Listener(_) | At::Fallback => false,
            };
        }
        names
    }

    /// The ways of an upstream without routes.
    fn open(&mut self, index: usize, upstream: &Upstream, own: &[At], config: &Config) {
        let way = |at, prefix| Way {
            at,
            upstream: index,
            prefix,
            narrow: None,
        };
        self.all
            .extend(own.iter().map(|at| way(at.clone(), String::new())));
        self.all.push(way(At::Path, format!("/{}", upstream.name)));
        let chosen = config.server.default.as_deref() == Some(&upstream.name);
        if chosen || config.upstreams.len() == 1 {
            self.all.push(way(At::Fallback, String::new()));
        }
    }

    /// The table of one worker.
    pub(super) fn table(&self, upstreams: &[Arc<proxy::Upstream>]) -> Table {
        let mut table = Table::default();
        for listener in &self.open {
            table.open_listener(*listener);
        }
        for host in &self.own_hosts {
            table.own_host(host);
        }
        if self.alone {
            let Names { prefixes, hosts } = &self.former;
            prefixes
                .iter()
                .for_each(|prefix| table.reserve_path(prefix));
            hosts.iter().for_each(|host| table.reserve_host(host));
        }
        for way in &self.all {
            let Some(upstream) = upstreams.get(way.upstream) else {
                continue;
            };
            let entry = Entry {
                upstream: upstream.clone(),
                prefix: way.prefix.clone(),
                narrow: way.narrow.clone(),
            };
            match &way.at {
                At::Listener(id) => table.add_listener(*id, entry),
                At::Host(host) => table.add_host(host, entry),
                At::Path => table.add_path(entry),
                At::Fallback => table.set_fallback(entry),
            }
        }
        table
    }
}

impl Names {
    fn and(mut self, others: &Self) -> Self {
        self.prefixes.extend(others.prefixes.iter().cloned());
        self.hosts.extend(others.hosts.iter().cloned());
        self
    }

    fn without(mut self, others: &Self) -> Self {
        self.prefixes
            .retain(|prefix| !others.prefixes.contains(prefix));
        self.hosts.retain(|host| !others.hosts.contains(host));
        self
    }
}

/// The listeners and host names of an upstream's own.
fn own_places(upstream: &Upstream, listeners: &Listeners) -> Vec<At> {
    let local = format!("{}.localhost", upstream.name);
    let hosts = upstream.host.iter().cloned().chain([local]);
    led(listeners, Leads::Upstream(upstream.name.clone()))
        .map(At::Listener)
        .chain(hosts.map(At::Host))
        .collect()
}

/// The listeners or the host name of a route's own.
fn route_places(route: &Route, listeners: &Listeners) -> Vec<At> {
    led(listeners, Leads::Route(route.name.clone()))
        .map(At::Listener)
        .chain(route.host.clone().map(At::Host))
        .collect()
}

fn led(listeners: &Listeners, leads: Leads) -> impl Iterator<Item = usize> {
    let numbers = listeners.numbers();
    numbers
        .filter(move |(_, to)| **to == leads)
        .map(|(number, _)| number)
}

fn narrow(route: &Route) -> Narrow {
    Narrow {
        methods: route.methods.clone(),
        deny: route.deny.clone(),
        read_only: route.read_only,
    }
}
