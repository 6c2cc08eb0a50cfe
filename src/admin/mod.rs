//! Looking inside: health, metrics and a JSON API on a listener of its own.
//!
//! This room knows nobody: it acts through [`Controls`], which `app` fills. No answer here holds a token
//! or a secret. Whatever changes something is a POST with `X-Upauth-Admin: 1`, which a web page cannot
//! send without asking first, behind the same Host and Origin guard as the proxy itself.

mod guests;
mod listener;
mod problem;
mod reload;
mod routes;
mod status;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use http::request::Parts;
use tokio::sync::oneshot;

pub use self::reload::{Changed, ReloadError, ReloadFuture, Reloaded};
pub use self::status::{Check, State, UpstreamStatus};

use self::listener::Bounded;
use crate::message::Rejection;
use crate::provider::LoginFailure;
use crate::server::Acceptor;
use crate::telemetry::Metrics;

/// What the admin listener can see and do. Clones are cheap.
#[derive(Clone)]
pub struct Controls {
    /// What readiness consists of; ready is when all are.
    pub ready: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
    /// Each upstream, in the order of the file.
    pub status: Arc<dyn Fn() -> Vec<UpstreamStatus> + Send + Sync>,
    /// Logs an upstream in anew, whatever was refused before.
    pub renew: Arc<dyn Fn(String) -> RenewFuture + Send + Sync>,
    /// The same, unless there is a good token.
    pub retry: Arc<dyn Fn(String) -> RenewFuture + Send + Sync>,
    /// Reads the configuration again.
    pub reload: Arc<dyn Fn() -> ReloadFuture + Send + Sync>,
    /// The process's metrics.
    pub metrics: Metrics,
    /// Refuses foreign hosts and foreign pages.
    pub guard: Guard,
}

/// Judges a request by its head.
pub type Guard = Arc<dyn Fn(&Parts) -> Result<(), Rejection> + Send + Sync>;

/// What [`Controls::renew`] returns. This room waits at most [`RENEW_LIMIT`]; the renewal must go on
/// when the future is dropped.
pub type RenewFuture = Pin<Box<dyn Future<Output = Result<(), RenewError>> + Send>>;

/// Why an upstream was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// There is no upstream of this name.
    #[error("no upstream has this name")]
    Unknown,
    /// The login failed.
    #[error(transparent)]
    Login(#[from] LoginFailure),
}

/// How much a listener shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything, guarded.
    Full,
    /// `/livez`, `/readyz`, `/healthz` and `/metrics`, for any Host: what an orchestrator asks.
    HealthOnly,
}

/// Serves until `shutdown` ends; answers that are under way then get [`LAST_ANSWERS`].
pub async fn serve(
    listener: Acceptor,
    controls: Controls,
    scope: Scope,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = oneshot::channel::<()>();
    let router = routes::router(controls, scope).layer(middleware::from_fn(guests::counted));
    let service = router.into_make_service_with_connect_info::<guests::Guest>();
    let server = axum::serve(Bounded::new(listener), service);
    let server = server.with_graceful_shutdown(async {
        let _ = stopping.await;
    });
    let cut = async {
        shutdown.await;
        let _ = stop.send(());
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        ended = server.into_future() => ended,
        () = cut => Ok(()),
    }
}

/// The longest a renewal is waited for.
pub const RENEW_LIMIT: Duration = Duration::from_secs(45);
/// How long answers under way may take when the listener stops.
pub const LAST_ANSWERS: Duration = Duration::from_secs(2);
