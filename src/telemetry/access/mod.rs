//! The access log: one line for each request, written by a thread of its own.
//!
//! Invariant: [`AccessLog::write`] never waits for the file. A worker makes the line itself, in memory of its own: that
//! costs less than to hand over what the line is made of. What the writer cannot keep up with is dropped and counted.

mod lane;
mod line;
mod target;
mod writer;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Duration;

use http::{Method, StatusCode};
use smallvec::SmallVec;

use self::lane::Lane;
use self::writer::Shared;
use super::{Format, Id};

/// What is known of a request when its answer's body has ended. Cheap to make: counts and numbers.
pub struct Entry {
    /// When the request arrived, since the Unix epoch.
    pub time: Duration,
    /// The request's id, if one was given.
    pub id: Option<Id>,
    /// The upstream's name: letters, digits and hyphens, like the names below. `None`: no upstream was chosen.
    pub upstream: Option<Arc<str>>,
    /// The surface's name; empty when none was chosen.
    pub surface: &'static str,
    /// The method.
    pub method: Method,
    /// The path as it came.
    pub path: ShownPath,
    /// The status answered.
    pub status: StatusCode,
    /// Bytes of the body sent to the caller.
    pub bytes: u64,
    /// From arrival to the end of the body.
    pub duration: Duration,
    /// From sending upstream to the head of its answer, over all sends.
    pub upstream_time: Option<Duration>,
    /// Whether the request was sent again after a dead session.
    pub replayed: bool,
    /// `UA-nnnn`, when the proxy made the answer itself.
    pub code: Option<&'static str>,
    /// The name of the key that the caller showed.
    pub key: Option<Arc<str>>,
    /// The name in the caller's certificate, if the listener asked for one.
    pub client: Option<Arc<str>>,
    /// The caller's address; none on a unix socket.
    pub caller: Option<Arc<str>>,
}

impl Entry {
    /// The upstream's name; empty when none was chosen.
    pub fn upstream(&self) -> &str {
        self.upstream.as_deref().unwrap_or_default()
    }
}

/// What is shown of a target: not its query, which is never written, since values in it may be secret. Most paths are short enough to
/// cost no memory of their own.
#[derive(Default)]
pub struct ShownPath(SmallVec<[u8; 64]>);

impl From<&str> for ShownPath {
    /// The path of a target.
    fn from(target: &str) -> Self {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Self(SmallVec::from_slice(path.as_bytes()))
    }
}

/// Where entries go. Clones share one lane to one writer; the last of all to go waits, with a bound, until everything is
/// written.
#[derive(Clone, Debug, Default)]
pub struct AccessLog(Option<Arc<Way>>);

/// To the writer, on a lane that should be one thread's own.
#[derive(Debug)]
struct Way {
    lane: Arc<Lane>,
    writer: Arc<Writer>,
}

#[derive(Debug)]
struct Writer {
    format: Format,
    shared: Arc<Shared>,
    thread: Thread,
    /// Disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl AccessLog {
    /// Writes nothing, and costs nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// To standard output.
    pub fn stdout(format: Format) -> io::Result<Self> {
        Self::start(format, OPENED, || Ok(io::stdout()))
    }

    /// Appended to a file, or to a pipe that somebody reads; an error if it cannot be opened now.
    pub fn file(path: &Path, format: Format) -> io::Result<Self> {
        let path = PathBuf::from(path);
        Self::start(format, OPENED, move || target::append(&path))
    }

    /// The same log for one more worker, which shares nothing with the others that changes from request to request.
    pub fn for_worker(&self) -> Self {
        Self(self.0.as_ref().map(|way| {
            Arc::new(Way {
                lane: way.writer.shared.lane(),
                writer: Arc::clone(&way.writer),
            })
        }))
    }

    /// Makes the line of `entry`, which the writer finds, or counts it as dropped.
    pub fn write(&self, entry: &Entry) {
        let Some(Way { lane, writer }) = self.0.as_deref() else {
            return;
        };
        if !lane.add(entry, writer.format) {
            writer.shared.dropped.fetch_add(1, Ordering::Relaxed);
        } else if writer.shared.is_asleep() {
            writer.thread.unpark();
        }
    }

    /// Whether entries are written at all: what is only needed for them need not be made.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a clone of it, or a worker's, may still be written to.
    pub fn is_shared(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|way| Arc::strong_count(way) > 1 || Arc::strong_count(&way.writer) > 1)
    }

    /// Opens the file anew before the next line, for programs that move log files away.
    pub fn reopen(&self) {
        if let Some(way) = &self.0 {
            way.writer.shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// The count of entries that were not written.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.0
            .as_ref()
            .map_or_else(Arc::default, |way| Arc::clone(&way.writer.shared.dropped))
    }

    /// Opens within `limit`, or fails: whoever has opened the file by then has nobody to write for.
    fn start<W, F>(format: Format, limit: Duration, open: F) -> io::Result<Self>
    where
        W: Write,
        F: Fn() -> io::Result<W> + Send + 'static,
    {
        let (alive, ended) = mpsc::sync_channel::<()>(0);
        let (opened, opening) = mpsc::sync_channel(1);
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                let _alive = alive;
                match open() {
                    Ok(to) => {
                        let _ = opened.send(Ok(()));
                        writer::run(to, &open, &told);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })?;
        opening.recv_timeout(limit).unwrap_or_else(|_| {
            shared.ended.store(true, Ordering::Release);
            thread.thread().unpark();
            Err(io::ErrorKind::TimedOut.into())
        })?;
        Ok(Self(Some(Arc::new(Way {
            lane: shared.lane(),
            writer: Arc::new(Writer {
                format,
                shared,
                thread: thread.thread().clone(),
                ended: Mutex::new(ended),
            }),
        }))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.thread.unpark();
        if let Ok(ended) = self.ended.get_mut() {
            // Nothing is ever sent: this ends when the thread does, or at the bound.
            let _ = ended.recv_timeout(LAST_FLUSH);
        }
    }
}

/// How long the end of the process waits for the last lines.
const LAST_FLUSH: Duration = Duration::from_secs(2);
/// How long a start or a reload waits for the file: of a network's, perhaps, whose server is away.
const OPENED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
