//! [`Upstream`]: what the proxy needs of one `[upstream.NAME]`, made once.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;

use super::error::Error;
use super::route::Narrow;
use crate::code;
use crate::config::policy::Policy;
use crate::egress::Profile;
use crate::message::{PathRule, Readings, Target, forwarding};
use crate::provider::{Denial, LocalCall, Provider, Surface, local};
use crate::telemetry::UpstreamMetrics;
use crate::token::{Handle, Issued, Unavailable};

/// One upstream, as one worker sees it.
pub struct Upstream {
    /// NAME.
    pub name: Arc<str>,
    /// `X-Upauth-Upstream`.
    pub label: HeaderValue,
    /// What is particular to its provider.
    pub provider: Arc<Provider>,
    /// What callers may do.
    pub policy: Policy,
    /// Whether its login and logout calls are answered here.
    pub local_login: bool,
    /// Set on every request.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Taken off every request.
    pub remove_headers: Vec<HeaderName>,
    /// How long a request waits for a token.
    pub token_wait: Duration,
    /// To the head of the answer, then between reads.
    pub response_timeout: Duration,
    /// How its API is reached.
    pub profile: Profile,
    /// Its credential.
    pub tokens: Handle,
    /// Its counters on this worker.
    pub metrics: Arc<UpstreamMetrics>,
}

impl Upstream {
    /// Waits for a credential, counted as waiting; takes the time off `patience`, which is for all waits of a request.
    pub(super) async fn obtain(&self, patience: &mut Duration) -> Result<Issued, Unavailable> {
        let _waiting = Waiting::new(&self.metrics);
        let began = Instant::now();
        let obtained = self.tokens.obtain(began + *patience).await;
        *patience = patience.saturating_sub(began.elapsed());
        obtained
    }

    /// The login or logout that is answered here, if the call is one. What is denied stays so, and what `allow` lists
    /// goes on: the operator wants the provider to have it. Limits to methods are for what goes on.
    pub(super) fn local_call<'a>(
        &self,
        surface: &'a Surface,
        narrow: Option<&Narrow>,
        method: &Method,
        path: &Readings,
    ) -> Option<&'a LocalCall> {
        if !self.local_login {
            return None;
        }
        let call = local::find(&surface.local, method, path)?;
        let deny = narrow.into_iter().flat_map(|narrow| &narrow.deny);
        let mut deny = self.policy.deny.iter().chain(deny);
        let denied = deny.any(|rule| rule.matches_any(method, path));
        let mut allow = self.policy.allow.iter();
        let goes_on = allow.any(|rule| rule.matches_all(method, path));
        (!denied && !goes_on).then_some(call)
    }

    /// Whether a call may pass at all (`DESIGN.md` 3, path rules): `deny` beats `allow`, `allow` beats what the
    /// provider denies.
    pub(super) fn admit(
        &self,
        surface: &Surface,
        narrow: Option<&Narrow>,
        parts: &Parts,
        target: &Target,
        path: &Readings,
    ) -> Result<(), Error> {
        let (method, headers) = (&parts.method, &parts.headers);
        let policy = &self.policy;
        let read_only = policy.read_only || narrow.is_some_and(|narrow| narrow.read_only);
        if read_only && !reads_only(parts, target) {
            return Err(Error::Denied(&code::READ_ONLY));
        }
        let listed = |methods: &[Method]| methods.is_empty() || methods.contains(method);
        let methods = [Some(&policy.methods), narrow.map(|narrow| &narrow.methods)];
        let rules = [
            Some(&policy.deny),
            Some(&policy.allow),
            narrow.map(|narrow| &narrow.deny),
        ];
        let limited = methods
            .into_iter()
            .flatten()
            .any(|methods| !methods.is_empty())
            || rules
                .into_iter()
                .flatten()
                .flatten()
                .any(PathRule::names_method);
        if limited && forwarding::method_override(method, target, headers) {
            return Err(Error::Denied(&code::METHOD_OVERRIDE));
        }
        for methods in std::iter::once(&policy.methods).chain(narrow.map(|narrow| &narrow.methods))
        {
            if !listed(methods) {
                return Err(Error::Method {
                    allow: methods.clone(),
                });
            }
        }
        let mut deny = policy
            .deny
            .iter()
            .chain(narrow.iter().flat_map(|narrow| &narrow.deny));
        if deny.any(|rule| rule.matches_any(method, path)) {
            return Err(Error::Denied(&code::PATH_DENIED));
        }
        let allowed = policy
            .allow
            .iter()
            .any(|rule| rule.matches_all(method, path));
        if !policy.allow.is_empty() && !allowed {
            return Err(Error::Denied(&code::PATH_DENIED));
        }
        match surface.denied {
            // What this version cannot carry stays shut even when it is allowed.
            Some(Denial::NotBuilt(_)) => Err(Error::Denied(&code::SOAP)),
            Some(Denial::Login) if !allowed => Err(Error::Denied(&code::LOGIN_CALL)),
            Some(Denial::Login) | None => Ok(()),
        }
    }
}

/// Whether a request only reads, whatever the upstream is asked to take its method for.
pub(super) fn reads_only(parts: &Parts, target: &Target) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    reads && !forwarding::method_override(&parts.method, target, &parts.headers)
}

/// A request that waits for a credential, until it is dropped.
struct Waiting<'a>(&'a UpstreamMetrics);

impl<'a> Waiting<'a> {
    fn new(metrics: &'a UpstreamMetrics) -> Self {
        metrics.waiter_came();
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiter_went();
    }
}
