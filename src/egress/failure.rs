//! [`Failure`]: in which phase an exchange with the upstream failed, and whether the upstream may have acted.

use std::fmt;

use crate::message::Origin;

/// How far an exchange came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a place among the connections to this origin.
    Queue,
    /// Name resolution and TCP.
    Connect,
    /// The name resolves to addresses that are not allowed.
    Address,
    /// The files with the authorities of an https target.
    Trust,
    /// The TLS handshake.
    Tls,
    /// Sending the request, up to the head of the answer.
    Head,
}

/// Why no answer came.
pub struct Failure<B> {
    /// How far it came.
    pub phase: Phase,
    /// What happened, for the log.
    pub text: String,
    /// Host and port of the upstream, once a request was to be sent there.
    pub place: Option<String>,
    /// It took too long.
    pub timeout: bool,
    /// The connection had served a request before: the upstream may have closed it at the same moment.
    pub reused: bool,
    /// The caller's own body failed; the upstream is not to blame.
    pub body: bool,
    /// The upstream cannot have acted: not a byte of the request was written, or it was refused.
    pub unsent: bool,
    /// The upstream said that it took no notice of the request on this connection (RFC 9113 section 8.7): another may
    /// do better.
    pub refused: bool,
    /// The request's body, untouched.
    pub untouched: Option<B>,
}

impl<B> Failure<B> {
    pub(super) fn new(phase: Phase, text: impl fmt::Display) -> Self {
        Self {
            phase,
            text: text.to_string(),
            place: None,
            timeout: false,
            reused: false,
            body: false,
            unsent: false,
            refused: false,
            untouched: None,
        }
    }

    /// The same for another request that nothing was sent of.
    pub(super) fn again(&self) -> Self {
        Self {
            timeout: self.timeout,
            ..Self::new(self.phase, &self.text)
        }
    }

    /// The host may be one that came with a token, which no configuration names.
    pub(super) fn at(self, origin: &Origin) -> Self {
        Self {
            place: Some(format!("{}:{}", origin.host(), origin.port())),
            ..self
        }
    }

    pub(super) fn timed_out(self) -> Self {
        Self {
            timeout: true,
            ..self
        }
    }

    /// Before anything was sent, nor taken of the body.
    pub(super) fn untouched(self, body: B) -> Self {
        Self {
            unsent: true,
            untouched: Some(body),
            ..self
        }
    }
}

impl<B> fmt::Display for Failure<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Queue => "waiting for a connection",
            Phase::Connect => "connecting",
            Phase::Address => "checking the address",
            Phase::Trust => "reading `ca`",
            Phase::Tls => "TLS handshake",
            Phase::Head => "waiting for the answer",
        };
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{phase}: {}", self.text)
    }
}

impl<B> fmt::Debug for Failure<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
