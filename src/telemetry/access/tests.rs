//! The log as a whole: what hangs, what is moved away, what cannot be opened.

use super::line::Stamp;
use super::*;

pub(super) fn entry(target: &'static str) -> Entry {
    Entry {
        time: Duration::from_millis(1_795_440_000_250),
        id: None,
        upstream: Some("crm".into()),
        surface: "rest",
        method: Method::GET,
        path: target.into(),
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

/// A log to memory, as fast as `gate` lets it be: what was written.
fn to_memory(gate: Receiver<()>) -> (AccessLog, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let (gate, to) = (Mutex::new(Some(gate)), Arc::clone(&written));
    let log = AccessLog::start(Format::Text, OPENED, move || {
        let gate = gate.lock().unwrap().take();
        let gate = gate.ok_or_else(|| io::Error::other("once"))?;
        Ok(Slow(gate, Arc::clone(&to)))
    });
    (log.unwrap(), written)
}

fn count(written: &Mutex<Vec<u8>>) -> usize {
    let written = written.lock().unwrap();
    written.split(|&byte| byte == b'\n').count() - 1
}

/// Waits for exactly so many lines: ten seconds at most, for a machine that is very busy.
fn until_written(written: &Mutex<Vec<u8>>, lines: usize) {
    let waits = (0..10_000).take_while(|_| count(written) < lines);
    waits.for_each(|_| thread::park_timeout(Duration::from_millis(1)));
    assert_eq!(count(written), lines);
}

fn text_of(entry: &Entry) -> Vec<u8> {
    let mut line = Vec::new();
    line::write(&mut line, entry, Format::Text, &mut Stamp::default());
    line
}

#[test]
fn a_writer_that_hangs_stops_nobody_and_what_is_lost_is_counted() {
    let (go_on, gate) = mpsc::channel();
    let (log, written) = to_memory(gate);
    let dropped = log.dropped();
    // One buffer at the writer, one that waits, and more.
    let sent = 3 * lane::MOST / text_of(&entry("/")).len();
    for _ in 0..sent {
        log.write(&entry("/"));
    }
    assert!(dropped.load(Ordering::Relaxed) > 0);
    drop(go_on);
    drop(log);
    until_written(&written, sent - dropped.load(Ordering::Relaxed) as usize);
}

#[test]
fn lines_of_all_workers_arrive_whole() {
    let (log, written) = to_memory(mpsc::channel().1);
    thread::scope(|scope| {
        for _ in 0..4 {
            let worker = log.for_worker();
            scope.spawn(move || (0..2000).for_each(|_| worker.write(&entry("/a"))));
        }
    });
    drop(log);
    until_written(&written, 4 * 2000);
    let written = written.lock().unwrap();
    let mut lines = written.split_inclusive(|&byte| byte == b'\n');
    let expected = text_of(&entry("/a"));
    assert!(lines.all(|line| line == expected));
}

#[test]
fn a_log_is_shared_as_long_as_a_worker_has_it() {
    let (log, _) = to_memory(mpsc::channel().1);
    let worker = log.for_worker();
    assert!(log.is_shared());
    drop(worker);
    assert!(!log.is_shared());
}

#[test]
fn a_line_that_comes_late_wakes_the_writer() {
    let (log, written) = to_memory(mpsc::channel().1);
    for sent in 1..=20 {
        log.write(&entry("/"));
        until_written(&written, sent);
    }
}

#[test]
fn a_file_has_every_line_when_the_log_is_gone_and_follows_a_move() {
    let name = crate::secret::hex(&crate::secret::random::<8>());
    let path = std::env::temp_dir().join(format!("upauth-access-{name}.log"));
    let log = AccessLog::file(&path, Format::Json).unwrap();
    let moved = path.with_extension("1");
    std::fs::rename(&path, &moved).unwrap();
    log.write(&entry("/a"));
    drop(log);
    let log = AccessLog::file(&path, Format::Json).unwrap();
    log.reopen();
    log.write(&entry("/b"));
    log.clone().write(&entry("/c"));
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

#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_while_somebody_reads_it_and_nobody_waits_for_who_does_not() {
    use std::fs::OpenOptions;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::OpenOptionsExt;
    use std::process::Command;

    let name = crate::secret::hex(&crate::secret::random::<8>());
    let path = std::env::temp_dir().join(format!("upauth-access-{name}.pipe"));
    Command::new("mkfifo").arg(&path).status().unwrap();
    let (done, opened) = mpsc::channel();
    let at = path.clone();
    thread::spawn(move || done.send(AccessLog::file(&at, Format::Text).map(drop)));
    let opened = opened.recv_timeout(Duration::from_secs(5));
    let why = opened.expect("it waits").unwrap_err().to_string();
    assert!(why.contains("nobody reads"), "{why}");

    let mut reader = OpenOptions::new();
    let reader = reader
        .read(true)
        .custom_flags(NONBLOCK)
        .open(&path)
        .unwrap();
    let log = AccessLog::file(&path, Format::Text).unwrap();
    // More than a pipe holds: what does not fit waits, and is not lost.
    let lines = 2000;
    let flags = rustix::fs::fcntl_getfl(&reader).unwrap();
    rustix::fs::fcntl_setfl(&reader, flags - rustix::fs::OFlags::NONBLOCK).unwrap();
    for _ in 0..lines {
        log.write(&entry("/a"));
    }
    let read = BufReader::new(reader).lines().take(lines).count();
    assert_eq!(read, lines);
    assert_eq!(log.dropped().load(Ordering::Relaxed), 0);
    std::fs::remove_file(path).unwrap();
}

#[cfg(unix)]
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

#[cfg(unix)]
#[test]
fn a_log_is_a_file_a_pipe_or_a_device_and_an_open_that_hangs_is_given_up() {
    let why = AccessLog::file(&std::env::temp_dir(), Format::Text)
        .err()
        .unwrap();
    assert_eq!(why.kind(), io::ErrorKind::IsADirectory);
    AccessLog::file(Path::new("/dev/null"), Format::Text).unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let hanging = move || {
        wait.lock()
            .unwrap()
            .recv()
            .map_err(io::Error::other)
            .map(|()| io::sink())
    };
    let why = AccessLog::start(Format::Text, Duration::from_millis(20), hanging)
        .err()
        .unwrap();
    assert_eq!(why.kind(), io::ErrorKind::TimedOut);
    drop(go);
}

#[test]
fn a_log_that_is_off_takes_everything() {
    let log = AccessLog::off();
    assert!(!log.is_on());
    log.write(&entry("/"));
    log.reopen();
    assert_eq!(log.dropped().load(Ordering::Relaxed), 0);
}
