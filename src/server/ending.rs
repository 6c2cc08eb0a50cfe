//! [`Ending`]: what the end of a connection depends on, known where bytes are read and where requests are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the end of a connection has to heed. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<Heeded>);

#[derive(Default)]
struct Heeded {
    /// An answer is under way of which only the connection's end tells the caller that it is whole, as to callers of
    /// HTTP/1.0 (RFC 9112 section 6.3).
    unended: AtomicBool,
    /// The caller has said that its request was its last.
    last: AtomicBool,
    /// The caller has closed its side.
    left: AtomicBool,
}

impl Ending {
    /// An answer begins that ends with the connection.
    pub(super) fn begin_unended(&self) {
        self.0.unended.store(true, Ordering::Relaxed);
    }

    /// It has ended.
    pub(super) fn end_unended(&self) {
        self.0.unended.store(false, Ordering::Relaxed);
    }

    /// Whether such an answer is under way.
    pub(super) fn is_unended(&self) -> bool {
        self.0.unended.load(Ordering::Relaxed)
    }

    /// The caller says that nothing comes after its request.
    pub(super) fn says_last(&self) {
        self.0.last.store(true, Ordering::Relaxed);
    }

    /// The caller has closed its side.
    pub(super) fn leaves(&self) {
        self.0.left.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_last(&self) -> bool {
        self.0.last.load(Ordering::Relaxed)
    }

    pub(super) fn has_left(&self) -> bool {
        self.0.left.load(Ordering::Relaxed)
    }
}
