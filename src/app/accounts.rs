//! One [`Handle`] per account: upstreams that log in alike share a token, a flight and a login budget.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime;

use super::StartError;
use crate::clock::Clock;
use crate::config::{Config, Upstream};
use crate::egress::Proxy;
use crate::provider::{Lifetime, LoginFailure, Provider};
use crate::secret::Fingerprinter;
use crate::telemetry::metrics::Refresh;
use crate::telemetry::{Metrics, UpstreamMetrics};
use crate::tls::{self, ClientConfig};
use crate::token::endpoint::Endpoint;
use crate::token::{Handle, LoginFuture, Refusals, SecretsFuture, Settings, TokenSource};

/// An upstream's provider and its credential.
pub(super) struct Account {
    /// What is particular to its provider.
    pub(super) provider: Arc<Provider>,
    /// Its credential.
    pub(super) tokens: Handle,
    /// TLS to its API.
    pub(super) api_tls: Arc<ClientConfig>,
    /// The proxy on the way to its API.
    pub(super) proxy: Option<Arc<Proxy>>,
}

/// All accounts, by upstream.
pub(super) struct Accounts {
    by_upstream: BTreeMap<String, Account>,
}

impl Accounts {
    /// Builds what logs in for each upstream. Nothing is sent yet.
    pub(super) fn open(
        config: &Config,
        clock: &Clock,
        metrics: &Metrics,
        control: &runtime::Handle,
    ) -> Result<Self, StartError> {
        let fingerprinter = Fingerprinter::new();
        let refusals = Refusals::default();
        let mut tls = TlsClients::default();
        let mut shared: HashMap<Vec<String>, Handle> = HashMap::new();
        let mut by_upstream = BTreeMap::new();
        for upstream in &config.upstreams {
            let provider = Arc::new(Provider::of(upstream));
            let identity = provider.account(upstream);
            let tokens = match shared.get(&identity) {
                Some(tokens) => tokens.clone(),
                None => {
                    let source = endpoint(
                        upstream,
                        &provider,
                        &*tls.get(&upstream.token.ca)?,
                        clock,
                        &fingerprinter,
                    )?;
                    let source = Metered {
                        source,
                        metrics: metrics.upstream(&upstream.name),
                        clock: clock.clone(),
                    };
                    let settings = Settings {
                        token_timeout: upstream.token_timeout,
                    };
                    Handle::spawn(
                        upstream.name.clone(),
                        Arc::new(source),
                        clock.clone(),
                        settings,
                        refusals.clone(),
                        control,
                    )
                }
            };
            shared.insert(identity, tokens.clone());
            let account = Account {
                provider,
                tokens,
                api_tls: tls.get(&upstream.api.ca)?,
                proxy: upstream
                    .api
                    .proxy
                    .as_ref()
                    .and_then(Proxy::of)
                    .map(Arc::new),
            };
            by_upstream.insert(upstream.name.clone(), account);
        }
        Ok(Self { by_upstream })
    }

    /// The account of an upstream.
    pub(super) fn get(&self, upstream: &str) -> Option<&Account> {
        self.by_upstream.get(upstream)
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.by_upstream
            .iter()
            .map(|(name, account)| (name.as_str(), account))
    }
}

/// A token endpoint whose logins are counted.
struct Metered {
    source: Endpoint,
    metrics: Arc<UpstreamMetrics>,
    clock: Clock,
}

impl TokenSource for Metered {
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(async {
            let sent = self.clock.now();
            let login = self.source.login().await;
            let how = match &login {
                Ok(_) => Refresh::Done,
                Err(LoginFailure::Refused { .. } | LoginFailure::TargetRefused { .. }) => {
                    Refresh::Refused
                }
                Err(LoginFailure::Transient { .. } | LoginFailure::Secret { .. }) => {
                    Refresh::Unavailable
                }
            };
            self.metrics.refreshed(how, self.clock.now().since(sent));
            if let Ok(credential) = &login {
                self.metrics.expires_at(match credential.lifetime() {
                    Lifetime::For(lifetime) => Some(sent.wall + lifetime),
                    Lifetime::UntilUnusedFor(_) => None,
                });
            }
            login
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        self.source.secrets()
    }
}

/// The login client of one upstream.
pub(super) fn endpoint(
    upstream: &Upstream,
    provider: &Arc<Provider>,
    tls: &ClientConfig,
    clock: &Clock,
    fingerprinter: &Fingerprinter,
) -> Result<Endpoint, StartError> {
    Endpoint::new(
        provider.clone(),
        tls.clone(),
        &upstream.token,
        upstream.token_timeout,
        clock.clone(),
        fingerprinter.clone(),
    )
    .map_err(|error| StartError::Endpoint {
        upstream: upstream.name.clone(),
        why: error.to_string(),
    })
}

/// One TLS configuration per set of authorities: reading the system's takes a while.
#[derive(Default)]
pub(super) struct TlsClients(HashMap<Vec<PathBuf>, Arc<ClientConfig>>);

impl TlsClients {
    /// The configuration that trusts the system and `ca`.
    pub(super) fn get(&mut self, ca: &[PathBuf]) -> Result<Arc<ClientConfig>, StartError> {
        if let Some(known) = self.0.get(ca) {
            return Ok(known.clone());
        }
        let made = tls::client(ca)?;
        self.0.insert(ca.to_vec(), made.clone());
        Ok(made)
    }
}
