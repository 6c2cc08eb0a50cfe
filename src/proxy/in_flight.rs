//! [`Places`]: how many requests of the process may be in flight at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places among the requests in flight. Nobody waits for one: a counter is all it takes, and all workers write to it.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: AtomicUsize,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken(Arc<Places>);

impl Places {
    /// So many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: AtomicUsize::new(0),
        })
    }

    /// One of them, if there is one left.
    pub(super) fn take(self: &Arc<Self>) -> Option<Taken> {
        // Given back if it was one too many.
        let taken = Taken(self.clone());
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_there_were_whatever_is_taken_refused_and_given_back() {
        let places = Places::new(2);
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        for _ in 0..3 {
            assert!(places.take().is_none());
        }
        drop(first);
        let third = places.take().unwrap();
        assert!(places.take().is_none());
        drop((second, third));
        assert_eq!(places.taken.load(Ordering::Relaxed), 0);
    }
}
