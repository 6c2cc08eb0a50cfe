//! [`Metered`]: logins, counted under the name of whose they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::provider::{Credential, Lifetime, LoginFailure, Rotation};
use crate::secret::Secret;
use crate::telemetry::UpstreamMetrics;
use crate::telemetry::metrics::Refresh;
use crate::token::endpoint::Endpoint;
use crate::token::{Answered, Exchange, ExchangeFuture, LineageFuture, SecretsFuture};

/// Whose logins they are, in the metrics.
pub(super) struct Label(Mutex<Arc<UpstreamMetrics>>);

impl Label {
    pub(super) fn new(metrics: Arc<UpstreamMetrics>) -> Self {
        Self(Mutex::new(metrics))
    }

    pub(super) fn metrics(&self) -> Arc<UpstreamMetrics> {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.clone()
    }

    pub(super) fn turn(&self, to: Arc<UpstreamMetrics>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// A token endpoint whose logins are counted.
pub(super) struct Metered {
    pub(super) source: Endpoint,
    pub(super) label: Arc<Label>,
    pub(super) rotation: Rotation,
    pub(super) clock: Clock,
}

impl Metered {
    fn expires(&self, credential: &Credential, sent: Duration) {
        self.label
            .metrics()
            .expires_at(match credential.lifetime() {
                Lifetime::For(lifetime) => Some(sent + lifetime),
                Lifetime::UntilUnusedFor(_) => None,
            });
    }
}

impl Exchange for Metered {
    fn exchange<'a>(&'a self, refresh: &'a [Secret]) -> ExchangeFuture<'a> {
        Box::pin(async move {
            let sent = self.clock.now();
            let login = self.source.exchange(refresh).await;
            let how = match login.as_ref().map_err(|not| &not.failure) {
                Ok(_) => Refresh::Done,
                Err(LoginFailure::Refused { .. } | LoginFailure::TargetRefused { .. }) => {
                    Refresh::Refused
                }
                Err(
                    LoginFailure::Transient { .. }
                    | LoginFailure::Secret { .. }
                    | LoginFailure::Store { .. },
                ) => Refresh::Unavailable,
            };
            let metrics = self.label.metrics();
            metrics.refreshed(how, self.clock.now().since(sent));
            if let Ok(exchanged) = &login {
                self.expires(&exchanged.credential, sent.wall);
                if self.rotation == Rotation::Stays && exchanged.successor.is_some() {
                    metrics.replaced_unexpectedly();
                }
            }
            login
        })
    }

    fn reread(&self) {
        self.source.reread();
    }

    fn read(&self, answered: &Answered) -> Result<Credential, LoginFailure> {
        let credential = self.source.read(answered)?;
        self.expires(&credential, answered.sent);
        Ok(credential)
    }

    fn lineage(&self) -> LineageFuture<'_> {
        self.source.lineage()
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        self.source.secrets()
    }
}
