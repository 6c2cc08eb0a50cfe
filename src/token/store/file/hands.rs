//! [`Hands`]: the threads that work on the files, begun when the store is opened. Where the system gives no further thread (a
//! limit of processes, or a container's), what must be stored is stored all the same.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// Takes work to threads that end when the last of these is dropped. Whoever gives it bounds how much waits.
#[derive(Clone)]
pub(super) struct Hands(Sender<Work>);

type Work = Box<dyn FnOnce() + Send>;

impl Hands {
    /// So many threads.
    pub(super) fn begin(count: usize) -> io::Result<Self> {
        let (give, given) = mpsc::channel();
        let given = Arc::new(Mutex::new(given));
        for _ in 0..count {
            let given = Arc::clone(&given);
            let hand = thread::Builder::new().name("store".to_owned());
            hand.spawn(move || take(&given))?;
        }
        Ok(Self(give))
    }

    /// Has `work` done by the next thread that is free. An error if it panics. What nobody waits for is done all the same.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        // While there are hands there are threads; without any, the answer is dropped with the work.
        let _ = self.0.send(Box::new(move || drop(done.send(work()))));
        result
    }
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hands")
    }
}

fn take(given: &Mutex<Receiver<Work>>) {
    loop {
        // One waits for work, the others for its place.
        let work = given.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = work else { return };
        // A panic costs one answer, not the thread.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_or_is_not_waited_for_costs_no_thread() {
        let hands = Hands::begin(1).unwrap();
        assert!(hands.run(|| panic!("on purpose")).await.is_err());
        drop(hands.run(|| ()));
        assert_eq!(hands.run(|| 1).await, Ok(1));
    }
}
