//! Obtaining and keeping credentials: one current credential per account, read without a lock.
//!
//! [`TokenSource`] is the seam: one login. Everything above it (life, flight, handle) knows no provider.

pub mod endpoint;

use std::future::Future;
use std::pin::Pin;

use crate::provider::{Credential, LoginFailure};

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
pub type SecretsFuture<'a> =
    Pin<Box<dyn Future<Output = Option<crate::secret::Fingerprint>> + Send + 'a>>;
