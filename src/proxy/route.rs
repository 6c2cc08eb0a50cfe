//! Which upstream a request is for: its listener, its host, or the beginning of its path.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http::Method;

use super::upstream::Upstream;
use crate::message::{PathRule, Readings, Target};

/// One way to an upstream.
pub struct Entry {
    /// Where it leads.
    pub upstream: Arc<Upstream>,
    /// The path prefix that is stripped: `/crm`, or nothing.
    pub prefix: String,
    /// What this way allows, beside what the upstream allows.
    pub narrow: Option<Narrow>,
}

/// The limits of a `[route.NAME]`.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    /// Allowed methods; empty: all.
    pub methods: Vec<Method>,
    /// Denied paths.
    pub deny: Vec<PathRule>,
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
}

/// All ways, looked up by listener, then host, then path. By hashes, so that a request costs the same however many there are: in
/// trees one of ten thousand upstreams cost 3,000 instructions more than a single one.
#[derive(Default)]
pub struct Table {
    by_listener: HashMap<usize, Vec<Arc<Entry>>>,
    /// Listeners that lead everywhere; a few.
    open: Vec<usize>,
    by_host: HashMap<String, Vec<Arc<Entry>>>,
    by_path: HashMap<String, Vec<Arc<Entry>>>,
    fallback: Option<Arc<Entry>>,
    /// Whether paths lead to more than one upstream.
    shared: bool,
    /// Prefixes that the fallback does not get, by their first segment.
    reserved_paths: HashMap<String, Vec<String>>,
    /// Hosts that it does not get.
    reserved_hosts: HashSet<String>,
}

/// A chosen way.
pub struct Match<'a> {
    /// The way.
    pub entry: &'a Entry,
    /// The target without the way's prefix.
    pub target: Target,
    /// What led here.
    pub by: By,
}

/// What leads to a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A listener of its own.
    Listener,
    /// A host name of its own.
    Host,
    /// The beginning of the path, or nothing in particular.
    Path,
}

impl Table {
    /// Adds a way that a listener of its own leads to.
    pub fn add_listener(&mut self, listener: usize, entry: Entry) {
        insert(self.by_listener.entry(listener).or_default(), entry);
    }

    /// Adds a way that a host name of its own leads to.
    pub fn add_host(&mut self, host: &str, entry: Entry) {
        insert(
            self.by_host.entry(host.to_ascii_lowercase()).or_default(),
            entry,
        );
    }

    /// Lets a listener lead everywhere; one that is not named leads to its own ways alone, even if it has none.
    pub fn open_listener(&mut self, listener: usize) {
        self.open.push(listener);
    }

    /// Keeps a host name to its own ways, even if it has none.
    pub fn own_host(&mut self, host: &str) {
        self.by_host.entry(host.to_ascii_lowercase()).or_default();
    }

    /// Adds a way that the beginning of the path leads to.
    pub fn add_path(&mut self, entry: Entry) {
        self.shared |= self.leads_elsewhere(&entry);
        insert(
            self.by_path
                .entry(first_segment(&entry.prefix).to_owned())
                .or_default(),
            entry,
        );
    }

    /// What answers at `/` when nothing else matches.
    pub fn set_fallback(&mut self, entry: Entry) {
        self.shared |= self.leads_elsewhere(&entry);
        self.fallback = Some(Arc::new(entry));
    }

    /// Keeps what is under a prefix from the fallback.
    pub fn reserve_path(&mut self, prefix: &str) {
        let first = first_segment(prefix).to_owned();
        let reserved = self.reserved_paths.entry(first).or_default();
        reserved.push(prefix.to_owned());
    }

    /// Keeps what is for a host name from the fallback.
    pub fn reserve_host(&mut self, host: &str) {
        self.reserved_hosts.insert(host.to_ascii_lowercase());
    }

    /// The way for a request: the first of listener, host, path, fallback that has one; the longest prefix wins.
    /// A listener or host of its own leads nowhere else.
    pub fn find(&self, listener: usize, host: Option<&str>, target: &Target) -> Option<Match<'_>> {
        if !self.open.contains(&listener) {
            return longest(self.by_listener.get(&listener)?, target, By::Listener);
        }
        if let Some(own) = host.and_then(|host| self.by_host.get(host)) {
            return longest(own, target, By::Host);
        }
        // Those for all paths come last, for paths that begin with an empty segment too.
        Some(first_segment(target.path()))
            .filter(|first| !first.is_empty())
            .and_then(|first| self.by_path.get(first))
            .and_then(|ways| longest(ways, target, By::Path))
            .or_else(|| self.rest(host, target))
    }

    /// A way for all paths, or the fallback; unless what no other way matches is meant for another all the same: for one that
    /// was there, or in another spelling (`//crm/x`, `/%63rm/x`).
    fn rest(&self, host: Option<&str>, target: &Target) -> Option<Match<'_>> {
        let rooted = self.by_path.get("").map(Vec::as_slice);
        let rooted = rooted.and_then(|ways| longest(ways, target, By::Path));
        let is_rooted = rooted.is_some();
        let found = rooted.or_else(|| longest(self.fallback.as_slice(), target, By::Path))?;
        let of_another = |path: &str| self.is_of_another(path, found.entry);
        let has_others = self.shared || !self.reserved_paths.is_empty();
        let reserved = host.is_some_and(|host| !is_rooted && self.reserved_hosts.contains(host))
            || (has_others && Readings::of(target.path()).any(of_another));
        (!reserved).then_some(found)
    }

    /// Whether a way by path leads to another upstream than this one; asked of each, so that one of them is enough.
    fn leads_elsewhere(&self, entry: &Entry) -> bool {
        let mut ways = self.by_path.values().flatten().chain(&self.fallback);
        let known = ways.next();
        known.is_some_and(|way| !Arc::ptr_eq(&way.upstream, &entry.upstream))
    }

    fn is_of_another(&self, path: &str, found: &Entry) -> bool {
        let first = first_segment(path);
        let ways = self.by_path.get(first).into_iter().flatten();
        let others = ways.filter(|way| !Arc::ptr_eq(&way.upstream, &found.upstream));
        let reserved = self.reserved_paths.get(first).into_iter().flatten();
        let mut prefixes = others.map(|way| &way.prefix).chain(reserved);
        prefixes.any(|prefix| path.strip_prefix(prefix.as_str()).is_some_and(is_below))
    }

    /// Whether a path leads to another upstream than this one, at the same listener and host. `None`: there is no other.
    pub fn others(
        &self,
        listener: usize,
        host: Option<&str>,
        upstream: &Upstream,
    ) -> Option<impl Fn(&str) -> bool> {
        let own = match self.open.contains(&listener) {
            false => self.by_listener.get(&listener),
            true => host.and_then(|host| self.by_host.get(host)),
        };
        let alone = own.map_or(!self.shared, |ways| ways.len() < 2);
        (!alone).then_some(move |path: &str| {
            let ways = own.or_else(|| self.by_path.get(first_segment(path)));
            let mut ways = ways.into_iter().flatten();
            let way = ways.find(|way| path.strip_prefix(&way.prefix).is_some_and(is_below));
            way.is_some_and(|way| !std::ptr::eq(&*way.upstream, upstream))
        })
    }

    /// The names of the upstreams that a path leads to, for the answer to a caller who is lost.
    pub fn prefixes(&self) -> Vec<&str> {
        let mut prefixes: Vec<_> = self
            .by_path
            .values()
            .flatten()
            .map(|entry| entry.prefix.as_str())
            .collect();
        prefixes.sort_unstable();
        prefixes
    }
}

fn insert(ways: &mut Vec<Arc<Entry>>, entry: Entry) {
    let at = ways.partition_point(|way| way.prefix.len() >= entry.prefix.len());
    ways.insert(at, Arc::new(entry));
}

fn longest<'a>(ways: &'a [Arc<Entry>], target: &Target, by: By) -> Option<Match<'a>> {
    ways.iter().find_map(|entry| {
        let target = if entry.prefix.is_empty() {
            target.clone()
        } else {
            target.strip_prefix(&entry.prefix)?
        };
        Some(Match { entry, target, by })
    })
}

/// Whether what stands behind a prefix is no more of its last segment.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').next().unwrap_or("")
}
