//! Answers over HTTP/2 whose callers keep the windows of their streams shut while the connection moves on: given up in time.
//!
//! hyper asks a body for more only when its stream's window has room, so that a body cannot see by itself that nobody takes it:
//! it is shared with the watch, which takes it away. An answer over HTTP/1 needs none of this: it has its connection for itself.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Frame, SizeHint};

use super::watch::{Active, Answer, Entry, Since};
use super::{AnswerBody, BoxError};

/// The body of an answer that the watch may take away.
pub(super) struct Shared<B: AnswerBody> {
    answer: Arc<Held<B>>,
    entry: Entry,
}

struct Held<B> {
    /// `None`: it was taken away.
    body: Mutex<Option<(B, Option<Active>)>>,
    /// Since when it waits for its caller.
    waits: Since,
}

impl<B: AnswerBody> Shared<B> {
    pub(super) fn new(body: B, active: Option<Active>, entry: Entry) -> Self {
        let answer = Arc::new(Held {
            body: Mutex::new(Some((body, active))),
            waits: Since::default(),
        });
        // Perhaps the window is shut from the beginning.
        answer.waits.begin_if(true);
        entry.look_after(place(&answer), Arc::downgrade(&answer) as Weak<dyn Answer>);
        Self { answer, entry }
    }

    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut held = self.answer.body();
        let Some((body, _)) = &mut *held else {
            // So that the stream is reset: it is not whole.
            return Poll::Ready(Some(Err("its caller did not take it".into())));
        };
        let polled = Pin::new(body).poll_frame(cx);
        let is_a_piece = matches!(polled, Poll::Ready(Some(Ok(_))));
        self.answer.waits.begin_if(is_a_piece);
        polled.map_err(Into::into)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let held = self.answer.body();
        held.as_ref().is_some_and(|(body, _)| body.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let held = self.answer.body();
        let hint = held.as_ref().map(|(body, _)| body.size_hint());
        hint.unwrap_or_default()
    }
}

impl<B: AnswerBody> Drop for Shared<B> {
    fn drop(&mut self) {
        self.entry.forget(place(&self.answer));
    }
}

/// By what the watch knows an answer: no two under way are in one place.
fn place<B>(answer: &Arc<Held<B>>) -> usize {
    Arc::as_ptr(answer).addr()
}

impl<B> Held<B> {
    fn body(&self) -> MutexGuard<'_, Option<(B, Option<Active>)>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: AnswerBody> Answer for Held<B> {
    fn give_up_after(&self, limit: Duration, now: u64) {
        if self.waits.lasts(now).is_some_and(|time| time > limit)
            && let Some(given_up) = self.body().take()
        {
            tracing::debug!("the caller took nothing of its answer");
            drop(given_up);
        }
    }
}
