//! Obtaining and keeping credentials: one current credential per account, read without a lock.
//!
//! [`TokenSource`] is the seam: one login. Everything above it knows no provider: `life` decides (a pure
//! step function), `flight` acts (on the control runtime), [`Handle`] is what the proxy holds. Below it, [`Kept`] is a
//! source that remembers what an [`Exchange`] brought, in a [`store`], for those who come after this process, and
//! [`Rotating`] one that never loses a refresh token.

pub mod endpoint;

use std::future::{self, Future};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use self::store::Name;
use crate::provider::{Credential, Lifetime, LoginFailure};
use crate::secret::{Fingerprint, Secret};

mod budget;
mod flight;
mod handle;
mod issued;
mod kept;
mod life;
mod refusals;
mod rotating;
#[cfg(test)]
mod script;
mod status;
pub mod store;
mod unfinished;

pub use self::handle::{Handle, Settings};
pub use self::issued::{Issued, Rejected, Unavailable};
pub use self::kept::{Keeping, Kept};
pub use self::refusals::Refusals;
pub use self::rotating::{Redeeming, Rotating};
pub use self::status::{State, Status};
pub use self::unfinished::Unfinished;

/// Where an account's credentials come from. Asked on the control runtime.
pub trait TokenSource: Send + Sync + 'static {
    /// Logs in once. Ends by itself within the token endpoint's deadline.
    fn login(&self) -> LoginFuture<'_>;

    /// What the login would send now. `Err`: it cannot be read, so that the login would fail with this.
    fn secrets(&self) -> SecretsFuture<'_>;

    /// An operator says that secrets may be other ones now: nothing that was read before counts; returns at once.
    fn reread(&self) {}

    /// What logs call the account from now on.
    fn rename(&self, _account: &str) {}

    /// By how much a login may take longer than one exchange with the token endpoint.
    fn extra(&self) -> Duration {
        Duration::ZERO
    }

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

impl Obtained {
    /// Whether it is worth anything now, if it was asked for now.
    fn is_alive(&self) -> bool {
        match self.credential.lifetime() {
            Lifetime::For(life) => self.age < life,
            Lifetime::UntilUnusedFor(timeout) => self.age < timeout / 2,
        }
    }
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
    /// Logs in once; presents the first of `refresh`, if there is one, for the configured refresh token. The others are known of the same
    /// grant, and shown nowhere. Ends by itself within the token endpoint's deadline.
    fn exchange<'a>(&'a self, refresh: &'a [Secret]) -> ExchangeFuture<'a>;

    /// See [`TokenSource::reread`].
    fn reread(&self) {}

    /// The credential in an answer that was kept, as it is read today.
    fn read(&self, answer: &Answered) -> Result<Credential, LoginFailure>;

    /// Where the refresh token lives. `Err`: what decides it cannot be read.
    fn lineage(&self) -> LineageFuture<'_>;

    /// See [`TokenSource::secrets`].
    fn secrets(&self) -> SecretsFuture<'_>;
}

/// What [`Exchange::exchange`] returns.
pub type ExchangeFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Exchanged, NotExchanged>> + Send + 'a>>;

/// What [`Exchange::lineage`] returns.
pub type LineageFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Lineage, LoginFailure>> + Send + 'a>>;

/// Where a refresh token and its successors live.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The name of their record.
    pub name: Name,
    /// The configured one, which is the first.
    pub seed: Option<Secret>,
}

/// What came of an exchange.
#[derive(Debug)]
pub struct Exchanged {
    /// The credential.
    pub credential: Credential,
    /// The answer that it is in.
    pub answer: Answered,
    /// The refresh token to be used next; `None`: the one that was used, if any, stays.
    pub successor: Option<Secret>,
}

/// Why nothing came of an exchange.
#[derive(Clone, Debug)]
pub struct NotExchanged {
    /// Why.
    pub failure: LoginFailure,
    /// Whether what was presented may be used up.
    pub presented: Presented,
}

/// Whether the token endpoint has seen what it was presented.
#[derive(Clone, Debug)]
pub enum Presented {
    /// Nothing was sent.
    Never,
    /// It has, and said no.
    InVain,
    /// It has, and said that it is none, or none any more.
    Denied,
    /// Nobody knows what became of it.
    Perhaps,
    /// It has taken it and given this refresh token in its place, with an access token that cannot be used.
    Replaced(Secret),
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
