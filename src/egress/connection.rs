//! A connection of the pool, or a place on one that others share: an exchange, and how long it may be silent.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::SizeHint;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Outgoing;
use super::answer::Broken;
use super::connect::Stream;
use super::exchange::{Exchange, Fault, Head};
use super::failure::{Failure, Phase};
use super::http2;
use super::pool::{Place, Room};
use super::silence::Silence;
use crate::telemetry::UpstreamMetrics;

/// A connection in use, with its place among the requests to its origin.
pub(super) struct Connection<B: Outgoing> {
    line: Box<Line<B>>,
    place: Arc<Place<B>>,
    reused: bool,
    _permit: OwnedSemaphorePermit,
}

/// A connection, in use or idle.
pub(super) struct Line<B> {
    exchange: Spoken<B>,
    silence: Silence,
    /// Since when it waits for the upstream, or last did: about as long it is idle.
    since: Instant,
    /// The upstream did not say that it speaks HTTP/1.1, which is all that it was offered, and no answer has shown it yet. Tomcat never
    /// says so; nor do some that speak HTTP/2 alone.
    pub(super) guessed: bool,
}

/// An exchange in the upstream's language.
#[expect(
    clippy::large_enum_variant,
    reason = "the line is boxed as a whole, and nearly all are of the large one"
)]
enum Spoken<B> {
    /// With a connection of its own.
    Http1(
        Exchange<Stream, B>,
        #[expect(dead_code, reason = "counts while it is held")] Open,
    ),
    /// On a connection that others share.
    Http2(Box<http2::Exchange<B>>),
}

/// An open connection, as the metrics count it, with its place among those that there may be. Whoever has one drops it
/// after the connection.
pub(super) struct Open {
    metrics: Arc<UpstreamMetrics>,
    _room: Room,
}

impl Open {
    pub(super) fn new(metrics: &Arc<UpstreamMetrics>, room: Room) -> Self {
        metrics.connection_opened();
        Self {
            metrics: metrics.clone(),
            _room: room,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connection_closed();
    }
}

impl<B: Outgoing> Line<B> {
    pub(super) fn new(stream: Stream, open: Open) -> Box<Self> {
        Self::speaking(Spoken::Http1(Exchange::new(stream), open))
    }

    fn speaking(exchange: Spoken<B>) -> Box<Self> {
        Box::new(Self {
            exchange,
            silence: Silence::default(),
            since: Instant::now(),
            guessed: false,
        })
    }

    /// Whether an idle one can serve a request.
    pub(super) fn is_fit(&mut self, now: Instant) -> bool {
        now.duration_since(self.since) < LONGEST_IDLE && self.exchange.is_live()
    }

    /// What is awaited next did not come yet: is the upstream silent for too long? Zero: never.
    fn poll_silence(&mut self, cx: &mut Context<'_>, silence: Duration) -> Poll<()> {
        match silence.is_zero() {
            true => Poll::Pending,
            false => self.silence.poll(cx, self.since + silence),
        }
    }
}

impl<B: Outgoing> Connection<B> {
    pub(super) fn new(
        line: Box<Line<B>>,
        place: Arc<Place<B>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            line,
            place,
            reused: false,
            _permit: permit,
        }
    }

    /// One that has served before.
    pub(super) fn reused(
        line: Box<Line<B>>,
        place: Arc<Place<B>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            reused: true,
            ..Self::new(line, place, permit)
        }
    }

    /// A place on a connection that others share.
    pub(super) fn shared(
        exchange: Box<http2::Exchange<B>>,
        place: Arc<Place<B>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let reused = exchange.is_reused();
        Self {
            reused,
            ..Self::new(Line::speaking(Spoken::Http2(exchange)), place, permit)
        }
    }

    /// Sends a request and waits for the head of the answer, no longer than `silence` after something of the request
    /// went out.
    pub(super) async fn send(
        &mut self,
        head: &Head<'_>,
        body: B,
        silence: Duration,
    ) -> Result<Response<()>, Failure<B>> {
        let reused = self.reused;
        let line = &mut *self.line;
        if let Err((fault, body)) = line.exchange.begin(head, body) {
            let refused = line.exchange.is_refused();
            let failure = failure(&fault).untouched(body);
            return Err(Failure {
                reused,
                refused,
                ..failure
            });
        }
        let mut waiting = false;
        let answer = std::future::poll_fn(|cx| {
            let mut moved = 0;
            match line.exchange.poll_head(cx, &mut moved) {
                Poll::Ready(answer) => Poll::Ready(answer.map_err(|fault| failure(&fault))),
                Poll::Pending => {
                    if moved > 0 || !std::mem::replace(&mut waiting, true) {
                        line.since = Instant::now();
                    }
                    ready!(line.poll_silence(cx, silence));
                    line.exchange.doubt();
                    let failure = Failure::new(Phase::Head, "no answer in time");
                    Poll::Ready(Err(failure.timed_out()))
                }
            }
        });
        let answer = answer.await;
        if std::mem::take(&mut line.guessed) {
            match &answer {
                Ok(_) => self.place.lanes.speaks_http1(),
                Err(failure) if failure.timeout || failure.body => {}
                Err(_) => self.place.lanes.lacks_http1(),
            }
        }
        answer.map_err(|failure| Failure {
            unsent: line.exchange.is_unsent(),
            refused: line.exchange.is_refused(),
            reused,
            ..failure
        })
    }

    /// The next piece of the answer's body; the rest of the request's goes out meanwhile.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut bool,
        silence: Duration,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let line = &mut *self.line;
        let mut moved = 0;
        match line.exchange.poll_body(cx, &mut moved) {
            Poll::Ready(piece) => {
                *waiting = false;
                Poll::Ready(piece.map(|piece| piece.map_err(Broken::Upstream)))
            }
            Poll::Pending => {
                // Not while the caller was busy with what it has.
                if moved > 0 || !std::mem::replace(waiting, true) {
                    line.since = Instant::now();
                }
                ready!(line.poll_silence(cx, silence));
                line.exchange.doubt();
                Poll::Ready(Some(Err(Broken::Stalled)))
            }
        }
    }

    pub(super) fn reuse(&mut self, fields: HeaderMap) {
        self.line.exchange.reuse(fields);
    }

    pub(super) fn is_over(&self) -> bool {
        self.line.exchange.is_over()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.line.exchange.size_hint()
    }

    /// Keeps it for another request, if it can serve one.
    pub(super) fn give_back(self) {
        let Self {
            mut line, place, ..
        } = self;
        if line.exchange.rest() {
            place.keep(line);
        }
    }
}

impl<B: Outgoing> Spoken<B> {
    fn is_live(&mut self) -> bool {
        match self {
            Self::Http1(exchange, _) => exchange.is_live(),
            Self::Http2(_) => false,
        }
    }

    fn begin(&mut self, head: &Head<'_>, body: B) -> Result<(), (Fault, B)> {
        match self {
            Self::Http1(exchange, _) => {
                exchange.begin(head, body);
                Ok(())
            }
            Self::Http2(exchange) => exchange.begin(head, body),
        }
    }

    fn is_unsent(&self) -> bool {
        match self {
            Self::Http1(exchange, _) => exchange.is_unsent(),
            Self::Http2(exchange) => exchange.is_unsent(),
        }
    }

    fn is_refused(&self) -> bool {
        match self {
            Self::Http1(..) => false,
            Self::Http2(exchange) => exchange.is_refused(),
        }
    }

    /// It took too long. A connection of its own ends with it.
    fn doubt(&self) {
        if let Self::Http2(exchange) = self {
            exchange.doubt();
        }
    }

    fn reuse(&mut self, fields: HeaderMap) {
        if let Self::Http1(exchange, _) = self {
            exchange.reuse(fields);
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Http1(exchange, _) => exchange.is_over(),
            Self::Http2(exchange) => exchange.is_over(),
        }
    }

    fn rest(&mut self) -> bool {
        match self {
            Self::Http1(exchange, _) => exchange.rest(),
            Self::Http2(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(exchange, _) => exchange.size_hint(),
            Self::Http2(exchange) => exchange.size_hint(),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<Response<()>, Fault>> {
        match self {
            Self::Http1(exchange, _) => exchange.poll_head(cx, moved),
            Self::Http2(exchange) => exchange.poll_head(cx, moved),
        }
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        match self {
            Self::Http1(exchange, _) => exchange.poll_body(cx, moved),
            Self::Http2(exchange) => exchange.poll_body(cx, moved),
        }
    }
}

fn failure<B>(fault: &Fault) -> Failure<B> {
    Failure {
        body: matches!(fault, Fault::Body(_)),
        ..Failure::new(Phase::Head, super::failure::chain(fault))
    }
}

/// Below the keep-alive time of common front ends (60 s), so that they rarely close first.
const LONGEST_IDLE: Duration = Duration::from_secs(30);
