//! What callers get: the proxy's own answer or the upstream's, as an enum, so that nothing is boxed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::finish::Finish;
use super::request_body::RequestBody;
use crate::egress::{AnswerBody, Broken};

/// The body of an answer to a caller. When it ends or is dropped, the request is over.
pub struct ResponseBody {
    kind: Kind,
    finish: Finish,
}

enum Kind {
    /// The proxy's own answer.
    Own(Option<Bytes>),
    /// The upstream's: what the judge has looked at, then the rest, if that was not all.
    Answer(VecDeque<Bytes>, Option<Box<AnswerBody<RequestBody>>>),
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
        rest: Option<Box<AnswerBody<RequestBody>>>,
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
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let bytes = match &mut this.kind {
            Kind::Own(bytes) => bytes.take(),
            Kind::Answer(looked, rest) => match (looked.pop_front(), rest) {
                (Some(bytes), _) => Some(bytes),
                (None, None) => None,
                (None, Some(rest)) => match ready!(poll_data(rest, cx)) {
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
            Kind::Answer(looked, rest) => {
                looked.is_empty() && rest.as_ref().is_none_or(|rest| rest.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Answer(looked, rest) => {
                let looked = looked.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                let rest = rest
                    .as_ref()
                    .map_or(Some(0), |rest| rest.size_hint().exact());
                rest.map_or_else(SizeHint::default, |rest| {
                    SizeHint::with_exact(looked + rest)
                })
            }
        }
    }
}

/// The next data of an answer; its trailers are not passed on.
pub(super) fn poll_data(
    body: &mut AnswerBody<RequestBody>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Broken>>> {
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
