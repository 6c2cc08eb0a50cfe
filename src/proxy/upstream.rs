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
use crate::message::twins::Names;
use crate::message::{PathRule, Readings, Target, method_override};
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
    /// What callers may do: what all of them allow. There is one at least.
    pub policies: Vec<Policy>,
    /// Whether its login and logout calls are answered here.
    pub local_login: bool,
    /// Set on every request.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Taken off every request: those that are set, and others.
    pub remove_headers: Names,
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
    /// The current credential, or the next one.
    pub(super) async fn credential(&self, patience: &mut Duration) -> Result<Issued, Unavailable> {
        // Not as of the time of arrival: a body may have taken its time to come.
        match self.tokens.current(Instant::now()) {
            Some(issued) => Ok(issued),
            None => self.obtain_after(0, patience).await,
        }
    }

    /// Waits for a credential newer than `generation`, counted as waiting; takes the time off `patience`, which is for all
    /// waits of a request.
    pub(super) async fn obtain_after(
        &self,
        generation: u64,
        patience: &mut Duration,
    ) -> Result<Issued, Unavailable> {
        let _waiting = Waiting::new(&self.metrics);
        let began = Instant::now();
        // Boxed: a request that has its token needs no room for this.
        let obtained = Box::pin(self.tokens.obtain_after(generation, began + *patience)).await;
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
        path: &Readings<'_>,
    ) -> Option<&'a LocalCall> {
        if !self.local_login {
            return None;
        }
        let call = local::find(&surface.local, method, path)?;
        let passes_by = self.denies(narrow, method, path) || self.allows(method, path);
        (!passes_by).then_some(call)
    }

    /// Whether a call may pass at all: `deny` beats `allow`, `allow` beats what the provider denies.
    pub(super) fn permits(
        &self,
        surface: &Surface,
        narrow: Option<&Narrow>,
        parts: &Parts,
        target: &Target,
        path: &Readings<'_>,
    ) -> Result<(), Error> {
        // Most have no rules, and looking for none costs as much as looking for some.
        if narrow.is_some() || !self.policies.iter().all(Policy::is_open) {
            self.rules(surface, narrow, parts, target, path)?;
        }
        match surface.denied {
            // What this version cannot carry stays shut even when it is allowed.
            Some(Denial::NotBuilt(_)) => Err(Error::Denied(&code::SOAP)),
            Some(Denial::Login) if !self.allows(&parts.method, path) => {
                Err(Error::Denied(&code::LOGIN_CALL))
            }
            Some(Denial::Login) | None => Ok(()),
        }
    }

    /// Whether a call is within the operator's rules.
    fn rules(
        &self,
        surface: &Surface,
        narrow: Option<&Narrow>,
        parts: &Parts,
        target: &Target,
        path: &Readings<'_>,
    ) -> Result<(), Error> {
        let (method, headers) = (&parts.method, &parts.headers);
        let policies = self.policies.iter();
        let read_only = policies.clone().any(|policy| policy.read_only)
            || narrow.is_some_and(|narrow| narrow.read_only);
        if read_only && !reads_only(surface, parts, target, path) {
            return Err(Error::Denied(&code::READ_ONLY));
        }
        let methods = policies.clone().map(|policy| &policy.methods);
        let methods = methods.chain(narrow.map(|narrow| &narrow.methods));
        let methods = methods.filter(|methods| !methods.is_empty());
        let rules = policies.flat_map(|policy| policy.deny.iter().chain(&policy.allow));
        let mut rules = rules.chain(narrow.into_iter().flat_map(|narrow| &narrow.deny));
        let limited = methods.clone().next().is_some() || rules.any(PathRule::names_method);
        if limited && method_override(method, target, headers) {
            return Err(Error::Denied(&code::METHOD_OVERRIDE));
        }
        let listed = |method: &Method| methods.clone().all(|list| list.contains(method));
        if !listed(method) {
            let either = methods.clone().next().into_iter().flatten();
            return Err(Error::Method {
                allow: either.filter(|method| listed(method)).cloned().collect(),
            });
        }
        if self.denies(narrow, method, path) || self.leaves_out(method, path) {
            return Err(Error::Denied(&code::PATH_DENIED));
        }
        Ok(())
    }

    fn denies(&self, narrow: Option<&Narrow>, method: &Method, path: &Readings<'_>) -> bool {
        let narrow = narrow.into_iter().flat_map(|narrow| &narrow.deny);
        let deny = self.policies.iter().flat_map(|policy| &policy.deny);
        deny.chain(narrow)
            .any(|rule| rule.matches_any(method, path))
    }

    /// Whether `allow` is given somewhere, and does not list the call.
    fn leaves_out(&self, method: &Method, path: &Readings<'_>) -> bool {
        let given = self.policies.iter();
        let mut given = given.filter(|policy| !policy.allow.is_empty());
        given.any(|policy| !lists(policy, method, path))
    }

    /// Whether `allow` lists the call.
    fn allows(&self, method: &Method, path: &Readings<'_>) -> bool {
        let mut policies = self.policies.iter();
        policies.all(|policy| lists(policy, method, path))
    }
}

fn lists(policy: &Policy, method: &Method, path: &Readings<'_>) -> bool {
    let mut allow = policy.allow.iter();
    allow.any(|rule| rule.matches_all(method, path))
}

/// Whether a request only reads, whatever the upstream is asked to take its method for.
pub(super) fn reads_only(
    surface: &Surface,
    parts: &Parts,
    target: &Target,
    path: &Readings<'_>,
) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let overridden = method_override(&parts.method, target, &parts.headers);
    reads && !overridden && !surface.acts(path)
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
