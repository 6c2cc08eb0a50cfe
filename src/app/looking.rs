//! What the admin listener sees and does: its controls, filled from the accounts.

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::{Account, Accounts};
use super::{Addresses, StartError};
use crate::admin::{self, Check, Controls, RenewError, Scope, UpstreamStatus};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::server::Listen;
use crate::message::Guard;
use crate::provider::{LoginFailure, Provider};
use crate::server::Floor;
use crate::telemetry::Metrics;
use crate::token::{State, Unavailable};

/// Everything the admin listener is built from.
pub(super) struct Looking<'a> {
    pub(super) config: &'a Config,
    pub(super) accounts: &'a Arc<Accounts>,
    pub(super) metrics: &'a Metrics,
    pub(super) floor: &'a Floor,
    pub(super) clock: &'a Clock,
    pub(super) guard: Guard,
}

impl Looking<'_> {
    /// Binds and serves `[admin]` on the control runtime until `end`.
    pub(super) fn serve(
        self,
        addrs: &mut Addresses,
        end: &CancellationToken,
        control: &runtime::Handle,
    ) -> Result<(), StartError> {
        let admin = &self.config.admin;
        for (listen, scope) in [
            (&admin.listen, Scope::Full),
            (&admin.health_listen, Scope::HealthOnly),
        ] {
            let Some(listen) = listen else { continue };
            for socket in bind(listen)? {
                let addr = socket.local_addr().map_err(StartError::Thread)?;
                match scope {
                    Scope::Full => addrs.admin.get_or_insert(addr),
                    Scope::HealthOnly => addrs.health.get_or_insert(addr),
                };
                let (controls, end) = (self.controls(), end.clone());
                control.spawn(async move {
                    let served = async {
                        let listener = TcpListener::from_std(socket)?;
                        admin::serve(
                            listener,
                            controls,
                            scope,
                            async move { end.cancelled().await },
                        )
                        .await
                    };
                    if let Err(error) = served.await {
                        tracing::error!(%error, "the admin listener ended");
                    }
                });
            }
        }
        Ok(())
    }

    fn controls(&self) -> Controls {
        let (accounts, clock) = (self.accounts.clone(), self.clock.clone());
        let renewing = self.accounts.clone();
        let leaving = self.floor.leaving.clone();
        let guard = self.guard.clone();
        Controls {
            ready: Arc::new(move || {
                vec![
                    Check {
                        name: "config",
                        ok: true,
                    },
                    Check {
                        name: "listeners",
                        ok: true,
                    },
                    Check {
                        name: "not-draining",
                        ok: !leaving.is_cancelled(),
                    },
                ]
            }),
            status: Arc::new(move || {
                accounts
                    .iter()
                    .map(|(name, account)| status(name, account, &clock))
                    .collect()
            }),
            renew: Arc::new(move |name| {
                let tokens = renewing.get(&name).map(|account| account.tokens.clone());
                Box::pin(async move {
                    let tokens = tokens.ok_or(RenewError::Unknown)?;
                    let deadline = Instant::now() + RENEW;
                    tokens
                        .renew(deadline)
                        .await
                        .map(drop)
                        .map_err(|why| RenewError::Login(failure(why)))
                })
            }),
            metrics: self.metrics.clone(),
            guard: Arc::new(move |parts| guard.check(parts)),
        }
    }
}

fn bind(listen: &Listen) -> Result<Vec<StdListener>, StartError> {
    crate::server::bind(listen, 1)
        .map(|bound| bound.sockets.into_iter().flatten().collect())
        .map_err(|source| StartError::Listen {
            addr: listen
                .addrs
                .first()
                .map_or_else(|| listen.host.clone(), ToString::to_string),
            source,
        })
}

fn status(name: &str, account: &Account, clock: &Clock) -> UpstreamStatus {
    let (now, status) = (clock.now().wall, account.tokens.status());
    UpstreamStatus {
        name: name.to_owned(),
        provider: account.provider.name,
        state: match status.state {
            State::None => admin::State::NotYet,
            State::Valid => admin::State::Valid,
            State::Renewing => admin::State::LoggingIn,
            State::Waiting => admin::State::Unavailable,
            State::Refused => admin::State::Refused,
        },
        since: Some(now.saturating_sub(status.since)),
        why: status.why,
        next_try: status.next_try.map(|wait| now + wait),
        expires_in: status.expires_in,
        surfaces: surfaces(&account.provider),
    }
}

fn surfaces(provider: &Provider) -> Vec<String> {
    let named = provider
        .surfaces
        .iter()
        .filter(|surface| surface.denied.is_none());
    named
        .chain([&provider.rest])
        .map(|surface| surface.name.to_owned())
        .collect()
}

/// The words of a failed login, as admin tells them.
fn failure(why: Unavailable) -> LoginFailure {
    match why {
        Unavailable::Refused { text, what } => LoginFailure::Refused { what, text },
        Unavailable::TargetRefused { host, why } => LoginFailure::TargetRefused { host, why },
        Unavailable::Secret { text } => LoginFailure::Secret { text },
        Unavailable::Transient { text, retry_after } => LoginFailure::Transient {
            text,
            retry_after: Some(retry_after),
        },
        Unavailable::Timeout { retry_after } => LoginFailure::Transient {
            text: "the token endpoint did not answer in time".to_owned(),
            retry_after: Some(retry_after),
        },
    }
}

/// Longest wait for a renewal that an operator asked for; shorter than admin's own.
const RENEW: Duration = Duration::from_secs(40);
