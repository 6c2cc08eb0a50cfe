//! [`Base`]: where the calls of a surface go: an origin, and what stands in front of every path there.

use std::borrow::Cow;

use crate::message::origin::Scheme;
use crate::message::{Address, Allowed, HostRules, Origin};

/// The name of an origin that a credential may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetName {
    /// The host that came with the token (Salesforce, OAuth 2.0).
    Instance,
    /// The REST host that came with the token (Marketing Cloud).
    Rest,
    /// The SOAP host, configured or from the answer (Marketing Cloud).
    Soap,
    /// The host that the configuration names.
    Api,
}

/// An origin, and the path that stands in front of every call's: empty, or `/v1/api` without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Scheme, host and port.
    pub origin: Origin,
    /// What stands in front of every path.
    pub path: String,
    /// How the allow-list covered the host.
    pub allowed: Allowed,
}

/// A target that the token answer names: where it stands, and which hosts it may be.
#[derive(Clone, Debug)]
pub struct TargetField {
    /// Which target.
    pub name: TargetName,
    /// Where it stands in the answer (a JSON pointer, RFC 6901).
    pub place: Cow<'static, str>,
    /// Whether an answer without it is of no use.
    pub required: bool,
    /// Whether a path may follow the host.
    pub may_have_path: bool,
    /// Which hosts are allowed.
    pub hosts: HostRules,
    /// Hosts besides loopback that may be spoken to without TLS.
    pub plain_http: Vec<String>,
}

impl Base {
    /// An origin that the operator wrote.
    pub fn of(origin: Origin) -> Self {
        Self {
            origin,
            path: String::new(),
            allowed: Allowed::Exactly,
        }
    }
}

impl From<Address> for Base {
    fn from(address: Address) -> Self {
        Self {
            path: address.path,
            ..Self::of(address.origin)
        }
    }
}

impl TargetField {
    /// The target that `text` names, if it is allowed.
    pub(super) fn allow(&self, text: &str) -> Option<Base> {
        let address: Address = text.parse().ok()?;
        self.admit(Base::from(address))
    }

    /// The same target, if it is allowed here.
    pub(super) fn admit(&self, mut base: Base) -> Option<Base> {
        let secure = base.origin.scheme() == Scheme::Https
            || base.origin.is_loopback()
            || self
                .plain_http
                .iter()
                .any(|host| host == base.origin.host());
        base.allowed = self.hosts.allow(&base.origin)?;
        let fits = self.may_have_path || base.path.is_empty();
        (secure && fits).then_some(base)
    }
}
