//! Obtaining and keeping credentials: one current credential per account, read without a lock.
//!
//! [`TokenSource`] is the seam: one login. Everything above it knows no provider: `life` decides (a pure
//! step function), `flight` acts (on the control runtime), [`Handle`] is what the proxy holds.

pub mod endpoint;

use std::future::Future;
use std::pin::Pin;

use crate::provider::{Credential, LoginFailure};
use crate::secret::Fingerprint;

mod budget;
mod flight;
mod handle;
mod issued;
mod life;
mod refusals;
#[cfg(test)]
mod script;
mod status;
pub mod store;

pub use self::handle::{Handle, Settings};
pub use self::issued::{Issued, Rejected, Unavailable};
pub use self::refusals::Refusals;
pub use self::status::{State, Status};

/// One login at one token endpoint.
pub trait TokenSource: Send + Sync + 'static {
    /// Logs in once. Ends by itself within the token endpoint's deadline.
    fn login(&self) -> LoginFuture<'_>;

    /// What the login would send now. `Err`: it cannot be read, so that the login would fail with this.
    fn secrets(&self) -> SecretsFuture<'_>;
}

/// Digests of what a login sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prints {
    /// Of token endpoint, client and user: who shares refusals and budgets.
    pub user: Fingerprint,
    /// Of all its secrets: another one, and a remembered refusal no longer holds.
    pub secrets: Fingerprint,
    /// Of what it asks for: another one may be granted where this one is not.
    pub asks: Fingerprint,
}

/// What [`TokenSource::login`] returns.
pub type LoginFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credential, LoginFailure>> + Send + 'a>>;

/// What [`TokenSource::secrets`] returns.
pub type SecretsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Prints, LoginFailure>> + Send + 'a>>;
