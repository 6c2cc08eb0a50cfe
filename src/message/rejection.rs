//! [`Rejection`]: why a caller's request is refused before anything costs.

use crate::code::{self, Code};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Ambiguous or broken HTTP; the text says what.
    #[error("{0}")]
    Malformed(&'static str),
    /// The Host is not one this proxy answers to.
    #[error("the Host is not served here")]
    WrongHost,
    /// A browser page of another origin.
    #[error("a page of another origin")]
    CrossSite,
    /// A method that is never forwarded.
    #[error("the method is never forwarded")]
    Method,
    /// WebSocket or CONNECT.
    #[error("not built")]
    NotBuilt,
    /// The request has already passed this proxy.
    #[error("a forwarding loop")]
    Loop,
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Malformed(_) => &code::MALFORMED,
            Self::WrongHost => &code::WRONG_HOST,
            Self::CrossSite => &code::CROSS_SITE,
            Self::Method => &code::METHOD_DENIED,
            Self::NotBuilt => &code::NOT_BUILT,
            Self::Loop => &code::LOOP,
        }
    }
}
