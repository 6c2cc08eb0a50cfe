//! [`Fault`]: what ended an exchange before its end.

use std::error::Error;
use std::io;

/// What went wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The upstream closed the connection within an answer, or before it.
    #[error("the connection ended early")]
    Ended,
    /// An HTTP/2 stream or connection was ended. What a peer says of it in words of its own is left out.
    #[error("HTTP/2: {who} ended the {what}: {reason}")]
    Frames {
        /// Who did.
        who: &'static str,
        /// The stream, or the connection.
        what: &'static str,
        /// Why.
        reason: h2::Reason,
    },
    /// What came is no answer, or one that cannot be passed on truthfully.
    #[error("{0}")]
    Framing(&'static str),
    /// The request's own body failed.
    #[error("the request's body failed")]
    Body(#[source] Box<dyn Error + Send + Sync>),
}
