//! [`HostRule`] and [`HostRules`]: which hosts a credential may be sent to.

use std::str::FromStr;

use super::{Origin, OriginError, is_host, split_port};

/// One allowed host: `host`, `host:port` or `*.suffix` (one or more labels in front).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostRule {
    host: String,
    port: Option<u16>,
    wildcard: bool,
}

impl HostRule {
    /// Covers this very origin's host and port.
    pub fn of(origin: &Origin) -> Self {
        Self {
            host: origin.host().to_owned(),
            port: Some(origin.port()),
            wildcard: false,
        }
    }

    /// Whether `origin` is covered.
    pub(in crate::message) fn matches(&self, origin: &Origin) -> bool {
        let port = self.port.unwrap_or(origin.scheme().default_port());
        port == origin.port() && self.names(origin)
    }

    /// Whether it is about this host, on whatever port.
    fn names(&self, origin: &Origin) -> bool {
        if self.wildcard {
            origin
                .host()
                .strip_suffix(&self.host)
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty())
        } else {
            origin.host() == self.host
        }
    }
}

impl FromStr for HostRule {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (host, port) = split_port(text)?;
        let host = host.to_ascii_lowercase();
        let (wildcard, host) = match host.strip_prefix("*.") {
            Some(suffix) => (true, suffix.to_owned()),
            None => (false, host),
        };
        // `*.com` would allow everybody's hosts.
        if !is_host(&host) || (wildcard && !host.contains('.')) {
            return Err(OriginError::Host);
        }
        Ok(Self {
            host,
            port,
            wildcard,
        })
    }
}

/// How a host was allowed; a host that only a wildcard allowed must resolve to public addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The operator wrote this very host.
    Exactly,
    /// A `*.suffix` rule covers it.
    ByWildcard,
}

/// Which hosts a credential may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostRules {
    allow: Vec<HostRule>,
    never: Vec<HostRule>,
}

impl HostRules {
    /// Rules that allow `allow`, but nothing that `never` matches.
    pub fn new(allow: Vec<HostRule>, never: Vec<HostRule>) -> Self {
        Self { allow, never }
    }

    /// Adds the very origin the operator configured.
    pub fn push_origin(&mut self, origin: &Origin) {
        self.allow.push(HostRule::of(origin));
    }

    /// Whether and how `origin`'s host is allowed.
    pub fn allow(&self, origin: &Origin) -> Option<Allowed> {
        if self.never.iter().any(|rule| rule.names(origin)) {
            return None;
        }
        let mut matching = self.allow.iter().filter(|rule| rule.matches(origin));
        let first = matching.next()?;
        if !first.wildcard || matching.any(|rule| !rule.wildcard) {
            Some(Allowed::Exactly)
        } else {
            Some(Allowed::ByWildcard)
        }
    }
}
