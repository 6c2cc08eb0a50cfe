//! What stands between those who tell and whoever reads: a bounded queue and a thread that writes.
//!
//! A terminal that is held or a pipe that nobody reads must stop no worker, so that a line for which there is no room is
//! lost, and the next line says how many were. `tracing-appender` does the same, but prints to standard output at the end if
//! it is stuck, where the access log may be.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::Format;

/// Takes lines, never waits.
#[derive(Clone)]
pub(super) struct Queue {
    to: SyncSender<Message>,
    format: Format,
    /// Since the last line that found room.
    missing: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// All lines before this are written: it is to be said here.
    End(SyncSender<()>),
}

/// What still waits is written when this is dropped, if that takes no longer than a second.
#[must_use]
pub struct Rest(Queue);

impl Queue {
    /// A thread that writes to `to`, and the queue before it.
    pub(super) fn start<W: Write + Send + 'static>(to: W, format: Format) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(LINES);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(to, &receiver))?;
        Ok(Self {
            to: sender,
            format,
            missing: Arc::default(),
            lost: Arc::default(),
        })
    }

    pub(super) fn rest(&self) -> Rest {
        Rest(self.clone())
    }

    fn add(&self, line: &[u8]) -> bool {
        self.to.try_send(Message::Line(line.to_vec())).is_ok()
    }

    /// In the words of the other lines.
    fn notice(&self, missing: u64) -> String {
        let mut now = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut now));
        let (target, message) = (
            module_path!(),
            "lines of this log are missing here: it was not read fast enough",
        );
        match self.format {
            Format::Text => format!("{now}  WARN {target}: {message} missing={missing}\n"),
            Format::Json => format!(
                "{{\"timestamp\":\"{now}\",\"level\":\"WARN\",\"message\":\"{message}\",\"missing\":{missing},\"target\":\"{target}\"}}\n"
            ),
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut missing = self.missing.swap(0, Ordering::Relaxed);
        if missing > 0 && self.add(self.notice(missing).as_bytes()) {
            missing = 0;
        }
        // Behind the notice of what is missing, or it would stand elsewhere.
        if missing > 0 || !self.add(line) {
            self.missing.fetch_add(missing + 1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rest {
    /// The count of lines that were lost.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.lost)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let (done, all_written) = sync_channel(1);
        let mut told = false;
        for _ in 0..LOOKS {
            told = told || self.0.to.try_send(Message::End(done.clone())).is_ok();
            if all_written.recv_timeout(PAUSE).is_ok() {
                return;
            }
        }
    }
}

fn write<W: Write>(mut to: W, queue: &Receiver<Message>) {
    for message in queue {
        match message {
            // There is nobody else to tell that it cannot be told.
            Message::Line(line) => drop(to.write_all(&line)),
            Message::End(done) => {
                let _ = to.flush();
                let _ = done.try_send(());
            }
        }
    }
}

/// Most lines that wait.
const LINES: usize = 1024;
/// How often it is looked at the end whether all is written, and how long each time.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of it goes on; what is not stops it, as a pipe does.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(line.to_vec());
            sent.map(|()| line.len()).map_err(io::Error::other)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_reads_stops_nobody_and_what_is_missing_is_told_where_it_is_missing() {
        for format in [Format::Text, Format::Json] {
            let (pipe, end) = sync_channel(0);
            let mut queue = Queue::start(Pipe(pipe), format).unwrap();
            for line in 0..5000 {
                queue.write_all(format!("{line}\n").as_bytes()).unwrap();
            }
            let lost = queue.rest().lost().load(Ordering::Relaxed);
            assert!(lost > 3900, "{lost}");
            // What waits is read, and then there is room for one more.
            let (mut next, mut told) = (0, 0);
            while next + lost - told < 5000 {
                read(&end, &mut next, &mut told);
            }
            queue.write_all(b"5000\n").unwrap();
            while next <= 5000 {
                read(&end, &mut next, &mut told);
            }
            assert_eq!(told, lost);
        }
    }

    /// Reads a line: the next one, or how many are missing before the next one.
    fn read(end: &Receiver<Vec<u8>>, next: &mut u64, told: &mut u64) {
        let line = String::from_utf8(end.recv().unwrap()).unwrap();
        if let Ok(line) = line.trim_end().parse::<u64>() {
            assert_eq!(line, *next);
            *next += 1;
            return;
        }
        assert!(line.contains("WARN"), "{line}");
        let missing: u64 = match serde_json::from_str::<serde_json::Value>(&line) {
            Ok(notice) => notice["missing"].as_u64().unwrap(),
            Err(_) => line.trim_end().rsplit('=').next().unwrap().parse().unwrap(),
        };
        *next += missing;
        *told += missing;
    }

    #[test]
    fn the_end_waits_for_what_is_being_read_and_not_for_what_is_not() {
        let (pipe, end) = sync_channel(0);
        let mut queue = Queue::start(Pipe(pipe), Format::Text).unwrap();
        let rest = queue.rest();
        for line in 0..100 {
            queue.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        let reader = thread::spawn(move || end.iter().take(100).count());
        drop(rest);
        assert_eq!(reader.join().unwrap(), 100);
        // Nobody is there any more to read what comes now; there, too, is an end.
        queue.write_all(b"more\n").unwrap();
        drop(queue.rest());
    }
}
