//! What is sent upstream: a body read whole, or as the caller sends it, with its beginning kept for a replay.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use crate::server::{Incoming, IncomingError};

/// A request's body on its way upstream.
pub enum RequestBody {
    /// Read whole already; a clone is a count.
    Whole(Option<Bytes>),
    /// As the caller sends it.
    Stream(Box<Stream>),
}

/// A caller's body as it comes, with its beginning kept for a replay.
pub struct Stream {
    /// Taken only when the stream is dropped.
    incoming: Option<Incoming>,
    capture: Arc<Mutex<Capture>>,
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What has passed of a streamed body, up to a limit.
pub(super) struct Capture {
    bytes: BytesMut,
    room: usize,
    state: Passed,
    /// The end has come, whatever could be kept.
    is_over: bool,
    /// What is still to come, after whoever was sending it is gone.
    rest: Option<Incoming>,
    /// The room in the memory that all such buffers share.
    permit: Option<OwnedSemaphorePermit>,
}

/// How much of a body has passed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    Some,
    All,
    /// More than there was room for.
    TooMuch,
    /// Its framing was wrong.
    Malformed,
    /// The caller stalled or left.
    Lost,
}

/// Why a caller's body could not be sent on.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing came for too long.
    #[error("the caller's body stalled")]
    Stalled,
    /// The caller's connection or framing broke.
    #[error("the caller's body broke off")]
    Broken(#[source] IncomingError),
}

impl Capture {
    pub(super) fn new(room: usize, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            bytes: BytesMut::new(),
            room,
            state: Passed::Some,
            is_over: false,
            rest: None,
            permit,
        }
    }

    /// Whether all of it may still come, within the limit.
    pub(super) fn may_come(&self) -> bool {
        // Room may be used up to the last byte; what had none from the beginning holds no permit.
        self.state == Passed::Some && self.permit.is_some()
    }

    fn keep(&mut self, bytes: &Bytes) {
        if bytes.len() > self.room {
            self.state = Passed::TooMuch;
            self.room = 0;
            self.bytes = BytesMut::new();
            self.permit = None;
        } else {
            self.room -= bytes.len();
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Whether the caller has sent all of it, and it was read.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    fn end(&mut self) {
        self.is_over = true;
        if self.state == Passed::Some {
            self.state = Passed::All;
        }
    }

    /// Whether the body ended within the limit.
    pub(super) fn is_whole(&self) -> bool {
        self.state == Passed::All
    }

    /// Whether the body's framing turned out to be wrong.
    pub(super) fn is_malformed(&self) -> bool {
        self.state == Passed::Malformed
    }

    /// Gives out the whole body with its room in the shared memory, if it ended within the limit.
    pub(super) fn take_whole(&mut self) -> Option<(Bytes, Option<OwnedSemaphorePermit>)> {
        if !self.is_whole() {
            return None;
        }
        let bytes = std::mem::take(&mut self.bytes);
        Some((bytes.freeze(), self.permit.take()))
    }
}

impl RequestBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    pub(super) fn stream(
        incoming: Incoming,
        capture: Arc<Mutex<Capture>>,
        silence: Duration,
    ) -> Self {
        Self::Stream(Box::new(Stream::new(incoming, capture, silence)))
    }
}

impl Stream {
    fn new(incoming: Incoming, capture: Arc<Mutex<Capture>>, silence: Duration) -> Self {
        Self {
            incoming: Some(incoming),
            capture,
            silence,
            timer: None,
        }
    }

    /// Reads what is still to come of a body whose sending was given up, as far as there is room for it.
    pub(super) async fn catch_up(capture: &Arc<Mutex<Capture>>, silence: Duration) {
        let rest = lock(capture).rest.take();
        let Some(rest) = rest else { return };
        let mut stream = Self::new(rest, capture.clone(), silence);
        while let Some(Ok(_)) = std::future::poll_fn(|cx| stream.poll_next(cx)).await {
            if !lock(capture).may_come() {
                return;
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Some(incoming) = &mut self.incoming else {
                return Poll::Ready(None);
            };
            let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else {
                let silence = self.silence;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(silence)));
                ready!(timer.as_mut().poll(cx));
                lock(&self.capture).state = Passed::Lost;
                return Poll::Ready(Some(Err(BodyError::Stalled)));
            };
            self.timer = None;
            // Who knows the length need not wait for the end.
            let over = self.incoming.as_ref().is_some_and(Body::is_end_stream);
            let mut capture = lock(&self.capture);
            match frame {
                // Trailers are not forwarded: the next hop may merge them (RFC 9110 section 6.5.1).
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        capture.keep(&bytes);
                        if over {
                            capture.end();
                        }
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    capture.state = if is_malformed(&error) {
                        Passed::Malformed
                    } else {
                        Passed::Lost
                    };
                    return Poll::Ready(Some(Err(BodyError::Broken(error))));
                }
                None => {
                    capture.end();
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut capture = lock(&self.capture);
        if capture.may_come() {
            capture.rest = self.incoming.take();
        }
    }
}

/// Whether a body that nobody wants ends in a moment; it is read to find out, so that another request can follow it.
pub(super) async fn is_short(mut body: Incoming) -> bool {
    let read = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.ok()?.data_ref().map_or(0, Bytes::len);
            if length > SHORT {
                return None;
            }
        }
        Some(())
    };
    let read = tokio::time::timeout(MOMENT, read).await;
    matches!(read, Ok(Some(())))
}

/// The capture of a body, whatever panicked while holding it.
pub(super) fn lock(capture: &Mutex<Capture>) -> MutexGuard<'_, Capture> {
    capture.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                let next = ready!(stream.poll_next(cx));
                Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(stream) => stream.incoming.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(stream) => stream
                .incoming
                .as_ref()
                .map(Body::size_hint)
                .unwrap_or_default(),
        }
    }
}

/// Whether a body broke off because of what the caller sent, not because it left.
fn is_malformed(error: &dyn std::error::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| {
            matches!(
                source.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            )
        })
}

/// A body that is read though nobody wants it, and how long it is waited for: a new connection costs the caller about as much.
const SHORT: usize = 64 * 1024;
const MOMENT: Duration = Duration::from_millis(20);
