//! What the proxy gets to see of a credential's life: one that was [`Issued`], what a rejection led to, and
//! why there is none.

use std::sync::Arc;
use std::time::Duration;

use crate::provider::{Credential, LoginFailure, Refused, Strange};

/// A credential as it was handed out. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The header values and the host that came with them.
    pub credential: Arc<Credential>,
    pub(super) generation: u64,
}

impl Issued {
    /// Which (token, host) this is; larger is newer.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// What a rejection of a credential led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The credential is no longer handed out and another is on its way, or will be when it is waited for.
    Renewing,
    /// A newer credential is already there.
    Replaced,
    /// The credential was minted because of a rejection and has not had a good answer yet: the upstream's answer
    /// passes, and no login follows.
    Settling,
    /// Rejections have caused too many logins lately: the upstream's answer passes, and the credential stays, because it is
    /// the only one.
    Exhausted,
    /// No login succeeds, and others were served well with the credential since it was rejected before: the upstream's
    /// answer passes.
    Contradicted,
}

/// Why there is no credential. For logs; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The token endpoint said no; a person must act, or a lock-out must end.
    #[error("the token endpoint refused: {text}")]
    Refused {
        /// What it said.
        text: String,
        /// What was refused.
        what: Refused,
    },
    /// The next try comes after the caller's deadline.
    #[error("{text}")]
    Transient {
        /// What happened last.
        text: String,
        /// When the next try is allowed.
        retry_after: Duration,
    },
    /// The token endpoint's answer names a host that the token must not go to.
    #[error("the token answer names `{host}`, which is {why}")]
    TargetRefused {
        /// The host.
        host: String,
        /// Which host it is.
        why: Strange,
    },
    /// A secret could not be read.
    #[error("{text}")]
    Secret {
        /// Which, and why.
        text: String,
        /// When the next try is allowed.
        retry_after: Duration,
    },
    /// The store, without which no refresh token is used, does not work.
    #[error("{text}")]
    Store {
        /// What does not work.
        text: String,
        /// When the next try is allowed.
        retry_after: Duration,
    },
    /// The caller's deadline passed while a login was under way.
    #[error("no token within the caller's deadline")]
    Timeout {
        /// When asking again is sensible.
        retry_after: Duration,
    },
}

impl Unavailable {
    /// What `failure` means to a caller, the next try being `retry_after` away.
    pub(super) fn because(failure: LoginFailure, retry_after: Duration) -> Self {
        match failure {
            LoginFailure::Refused { what, text } => Self::Refused { text, what },
            LoginFailure::Transient { text, .. } => Self::Transient { text, retry_after },
            LoginFailure::TargetRefused { host, why } => Self::TargetRefused { host, why },
            LoginFailure::Secret { text } => Self::Secret { text, retry_after },
            LoginFailure::Store { text } => Self::Store { text, retry_after },
        }
    }
}
