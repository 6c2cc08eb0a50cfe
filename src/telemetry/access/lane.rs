//! The lines of one worker that wait for the writer.

use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Entry;
use super::line::{self, Stamp};
use crate::telemetry::Format;

/// Filled by one worker, emptied by the writer's thread.
///
/// Invariant: its lock is held for as long as one line is made or two buffers change places, never while the file is
/// written to.
#[derive(Default)]
// A cache line of its own, since each request writes to it.
#[repr(align(64))]
pub(super) struct Lane(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    stamp: Stamp,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lane")
    }
}

impl Lane {
    /// Adds the line of `entry`; false if too much waits already.
    pub(super) fn add(&self, entry: &Entry, format: Format) -> bool {
        let mut waiting = self.lock();
        let Waiting { lines, stamp } = &mut *waiting;
        let taken = lines.len() < MOST;
        if taken {
            line::write(lines, entry, format, stamp);
        }
        taken
    }

    /// All lines that wait, in exchange for an empty buffer.
    pub(super) fn take(&self, empty: Vec<u8>) -> Vec<u8> {
        mem::replace(&mut self.lock().lines, empty)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().lines.is_empty()
    }

    /// A line is whole or was never begun: making one cannot panic.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that may wait for the writer; a line may go beyond it.
pub(super) const MOST: usize = 1024 * 1024;
