//! [`Tracked`]: the body of an answer, for as long as which its connection is not idle.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::watch::Active;

/// An answer's body that keeps its connection busy until it ends.
pub(super) struct Tracked<B> {
    body: Option<B>,
    _active: Active,
}

impl<B> Tracked<B> {
    pub(super) fn new(body: B, active: Active) -> Self {
        Self {
            body: Some(body),
            _active: active,
        }
    }

    /// No body at all.
    pub(super) fn empty(active: Active) -> Self {
        Self {
            body: None,
            _active: active,
        }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}
