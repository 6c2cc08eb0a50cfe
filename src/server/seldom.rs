//! [`Seldom`]: what is nearly never ready is not asked at every turn of its task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// A future that is polled only when it was woken itself. Beside one that moves with each byte of a connection it costs next
/// to nothing.
pub(super) struct Seldom<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    ringer: Waker,
    /// Whom the bell wakes.
    task: Option<Waker>,
}

#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Arc::new(Bell::default());
        // Its first poll tells it whom to wake.
        bell.rung.store(true, Ordering::Relaxed);
        Self {
            future: Box::pin(future),
            ringer: Waker::from(bell.clone()),
            bell,
            task: None,
        }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let same = this
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()));
        if !same {
            this.bell.task.register(cx.waker());
            this.task = Some(cx.waker().clone());
        }
        // Who rings from here on wakes this task, if it was not woken already.
        if !this.bell.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // In this order: who rings in between is heard by the future now, and who rings after that wakes this task. To ring
        // takes the waker.
        this.bell.rung.swap(false, Ordering::AcqRel);
        this.bell.task.register(cx.waker());
        this.future
            .as_mut()
            .poll(&mut Context::from_waker(&this.ringer))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio_test::{assert_pending, assert_ready, task};
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn it_is_polled_once_and_then_only_when_it_was_woken() {
        let token = CancellationToken::new();
        let polled = Arc::new(AtomicUsize::new(0));
        let count = polled.clone();
        let cancelled = token.clone();
        let mut seldom = task::spawn(Seldom::new(async move {
            let mut cancelled = std::pin::pin!(cancelled.cancelled());
            std::future::poll_fn(|cx| {
                count.fetch_add(1, Ordering::Relaxed);
                cancelled.as_mut().poll(cx)
            })
            .await;
        }));
        for _ in 0..5 {
            assert_pending!(seldom.poll());
        }
        assert_eq!(polled.load(Ordering::Relaxed), 1);
        assert!(!seldom.is_woken());
        token.cancel();
        assert!(seldom.is_woken());
        assert_ready!(seldom.poll());
        assert_eq!(polled.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_has_happened_before_is_noticed_at_once() {
        let token = CancellationToken::new();
        token.cancel();
        let mut seldom = task::spawn(Seldom::new(token.cancelled_owned()));
        assert_ready!(seldom.poll());
    }
}
