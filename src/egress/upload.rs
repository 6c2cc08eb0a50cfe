//! [`Upload`]: a request's body that says when it last moved, so that an upstream that is still being sent to is not
//! taken for a silent one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// A body on its way.
pub(super) struct Upload<B> {
    body: B,
    moved: Option<Moved>,
}

/// When a piece of a body last went out. Clones are the same.
#[derive(Clone)]
pub(super) struct Moved {
    start: Instant,
    /// In ms since the start.
    after: Arc<AtomicU64>,
}

impl Moved {
    /// The moment; that of the sending if nothing went out yet.
    pub(super) fn at(&self) -> Instant {
        self.start + Duration::from_millis(self.after.load(Ordering::Relaxed))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    /// `body`, sent from `now` on. A body that is empty moves nothing and costs nothing.
    pub(super) fn new(body: B, now: Instant) -> Self {
        let moved = (!body.is_end_stream()).then(|| Moved {
            start: now,
            after: Arc::default(),
        });
        Self { body, moved }
    }

    pub(super) fn moved(&self) -> Option<Moved> {
        self.moved.clone()
    }

    pub(super) fn into_inner(self) -> B {
        self.body
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Upload<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready()
            && let Some(moved) = &self.moved
        {
            let after = u64::try_from(moved.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            moved.after.store(after, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
