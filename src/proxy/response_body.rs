//! What callers get: the proxy's own answer or the upstream's, as an enum, so that nothing is boxed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::finish::Finish;
use super::links::Turner;
use super::request_body::RequestBody;
use crate::egress::{AnswerBody, Broken};

/// The body of an answer to a caller. When it ends or is dropped, the request is over.
pub struct ResponseBody {
    kind: Kind,
    /// Boxed: answers are moved often.
    finish: Box<Finish>,
}

enum Kind {
    /// The proxy's own answer.
    Own(Option<Bytes>),
    /// The upstream's: what the judge has looked at, then the rest, if that was not all.
    Answer(VecDeque<Bytes>, Option<AnswerBody<RequestBody>>),
    /// The same, with the links in it turned; those of its pieces that are ready.
    Turned(Box<Turner>, Box<Self>, VecDeque<Bytes>),
    /// The upstream's, which broke off; the caller has yet to hear of it.
    Broke(Option<Broken>),
}

impl ResponseBody {
    pub(super) fn own(bytes: Bytes, finish: Box<Finish>) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self {
            kind: Kind::Own(bytes),
            finish,
        }
    }

    pub(super) fn answer(
        looked: VecDeque<Bytes>,
        rest: Option<AnswerBody<RequestBody>>,
        links: Option<Box<Turner>>,
        finish: Box<Finish>,
    ) -> Self {
        let answer = Kind::Answer(looked, rest);
        let kind = match links {
            Some(links) => Kind::Turned(links, Box::new(answer), VecDeque::new()),
            None => answer,
        };
        Self { kind, finish }
    }
}

impl Kind {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::Answer(looked, rest) => match (looked.pop_front(), rest) {
                (Some(bytes), _) => Poll::Ready(Some(Ok(bytes))),
                (None, Some(rest)) => poll_data(rest, cx),
                (None, None) => Poll::Ready(None),
            },
            Self::Turned(links, answer, ready) => loop {
                if let Some(bytes) = ready.pop_front() {
                    return Poll::Ready(Some(Ok(bytes)));
                }
                match ready!(answer.poll_bytes(cx)) {
                    Some(Ok(bytes)) => links.push(&bytes, ready),
                    Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
                    None => {
                        // What has ended is not asked again.
                        **answer = Self::Own(None);
                        let held = links.end();
                        return Poll::Ready((!held.is_empty()).then_some(Ok(held)));
                    }
                }
            },
            Self::Broke(broken) => Poll::Ready(broken.take().map(Err)),
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
        let told = matches!(this.kind, Kind::Broke(_));
        let next = ready!(this.kind.poll_bytes(cx));
        match next {
            Some(Ok(bytes)) => {
                this.finish.sent(bytes.len());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            // An error throws away what is not written yet, the head with it: let that go out first.
            Some(Err(broken)) if !told => {
                this.finish.broke(&broken);
                this.kind = Kind::Broke(Some(broken));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(broken)) => Poll::Ready(Some(Err(broken))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own(bytes) => bytes.is_none(),
            Kind::Answer(looked, rest) => {
                looked.is_empty() && rest.as_ref().is_none_or(|rest| rest.is_end_stream())
            }
            // Something may still be held back.
            Kind::Turned(..) | Kind::Broke(_) => false,
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
            Kind::Turned(..) | Kind::Broke(_) => SizeHint::default(),
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
