//! [`Unfinished`]: work on the store that a stop waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Counts what is under way. Clones are the same.
#[derive(Clone, Debug)]
pub struct Unfinished(Arc<watch::Sender<usize>>);

/// Something under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Unfinished);

impl Unfinished {
    /// Nothing is under way.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Waits until nothing is under way, for at most `longest`; says whether it is so.
    pub async fn settle(&self, longest: Duration) -> bool {
        let mut count = self.0.subscribe();
        let none = count.wait_for(|count| *count == 0);
        timeout(longest, none).await.is_ok()
    }

    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.clone())
    }
}

impl Default for Unfinished {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0
            .0
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}
