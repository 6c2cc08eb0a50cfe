//! [`AnswerBody`]: an answer's body that drives its own connection and gives it back at the end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::Outgoing;
use super::connection::Connection;
use super::exchange::Fault;

/// The body of an upstream's answer. Dropped before its end, it closes the connection, or resets the
/// stream.
pub struct AnswerBody<B: Outgoing> {
    /// `None`: nothing more will come.
    connection: Option<Connection<B>>,
    silence: Duration,
    /// More is awaited: not while the caller is busy with what it has.
    waiting: bool,
    broken: bool,
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The connection ended or the framing was wrong.
    #[error("the upstream's answer broke off")]
    Upstream(#[source] Fault),
    /// Nothing came for too long.
    #[error("the upstream's answer stalled")]
    Stalled,
    /// It broke off before, and whoever saw it read on.
    #[error("the upstream's answer had broken off")]
    Before,
}

impl<B: Outgoing> AnswerBody<B> {
    pub(super) fn new(connection: Connection<B>, silence: Duration) -> Self {
        let mut body = Self {
            connection: Some(connection),
            silence,
            waiting: false,
            broken: false,
        };
        // One without a body is never polled.
        body.give_back_if_over();
        body
    }

    /// Gives the connection a map that nobody needs any more: the next answer takes its room.
    pub fn reuse(&mut self, fields: HeaderMap) {
        if let Some(connection) = &mut self.connection {
            connection.reuse(fields);
        }
    }

    fn give_back_if_over(&mut self) {
        if let Some(connection) = self.connection.take_if(|connection| connection.is_over()) {
            connection.give_back();
        }
    }
}

impl<B: Outgoing> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        // Invariant: a broken answer never ends well, however often it is asked.
        if this.broken {
            return Poll::Ready(Some(Err(Broken::Before)));
        }
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        let piece = ready!(connection.poll_body(cx, &mut this.waiting, this.silence));
        if matches!(piece, Some(Err(_))) {
            this.connection = None;
            this.broken = true;
        }
        this.give_back_if_over();
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        !self.broken && self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.connection {
            Some(connection) => connection.size_hint(),
            // Nobody knows how long it would have been.
            None if self.broken => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}
