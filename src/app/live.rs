//! One login from the configuration, without a running proxy: `check --live` and `token show`.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;

use super::StartError;
use super::accounts::endpoint;
use super::storage::Storage;
use crate::clock::Clock;
use crate::config::{Store, Upstream};
use crate::provider::{self, Credential, LoginFailure, Provider, Refused, Rotation};
use crate::secret::{Fingerprint, Fingerprinter};
use crate::telemetry::Metrics;
use crate::tls::Trust;
use crate::token::Exchange;
use crate::token::endpoint::Endpoint;

/// A login that was tried.
pub struct Login {
    /// What was done to log in, without secrets.
    pub request: String,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: Result<Credential, LoginFailure>,
    /// Where its API calls go.
    pub target: Option<String>,
}

/// Logins one after another. A password that was refused is not tried again for another upstream of its user: each try
/// counts towards a lock-out.
#[derive(Debug, Default)]
pub struct Logins {
    fingerprinter: Fingerprinter,
    refused: Vec<Fingerprint>,
}

impl Logins {
    /// Logs `upstream` in once. Blocks for at most its `token_timeout` once for the secrets and once for the login.
    /// `None`: it was not tried.
    pub fn log_in(
        &mut self,
        upstream: &Upstream,
        store: &Store,
    ) -> Result<Option<Login>, StartError> {
        let (clock, provider) = (Clock::system(), Arc::new(Provider::of(upstream)));
        let trust = Trust::new(&upstream.token.ca);
        let source = endpoint(upstream, &provider, trust, &clock, &self.fingerprinter);
        let driven = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let user = driven.block_on(source.secrets()).map(|prints| prints.user);
        if user.as_ref().is_ok_and(|user| self.refused.contains(user)) {
            return Ok(None);
        }
        let sent = clock.now();
        let result = match &user {
            Ok(_) => driven.block_on(once(source, store, upstream, &provider, &clock))?,
            Err(failure) => Err(failure.clone()),
        };
        let took = clock.now().since(sent);
        if let (Err(LoginFailure::Refused { what, .. }), Ok(user)) = (&result, user)
            && *what == Refused::Password
        {
            self.refused.push(user);
        }
        let target = result.as_ref().ok().and_then(|credential| {
            let base = provider.target(&provider.rest, credential)?;
            Some(format!("{}{}", base.origin, base.path))
        });
        Ok(Some(Login {
            request: match provider.login {
                provider::Login::Call(_) => format!("POST {}", provider.login),
                provider::Login::Program(_) => format!("run {}", provider.login),
            },
            took,
            result,
            target,
        }))
    }
}

/// One login. A refresh token that may have a successor is redeemed as the running proxy does it: in its turn, and with the
/// successor stored.
async fn once(
    source: Endpoint,
    store: &Store,
    upstream: &Upstream,
    provider: &Provider,
    clock: &Clock,
) -> Result<Result<Credential, LoginFailure>, StartError> {
    if provider.rotation == Rotation::None {
        let exchanged = source.exchange(&[]).await;
        return Ok(exchanged
            .map(|exchanged| exchanged.credential)
            .map_err(|not| not.failure));
    }
    let storage = Storage::open(store, Metrics::new(), runtime::Handle::current()).await?;
    let source = storage.source(source, upstream, provider, clock.clone());
    // What another process got is looked at first, so that it is not taken for the outcome of this login.
    source.restore().await;
    let login = source.login().await;
    storage
        .keeping
        .unfinished
        .settle(upstream.token_timeout)
        .await;
    Ok(login.map(|obtained| obtained.credential))
}
