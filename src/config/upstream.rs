//! `[upstream.NAME]`: what every upstream has, whatever its provider.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::outbound::Leg;
use super::salesforce::Salesforce;
use super::server::{Listen, ListenTls};
use super::zilliant::Zilliant;
use super::zuora::Zuora;
use crate::message::PathRule;

/// `[upstream.NAME]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// NAME: `[a-z0-9-]{1,40}`.
    pub name: String,
    /// `provider` and its own keys.
    pub provider: Provider,
    /// Listeners of its own, where nothing is stripped from the path.
    pub listen: Vec<Listen>,
    /// TLS of those listeners.
    pub tls: ListenTls,
    /// A host name of its own, lower case.
    pub host: Option<String>,
    /// What callers may do.
    pub policy: Policy,
    /// Header fields set on every request upstream.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Header fields taken off every request.
    pub remove_headers: Vec<HeaderName>,
    /// Hosts besides loopback to which plain http is allowed, lower case.
    pub plain_http: Vec<String>,
    /// How long a request waits for a token. Default 20 s.
    pub token_wait: Duration,
    /// How long one login may take. Default 15 s.
    pub token_timeout: Duration,
    /// To the head of the answer, then between reads; zero: none. Default 120 s.
    pub response_timeout: Duration,
    /// Most connections to the API per worker. Default 256.
    pub connections: usize,
    /// How the token endpoint is reached.
    pub token: Leg,
    /// How the API is reached.
    pub api: Leg,
}

/// `provider = "..."` with the keys only this provider has.
#[derive(Clone, Debug)]
pub enum Provider {
    /// `salesforce`.
    Salesforce(Salesforce),
    /// `zilliant`.
    Zilliant(Zilliant),
    /// `zuora`.
    Zuora(Zuora),
}

/// Methods and paths, on an upstream.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
    /// Allowed methods; empty: all.
    pub methods: Vec<Method>,
    /// Denied paths; beats `allow`.
    pub deny: Vec<PathRule>,
    /// If given, all that may pass; also opens calls that the provider denies by default.
    pub allow: Vec<PathRule>,
}
