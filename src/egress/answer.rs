//! [`AnswerBody`]: an answer's body that drives its own connection and gives it back at the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::Outgoing;
use super::pool::{Connection, Pool};
use super::upload::Moved;

/// The body of an upstream's answer. Dropped before its end, it closes the connection.
pub struct AnswerBody<B: Outgoing> {
    incoming: Incoming,
    connection: Option<Connection<B>>,
    pool: Arc<Pool<B>>,
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when more is awaited: not while the caller is busy with what it has.
    waiting: Option<Instant>,
    /// The request's own body, which may still be on its way.
    moved: Option<Moved>,
    broken: bool,
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The connection ended or the framing was wrong.
    #[error("the upstream's answer broke off")]
    Upstream(#[source] hyper::Error),
    /// Nothing came for too long.
    #[error("the upstream's answer stalled")]
    Stalled,
    /// It broke off before, and whoever saw it read on.
    #[error("the upstream's answer had broken off")]
    Before,
}

impl<B: Outgoing> AnswerBody<B> {
    pub(super) fn new(
        incoming: Incoming,
        connection: Connection<B>,
        pool: Arc<Pool<B>>,
        silence: Duration,
        moved: Option<Moved>,
    ) -> Self {
        Self {
            incoming,
            connection: Some(connection),
            pool,
            silence,
            timer: None,
            waiting: None,
            moved,
            broken: false,
        }
    }

    fn give_back(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.give_back(connection);
        }
    }

    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Broken::Upstream)));
        }
        let Some(connection) = &mut self.connection else {
            return Poll::Pending;
        };
        if connection.drive(cx).is_ready() {
            self.connection = None;
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Broken::Upstream)))
    }

    /// Nothing came: is it too long since something did?
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.silence.is_zero() {
            return Poll::Pending;
        }
        let waiting = *self.waiting.get_or_insert_with(Instant::now);
        loop {
            let moved = self.moved.as_ref().map(Moved::at);
            let by = moved.map_or(waiting, |moved| moved.max(waiting)) + self.silence;
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= by {
                return Poll::Ready(());
            }
            timer.as_mut().reset(by);
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
        // Invariant: a broken answer never ends well, however often it is asked.
        if self.broken {
            return Poll::Ready(Some(Err(Broken::Before)));
        }
        match self.poll_incoming(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = None;
                if self.incoming.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(broken))) => {
                self.connection = None;
                self.broken = true;
                Poll::Ready(Some(Err(broken)))
            }
            Poll::Pending => {
                ready!(self.poll_silence(cx));
                self.connection = None;
                self.broken = true;
                Poll::Ready(Some(Err(Broken::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.broken && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl<B: Outgoing> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        // An answer without a body is never polled: its connection is as good as new.
        if self.is_end_stream() {
            self.give_back();
        }
    }
}
