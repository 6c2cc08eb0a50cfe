//! The two bodies: what is sent upstream, and what callers get. Both are enums, so that nothing is boxed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::finish::Finish;
use crate::egress::AnswerBody;
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
    incoming: Incoming,
    capture: Arc<Mutex<Capture>>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What has passed of a streamed body, up to a limit.
pub(super) struct Capture {
    bytes: BytesMut,
    room: usize,
    state: Passed,
    /// The room in the memory that all such buffers share.
    _permit: Option<OwnedSemaphorePermit>,
}

/// How much of a body has passed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    Some,
    All,
    /// More than there was room for.
    TooMuch,
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
            _permit: permit,
        }
    }

    fn keep(&mut self, bytes: &Bytes) {
        if bytes.len() > self.room {
            self.state = Passed::TooMuch;
            self.room = 0;
            self.bytes = BytesMut::new();
        } else {
            self.room -= bytes.len();
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) {
        if self.state == Passed::Some {
            self.state = Passed::All;
        }
    }

    /// The whole body, if it ended within the limit.
    pub(super) fn whole(&self) -> Option<Bytes> {
        (self.state == Passed::All).then(|| self.bytes.clone().freeze())
    }
}

impl RequestBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    pub(super) fn stream(
        incoming: Incoming,
        capture: Arc<Mutex<Capture>>,
        patience: Duration,
    ) -> Self {
        Self::Stream(Box::new(Stream {
            incoming,
            capture,
            patience,
            timer: None,
        }))
    }
}

impl Stream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                let patience = self.patience;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                ready!(timer.as_mut().poll(cx));
                return Poll::Ready(Some(Err(BodyError::Stalled)));
            };
            self.timer = None;
            let mut capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
            match frame {
                // Trailers are not forwarded: the next hop may merge them (RFC 9110 section 6.5.1).
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        capture.keep(&bytes);
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error)))),
                None => {
                    capture.end();
                    return Poll::Ready(None);
                }
            }
        }
    }
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
            Self::Stream(stream) => stream.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(stream) => stream.incoming.size_hint(),
        }
    }
}

/// The body of an answer to a caller. When it ends or is dropped, the request is over.
pub struct ResponseBody {
    kind: Kind,
    finish: Finish,
}

enum Kind {
    /// The proxy's own answer.
    Own(Option<Bytes>),
    /// The upstream's, after what the judge has looked at.
    Answer(VecDeque<Bytes>, Box<AnswerBody<RequestBody>>),
}

impl ResponseBody {
    pub(super) fn own(bytes: Bytes, finish: Finish) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self {
            kind: Kind::Own(bytes),
            finish,
        }
    }

    pub(super) fn answer(
        looked: VecDeque<Bytes>,
        rest: Box<AnswerBody<RequestBody>>,
        finish: Finish,
    ) -> Self {
        Self {
            kind: Kind::Answer(looked, rest),
            finish,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = crate::egress::Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let bytes = match &mut this.kind {
            Kind::Own(bytes) => bytes.take(),
            Kind::Answer(looked, rest) => match looked.pop_front() {
                Some(bytes) => Some(bytes),
                None => match ready!(poll_data(rest, cx)) {
                    Some(Ok(bytes)) => Some(bytes),
                    Some(Err(broken)) => {
                        this.finish.broke(&broken);
                        return Poll::Ready(Some(Err(broken)));
                    }
                    None => None,
                },
            },
        };
        Poll::Ready(bytes.map(|bytes| {
            this.finish.sent(bytes.len());
            Ok(Frame::data(bytes))
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own(bytes) => bytes.is_none(),
            Kind::Answer(looked, rest) => looked.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Answer(looked, rest) => {
                let looked = looked.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                match rest.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(looked + rest),
                    None => SizeHint::default(),
                }
            }
        }
    }
}

/// The next data of an answer; its trailers are not passed on.
pub(super) fn poll_data(
    body: &mut AnswerBody<RequestBody>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, crate::egress::Broken>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
            Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
            None => return Poll::Ready(None),
        }
    }
}
