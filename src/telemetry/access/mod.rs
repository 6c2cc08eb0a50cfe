//! The access log: one line for each request, written by a thread of its own.
//!
//! Invariant: [`AccessLog::write`] never waits and formats nothing. What the writer cannot keep up
//! with is dropped and counted. Queries are never written, since values in them may be secret.

mod line;

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{Format, Id};

/// What is known of a request when its answer's body has ended. Cheap to make: counts and numbers.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the request arrived, since the Unix epoch.
    pub time: Duration,
    /// The request's id, if one was given.
    pub id: Option<Id>,
    /// The upstream's name; empty when no upstream was chosen.
    pub upstream: Arc<str>,
    /// The surface's name; empty when none was chosen.
    pub surface: Cow<'static, str>,
    /// The method.
    pub method: Method,
    /// The target as it came; only what stands before the `?` is written.
    pub target: Bytes,
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
    pub caller: Option<SocketAddr>,
}

/// Where entries go. Clones share one writer; the last one to go waits, with a bound, until all is written.
#[derive(Clone, Debug, Default)]
pub struct AccessLog(Option<Arc<Writer>>);

#[derive(Debug)]
struct Writer {
    /// Taken when the log is dropped, which ends the thread.
    entries: Option<SyncSender<Entry>>,
    shared: Arc<Shared>,
    /// Disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    dropped: Arc<AtomicU64>,
    reopen: AtomicBool,
}

impl AccessLog {
    /// Writes nothing, and costs nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// To standard output.
    pub fn stdout(format: Format) -> io::Result<Self> {
        Self::start(format, || Ok(io::stdout()))
    }

    /// Appended to a file; an error if it cannot be opened now.
    pub fn file(path: &Path, format: Format) -> io::Result<Self> {
        let path = PathBuf::from(path);
        Self::start(format, move || append(&path))
    }

    /// Hands `entry` to the writer, or counts it as dropped.
    pub fn write(&self, entry: Entry) {
        let Some(writer) = &self.0 else { return };
        let taken = writer
            .entries
            .as_ref()
            .is_some_and(|entries| entries.try_send(entry).is_ok());
        if !taken {
            writer.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether entries are written at all: what is only needed for them need not be made.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a clone of it may still be written to.
    pub fn is_shared(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|writer| Arc::strong_count(writer) > 1)
    }

    /// Opens the file anew before the next line, for programs that move log files away.
    pub fn reopen(&self) {
        if let Some(writer) = &self.0 {
            writer.shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// The count of entries that were not written.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.0
            .as_ref()
            .map_or_else(Arc::default, |writer| Arc::clone(&writer.shared.dropped))
    }

    fn start<W, F>(format: Format, open: F) -> io::Result<Self>
    where
        W: Write,
        F: Fn() -> io::Result<W> + Send + 'static,
    {
        let (entries, queue) = mpsc::sync_channel(QUEUE);
        let (alive, ended) = mpsc::sync_channel::<()>(0);
        let (opened, opening) = mpsc::sync_channel(1);
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                let _alive = alive;
                match open() {
                    Ok(to) => {
                        let _ = opened.send(Ok(()));
                        run(&queue, to, &open, format, &told);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })?;
        opening.recv().map_err(io::Error::other)??;
        Ok(Self(Some(Arc::new(Writer {
            entries: Some(entries),
            shared,
            ended: Mutex::new(ended),
        }))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.entries = None;
        if let Ok(ended) = self.ended.get_mut() {
            // Nothing is ever sent: this ends when the thread does, or at the bound.
            let _ = ended.recv_timeout(LAST_FLUSH);
        }
    }
}

fn run<W: Write>(
    queue: &Receiver<Entry>,
    to: W,
    open: &impl Fn() -> io::Result<W>,
    format: Format,
    shared: &Shared,
) {
    let mut to = BufWriter::new(to);
    let mut line = String::new();
    while let Some(entry) = next(queue, &mut to) {
        if shared.reopen.swap(false, Ordering::Relaxed) {
            // Where it cannot be opened, the old file goes on.
            if let Ok(anew) = open() {
                let _ = to.flush();
                to = BufWriter::new(anew);
            }
        }
        line.clear();
        line::write(&mut line, &entry, format);
        if to.write_all(line.as_bytes()).is_err() {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The next entry; what is buffered goes out before waiting for one.
fn next(queue: &Receiver<Entry>, to: &mut impl Write) -> Option<Entry> {
    match queue.try_recv() {
        Ok(entry) => Some(entry),
        Err(TryRecvError::Disconnected) => {
            let _ = to.flush();
            None
        }
        Err(TryRecvError::Empty) => {
            let _ = to.flush();
            let entry = queue.recv().ok();
            // Under load every entry would wake this thread and be written alone: a short rest lets some gather.
            thread::park_timeout(GATHER);
            entry
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

/// Entries that may wait for the writer.
const QUEUE: usize = 8192;
/// How long a line may wait for others to be written with it.
const GATHER: Duration = Duration::from_millis(10);
/// How long the end of the process waits for the last lines.
const LAST_FLUSH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn entry(target: &'static str) -> Entry {
        Entry {
            time: Duration::from_millis(1_795_440_000_250),
            id: None,
            upstream: "crm".into(),
            surface: "rest".into(),
            method: Method::GET,
            target: Bytes::from_static(target.as_bytes()),
            status: StatusCode::OK,
            bytes: 512,
            duration: Duration::from_micros(12_345),
            upstream_time: None,
            replayed: false,
            code: None,
            key: None,
            client: None,
            caller: None,
        }
    }

    /// A pipe whose reader decides when the writer may go on.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_hangs_stops_nobody_and_what_is_lost_is_counted() {
        let (go_on, gate) = mpsc::channel();
        let gate = Mutex::new(Some(gate));
        let written = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&written);
        let log = AccessLog::start(Format::Text, move || {
            let gate = gate.lock().unwrap().take();
            Ok(Slow(
                gate.ok_or_else(|| io::Error::other("once"))?,
                Arc::clone(&to),
            ))
        })
        .unwrap();
        let dropped = log.dropped();
        let sent = 3 * QUEUE;
        for _ in 0..sent {
            log.write(entry("/"));
        }
        assert!(dropped.load(Ordering::Relaxed) > 0);
        drop(go_on);
        drop(log);
        let lines = written.lock().unwrap().split(|&byte| byte == b'\n').count() - 1;
        assert_eq!(lines as u64 + dropped.load(Ordering::Relaxed), sent as u64);
    }

    #[test]
    fn a_file_has_every_line_when_the_log_is_gone_and_follows_a_move() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let path = std::env::temp_dir().join(format!("upauth-access-{name}.log"));
        let log = AccessLog::file(&path, Format::Json).unwrap();
        let moved = path.with_extension("1");
        std::fs::rename(&path, &moved).unwrap();
        log.write(entry("/a"));
        drop(log);
        let log = AccessLog::file(&path, Format::Json).unwrap();
        log.reopen();
        log.write(entry("/b"));
        log.clone().write(entry("/c"));
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(std::fs::read_to_string(&moved).unwrap().contains("/a"));
        for path in [path, moved] {
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_once() {
        assert!(AccessLog::file(Path::new("/nonexistent/access.log"), Format::Text).is_err());
    }

    #[test]
    fn a_log_that_is_off_takes_everything() {
        let log = AccessLog::off();
        assert!(!log.is_on());
        log.write(entry("/"));
        log.reopen();
        assert_eq!(log.dropped().load(Ordering::Relaxed), 0);
    }
}
