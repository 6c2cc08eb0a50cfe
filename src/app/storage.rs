//! [`Storage`]: where tokens are kept, and what keeps them there.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;

use super::StartError;
use crate::clock::Clock;
use crate::config::{Store, Upstream};
use crate::provider::{Provider, Rotation};
use crate::telemetry::Metrics;
use crate::token::store::{Files, Kind, Memory, Name};
use crate::token::{self, Exchange, Keeping, Kept, Redeeming, Rotating, TokenSource, Unfinished};

/// Where tokens are kept.
#[derive(Clone)]
pub(super) struct Storage {
    pub(super) keeping: Keeping,
    /// Whether that outlives the process.
    pub(super) durable: bool,
}

impl Storage {
    /// Opens `store`; what is done with it is done on `runtime`.
    pub(super) async fn open(
        store: &Store,
        metrics: Metrics,
        runtime: runtime::Handle,
    ) -> Result<Self, StartError> {
        let opened: Arc<dyn token::store::Store> = match store {
            Store::Memory => Arc::new(Memory::default()),
            Store::File(file) => Arc::new(Files::open(file, metrics).await?),
        };
        Ok(Self {
            keeping: Keeping {
                store: opened,
                unfinished: Unfinished::new(),
                runtime,
            },
            durable: !matches!(store, Store::Memory),
        })
    }

    /// Has the access tokens removed from the store that have ended, whatever they are of; returns at once.
    pub(super) fn sweep<'a>(&self, providers: impl Iterator<Item = &'a Arc<Provider>>) {
        let unused = providers.map(|provider| provider.answer.unused).max();
        let longest = unused.unwrap_or_default().max(LONGEST_LIFE) + SLACK;
        let store = self.keeping.store.clone();
        self.keeping.runtime.spawn(async move {
            match store.sweep(longest).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(
                    count,
                    "access tokens that have ended were removed from the store"
                ),
                Err(error) => {
                    tracing::warn!(%error, "access tokens that have ended stay in the store");
                }
            }
        });
    }

    /// What logs in with `exchange`, and keeps what comes of it.
    pub(super) fn source(
        &self,
        exchange: impl Exchange,
        upstream: &Upstream,
        provider: &Provider,
        clock: Clock,
    ) -> Arc<dyn TokenSource> {
        let (account, keeping) = (upstream.name.clone(), self.keeping.clone());
        let parts = provider.kept_as();
        let name = Name::of(Kind::Token, parts.iter().map(String::as_bytes));
        if provider.rotation == Rotation::None {
            let kept = self.durable.then_some((keeping, name));
            return Arc::new(Kept::new(exchange, &account, clock, kept));
        }
        let settings = Redeeming {
            account,
            asks: name.to_string(),
            rotation: provider.rotation,
            token_timeout: upstream.token_timeout,
        };
        Arc::new(Rotating::new(exchange, clock, keeping, settings))
    }
}

/// No token whose end is known lives longer.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// By how much the clocks of a machine and of its disk may differ.
const SLACK: Duration = Duration::from_secs(3600);
