//! The thread that writes what waits in the lanes: a hundred times a second at most, so that a busy proxy makes few
//! system calls.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::lane::Lane;

/// What the workers and the thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    lanes: Mutex<Vec<Arc<Lane>>>,
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) reopen: AtomicBool,
    /// Whether the thread sleeps until it is woken: who clears it wakes it.
    asleep: AtomicBool,
    /// Nothing will be added any more.
    pub(super) ended: AtomicBool,
}

impl Shared {
    /// One more lane. It is looked after until nobody else has it and it is empty.
    pub(super) fn lane(&self) -> Arc<Lane> {
        let lane = Arc::<Lane>::default();
        self.lanes().push(Arc::clone(&lane));
        lane
    }

    /// Whether the thread must be unparked, now that something was added.
    ///
    /// The order that this needs comes from the lane's lock: either the thread found the line there before it slept, or it
    /// had said before that it would sleep.
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed)
    }

    fn rest(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        let nothing = self.lanes().iter().all(|lane| lane.is_empty());
        if nothing && !self.ended.load(Ordering::Acquire) {
            thread::park();
        }
        self.asleep.store(false, Ordering::Relaxed);
        // Under load every line would be written alone: a short rest lets some gather.
        thread::park_timeout(GATHER);
    }

    /// Adds the lanes that there are, after letting go of those that are done with.
    fn current(&self, into: &mut Vec<Arc<Lane>>) {
        let mut lanes = self.lanes();
        lanes.retain(|lane| Arc::strong_count(lane) > 1 || !lane.is_empty());
        into.extend(lanes.iter().cloned());
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until the end.
pub(super) fn run<W: Write>(to: W, open: &impl Fn() -> io::Result<W>, shared: &Shared) {
    let mut out = Out {
        to,
        cut: Vec::new(),
    };
    let (mut spare, mut lanes) = (Vec::new(), Vec::new());
    loop {
        // Read first: what was added before the end is found below.
        let ended = shared.ended.load(Ordering::Acquire);
        shared.current(&mut lanes);
        for lane in lanes.drain(..) {
            let mut lines = lane.take(mem::take(&mut spare));
            if !lines.is_empty() {
                if shared.reopen.swap(false, Ordering::Relaxed) {
                    out.reopen(open);
                }
                let lost = out.write(&lines);
                shared.dropped.fetch_add(lost, Ordering::Relaxed);
                lines.clear();
            }
            spare = lines;
        }
        if ended {
            let _ = out.to.flush();
            return;
        }
        shared.rest();
    }
}

struct Out<W> {
    to: W,
    /// The rest of a line of which only the beginning could be written: it goes before everything else.
    cut: Vec<u8>,
}

impl<W: Write> Out<W> {
    /// Where it cannot be opened, the old file goes on.
    fn reopen(&mut self, open: &impl Fn() -> io::Result<W>) {
        match open() {
            Ok(anew) => {
                let _ = self.to.flush();
                self.to = anew;
                self.cut.clear();
            }
            Err(why) => {
                tracing::error!(%why, "the access log cannot be opened anew: it goes on in the file that was open");
            }
        }
    }

    /// Writes whole lines; the number of those that were lost.
    fn write(&mut self, lines: &[u8]) -> u64 {
        let cut = mem::take(&mut self.cut);
        let left = self.push(&cut);
        if !left.is_empty() {
            self.cut = left.to_vec();
            return count(lines);
        }
        let mut left = self.push(lines);
        let (written, _) = lines.split_at(lines.len() - left.len());
        if written.last().is_some_and(|last| *last != b'\n') {
            let end = left.iter().position(|byte| *byte == b'\n');
            let (cut, rest) = left.split_at(end.map_or(left.len(), |end| end + 1));
            self.cut = cut.to_vec();
            left = rest;
        }
        count(left)
    }

    /// Writes what it can of `bytes`; the rest.
    fn push<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(0) => break,
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        bytes
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// How long a line may wait for others to be written with it.
const GATHER: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Format;
    use crate::telemetry::access::tests::entry;

    /// A disk: what is on it, and how many bytes it has room for.
    #[derive(Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
    }

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= taken;
            self.bytes.extend(bytes.iter().take(taken));
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_whole_lines_and_they_are_counted() {
        let mut disk = Disk::default();
        let mut out = Out {
            to: &mut disk,
            cut: Vec::new(),
        };
        // The room before each batch, the batch, and how many of its lines are lost.
        let rows = [
            (6, "one\ntwo\nthree\n", 1),
            (0, "four\n", 1),
            (1, "five\n", 1),
            (1, "six\nseven\n", 2),
            (99, "eight\n", 0),
        ];
        for (room, lines, lost) in rows {
            out.to.room = room;
            assert_eq!(out.write(lines.as_bytes()), lost, "{lines:?}");
        }
        assert_eq!(disk.bytes, b"one\ntwo\neight\n");
    }

    #[test]
    fn the_lane_of_a_worker_that_is_gone_is_kept_until_its_lines_are_taken() {
        let shared = Shared::default();
        let (_kept, left) = (shared.lane(), shared.lane());
        left.add(&entry("/"), Format::Text);
        drop((left, shared.lane()));
        let mut lanes = Vec::new();
        shared.current(&mut lanes);
        let taken = |lane: Arc<Lane>| lane.take(Vec::new());
        let lines: Vec<u8> = lanes.drain(..).flat_map(taken).collect();
        assert_eq!(count(&lines), 1);
        shared.current(&mut lanes);
        assert_eq!(lanes.len(), 1);
    }
}
