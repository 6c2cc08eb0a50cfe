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

    /// Changes when a secret behind the login changed, so that a remembered refusal no longer holds.
    /// `None`: a secret cannot be read now.
    fn secrets(&self) -> SecretsFuture<'_>;
}

/// What [`TokenSource::login`] returns.
pub type LoginFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credential, LoginFailure>> + Send + 'a>>;

/// What [`TokenSource::secrets`] returns.
pub type SecretsFuture<'a> = Pin<Box<dyn Future<Output = Option<Fingerprint>> + Send + 'a>>;
