//! One login from the configuration, without a running proxy: `check --live` and `token show`.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use super::accounts::{TlsClients, endpoint};
use crate::clock::Clock;
use crate::config::Upstream;
use crate::provider::{Credential, LoginFailure, Provider};
use crate::secret::Fingerprinter;
use crate::token::TokenSource;

/// A login that was tried.
#[derive(Debug)]
pub struct Login {
    /// Where the login was sent, without secrets.
    pub endpoint: String,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: Result<Credential, LoginFailure>,
    /// Where its API calls go.
    pub target: Option<String>,
}

/// Logs `upstream` in once. Blocks for at most its `token_timeout`.
pub fn login(upstream: &Upstream) -> Result<Login, StartError> {
    let (clock, provider) = (Clock::system(), Arc::new(Provider::of(upstream)));
    let tls = TlsClients::default().get(&upstream.token.ca)?;
    let source = endpoint(upstream, &provider, &tls, &clock, &Fingerprinter::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let sent = clock.now();
    let result = runtime.block_on(source.login());
    let target = result.as_ref().ok().and_then(|credential| {
        let base = provider.target(&provider.rest, credential)?;
        Some(format!("{}{}", base.origin, base.path))
    });
    Ok(Login {
        endpoint: provider.login.to_string(),
        took: clock.now().since(sent),
        result,
        target,
    })
}
