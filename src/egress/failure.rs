//! [`Failure`]: in which phase an exchange with the upstream failed, and whether the upstream may have acted.

use std::fmt;

use http::Request;

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
    /// It took too long.
    pub timeout: bool,
    /// The connection had served a request before: the upstream may have closed it at the same moment.
    pub reused: bool,
    /// The caller's own body failed; the upstream is not to blame.
    pub body: bool,
    /// The request, when not a byte of it was written.
    pub not_sent: Option<Box<Request<B>>>,
}

impl<B> Failure<B> {
    pub(super) fn new(phase: Phase, text: impl fmt::Display) -> Self {
        Self {
            phase,
            text: text.to_string(),
            timeout: false,
            reused: false,
            body: false,
            not_sent: None,
        }
    }

    /// Of an error of hyper's: the caller's body may be the cause.
    pub(super) fn of(error: &hyper::Error, not_sent: Option<Request<B>>) -> Self {
        Self {
            body: error.is_user(),
            not_sent: not_sent.map(Box::new),
            ..Self::new(Phase::Head, chain(error))
        }
    }

    pub(super) fn timed_out(self) -> Self {
        Self {
            timeout: true,
            ..self
        }
    }

    pub(super) fn on(self, reused: bool) -> Self {
        Self { reused, ..self }
    }

    pub(super) fn not_sent<T>(self, request: Request<T>) -> Failure<T> {
        Failure {
            phase: self.phase,
            text: self.text,
            timeout: self.timeout,
            reused: self.reused,
            body: self.body,
            not_sent: Some(Box::new(request)),
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
