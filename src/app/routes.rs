//! From `[upstream.NAME]` and `[route.NAME]` to the proxy's table of ways.

use std::sync::Arc;

use super::listeners::{Leads, Listeners};
use crate::config::{Config, Route};
use crate::proxy::{Entry, Narrow, Table, Upstream};

/// One way, before it is known which worker's upstream it leads to.
#[derive(Clone)]
pub(super) struct Way {
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

/// Every way that the configuration opens. An upstream with routes is reached only through them.
pub(super) fn ways(config: &Config, listeners: &Listeners) -> Vec<Way> {
    let mut ways = Vec::new();
    for (index, upstream) in config.upstreams.iter().enumerate() {
        let way = |at, prefix: &str, narrow| Way {
            at,
            upstream: index,
            prefix: prefix.to_owned(),
            narrow,
        };
        let routes: Vec<&Route> = config
            .routes
            .iter()
            .filter(|route| route.upstream == upstream.name)
            .collect();
        for route in &routes {
            ways.extend(
                route_places(route, listeners).map(|at| way(at, &route.path, Some(narrow(route)))),
            );
        }
        if !routes.is_empty() {
            continue;
        }
        let own = Leads::Upstream(upstream.name.clone());
        ways.extend(led(listeners, own).map(|id| way(At::Listener(id), "", None)));
        let hosts = upstream
            .host
            .iter()
            .cloned()
            .chain([format!("{}.localhost", upstream.name)]);
        ways.extend(hosts.map(|host| way(At::Host(host), "", None)));
        ways.push(way(At::Path, &format!("/{}", upstream.name), None));
        let chosen = config.server.default.as_deref() == Some(&upstream.name);
        if chosen || config.upstreams.len() == 1 {
            ways.push(way(At::Fallback, "", None));
        }
    }
    ways
}

/// The table of one worker.
pub(super) fn table(ways: &[Way], upstreams: &[Arc<Upstream>]) -> Table {
    let mut table = Table::default();
    for way in ways {
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

fn route_places(route: &Route, listeners: &Listeners) -> impl Iterator<Item = At> {
    let own = led(listeners, Leads::Route(route.name.clone())).map(At::Listener);
    let host = route.host.clone().map(At::Host);
    let own: Vec<At> = own.chain(host).collect();
    let path = own.is_empty().then_some(At::Path);
    own.into_iter().chain(path)
}

fn led(listeners: &Listeners, leads: Leads) -> impl Iterator<Item = usize> {
    listeners
        .all
        .iter()
        .enumerate()
        .filter(move |(_, listener)| listener.leads == leads)
        .map(|(id, _)| id)
}

fn narrow(route: &Route) -> Narrow {
    Narrow {
        methods: route.methods.clone(),
        deny: route.deny.clone(),
        read_only: route.read_only,
    }
}
