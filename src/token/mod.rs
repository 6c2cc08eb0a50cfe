//! Obtaining and keeping credentials: one current credential per account, read without a lock.
//!
//! [`TokenSource`] is the seam: one login. Everything above it knows no provider: `life` decides (a pure
//! step function), `flight` acts (on the control runtime), [`Handle`] is what the proxy holds. Below it, [`Kept`] is a
//! source that remembers what an [`Exchange`] brought, in a [`store`], for those who come after this process.

pub mod endpoint;

use std::future::{self, Future};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::provider::{Credential, LoginFailure};
use crate::secret::Fingerprint;

mod budget;
mod flight;
mod handle;
mod issued;
mod kept;
mod life;
mod refusals;
#[cfg(test)]
mod script;
mod status;
pub mod store;
mod unfinished;

pub use self::handle::{Handle, Settings};
pub use self::issued::{Issued, Rejected, Unavailable};
pub use self::kept::{Keeping, Kept};
pub use self::refusals::Refusals;
pub use self::status::{State, Status};
pub use self::unfinished::Unfinished;

/// Where an account's credentials come from. Asked on the control runtime.
pub trait TokenSource: Send + Sync + 'static {
    /// Logs in once. Ends by itself within the token endpoint's deadline.
    fn login(&self) -> LoginFuture<'_>;

    /// What the login would send now. `Err`: it cannot be read, so that the login would fail with this.
    fn secrets(&self) -> SecretsFuture<'_>;

    /// Whether there may be something to [`restore`](Self::restore).
    fn keeps(&self) -> bool {
        false
    }

    /// The credential that was kept by somebody else, if there is one. Asked once, before the first login.
    fn restore(&self) -> RestoreFuture<'_> {
        Box::pin(future::ready(None))
    }

    /// The credential is in use; returns at once.
    fn used(&self, _credential: &Credential) {}

    /// The credential is dead and not to be restored by anybody; returns at once.
    fn rejected(&self, _credential: &Credential) {}
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
    Pin<Box<dyn Future<Output = Result<Obtained, LoginFailure>> + Send + 'a>>;

/// What [`TokenSource::secrets`] returns.
pub type SecretsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Prints, LoginFailure>> + Send + 'a>>;

/// What [`TokenSource::restore`] returns.
pub type RestoreFuture<'a> = Pin<Box<dyn Future<Output = Option<Obtained>> + Send + 'a>>;

/// A credential, and how old it was when it was asked for.
#[derive(Debug)]
pub struct Obtained {
    /// The credential.
    pub credential: Credential,
    /// Zero, if its login was sent after that. Of one without expiry: for how long nobody used it.
    pub age: Duration,
}

impl From<Credential> for Obtained {
    fn from(credential: Credential) -> Self {
        Self {
            credential,
            age: Duration::ZERO,
        }
    }
}

/// What is exchanged with one token endpoint. It remembers nothing.
pub trait Exchange: Send + Sync + 'static {
    /// Logs in once. Ends by itself within the token endpoint's deadline.
    fn exchange(&self) -> ExchangeFuture<'_>;

    /// The credential in an answer that was kept, as it is read today.
    fn read(&self, answer: &Answered) -> Result<Credential, LoginFailure>;

    /// See [`TokenSource::secrets`].
    fn secrets(&self) -> SecretsFuture<'_>;
}

/// What [`Exchange::exchange`] returns.
pub type ExchangeFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Exchanged, LoginFailure>> + Send + 'a>>;

/// What came of an exchange.
#[derive(Debug)]
pub struct Exchanged {
    /// The credential.
    pub credential: Credential,
    /// The answer that it is in.
    pub answer: Answered,
}

/// A token endpoint's answer, as it came. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Answered {
    /// The body.
    pub body: Bytes,
    /// When the request was sent, by the wall clock.
    pub sent: Duration,
}

impl std::fmt::Debug for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answered")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
