//! [`Own`]: the names and ports of the proxy itself.

use std::collections::HashSet;

use super::check;
use super::origin::{Origin, is_loopback};

/// By which names and at which ports callers reach the proxy.
#[derive(Default)]
pub struct Own {
    /// Hashed: each upstream and route may have a name of its own.
    hosts: HashSet<String>,
    ports: Vec<u16>,
    public: Option<Origin>,
    several: bool,
}

impl Own {
    /// `hosts` are names without ports, besides loopback ones; `ports` those that are listened on, and `public` is where callers get
    /// here by another server.
    pub fn new(
        hosts: impl IntoIterator<Item = String>,
        ports: Vec<u16>,
        public: Option<Origin>,
    ) -> Self {
        let hosts = hosts
            .into_iter()
            .map(|host| check::name(&host).into_owned());
        Self {
            hosts: hosts.collect(),
            ports,
            public,
            several: false,
        }
    }

    /// The same; whether it has `several` upstreams.
    pub fn with_several(self, several: bool) -> Self {
        Self { several, ..self }
    }

    /// Whether a caller of one upstream may be led to another one.
    pub(super) fn has_several(&self) -> bool {
        self.several
    }

    /// Whether `host` (a [name](check::name)) is one of these.
    pub(super) fn has(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// Whether a URL of `origin` leads to the proxy, for a caller who has come to `asked`, if that is known: what is in front of the proxy
    /// may have a port of its own.
    pub(super) fn leads_here(
        &self,
        origin: &Origin,
        asked: Option<&Origin>,
        any_port: bool,
    ) -> bool {
        let (local, named) = (is_loopback(origin.host()), self.has(origin.host()));
        let is_asked = asked.is_some_and(|asked| asked.host() == origin.host());
        // What is in front of it has its ports on another machine, or for other names than this machine's own.
        let public = self.public.iter().filter(|_| !local);
        let mut known = public.chain(asked);
        (local || named || is_asked)
            && (any_port
                || self.ports.contains(&origin.port())
                || known.any(|known| known.has_port_of(origin)))
    }

    /// Whether two origins are one place to callers, whoever ends TLS; not where the proxy itself listens.
    pub(super) fn is_one(&self, a: &Origin, b: &Origin) -> bool {
        let listens = self.ports.contains(&a.port()) && self.ports.contains(&b.port());
        a.host() == b.host() && (a.port() == b.port() || !listens && a.has_port_of(b))
    }
}
