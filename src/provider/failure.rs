//! [`LoginFailure`]: why a login brought no credential, and what may be done about it.

use std::time::Duration;

use crate::config::salesforce::Environment;

/// What a token endpoint refused; it decides when another try is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// User, password, or a lock that may end by itself: tried again after 30 min, then hourly.
    Password,
    /// The client, its secret, key or refresh token, by a code or words that mean it: not tried again until it changes or an operator
    /// asks, unless it was good before.
    Client,
    /// Policy or configuration at the provider, or whatever else: tried again after ten minutes, then hourly; for this account alone.
    Policy,
}

/// Why a host that a token answer names is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    /// The allow-list does not cover it.
    #[error("not allowed")]
    NotAllowed,
    /// It is not known to be of the upstream's `environment`.
    #[error("not a {0} host, as environment = \"{0}\" wants it")]
    NotOf(Environment),
    /// It is not a host but an org, and another than `expect_org`.
    #[error("not the org that expect_org names")]
    OtherOrg,
}

/// Why a login brought no credential. Texts are the provider's, made printable and short; never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFailure {
    /// The provider said no.
    #[error("refused: {text}")]
    Refused {
        /// What was refused.
        what: Refused,
        /// `error: error_description` as the provider said it.
        text: String,
    },
    /// Another try may help: overload, an unreachable or babbling endpoint.
    #[error("unavailable: {text}")]
    Transient {
        /// What happened.
        text: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer names a host that the token must not go to; the token was thrown away.
    #[error("the token answer names `{host}`, which is {why}")]
    TargetRefused {
        /// The host or, when it is not an origin at all, its beginning.
        host: String,
        /// Which host it is.
        why: Strange,
    },
    /// A secret could not be read; nothing was sent.
    #[error("{text}")]
    Secret {
        /// Which, and why.
        text: String,
    },
    /// A refresh token cannot be used before the store works: it, or its successor, would be lost.
    #[error("{text}")]
    Store {
        /// What does not work.
        text: String,
    },
}

impl LoginFailure {
    /// Another try may help, at any time.
    pub fn transient(text: impl Into<String>) -> Self {
        Self::Transient {
            text: text.into(),
            retry_after: None,
        }
    }

    /// When the provider wants to be asked again, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the trouble is on this machine: nobody else was asked.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Store { .. })
    }
}
