//! [`Silence`]: notices that nothing came for too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// One timer for the life of a connection. It is set anew only when it goes off: setting it for each request would cost
/// more than most of what else is done for one.
#[derive(Default)]
pub(super) struct Silence {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// `Ready` once it is `by` or later. `by` may move between two calls.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, by: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        if by < timer.deadline() {
            timer.as_mut().reset(by);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= by {
                return Poll::Ready(());
            }
            timer.as_mut().reset(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_the_last_time_it_was_given_be_it_later_or_earlier() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut silence = Silence::default();
        for by in [5, 9, 7, 8, 30, 20] {
            let _ = poll_fn(|cx| Poll::Ready(silence.poll(cx, after(by)))).await;
        }
        poll_fn(|cx| silence.poll(cx, after(20))).await;
        assert_eq!(Instant::now(), after(20));
        poll_fn(|cx| silence.poll(cx, after(40))).await;
        assert_eq!(Instant::now(), after(40), "and then again");
    }
}
