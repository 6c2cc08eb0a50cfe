//! Everything that is logged in this process.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// Everything that `tracing` and `log` say, at every level, from every crate.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl log::Log for Logs {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        writeln!(self.clone(), "LOG {} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

impl Logs {
    pub fn listen() -> Self {
        let logs = Self::default();
        let to = logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            // What the proxy says is told from what the servers and callers of the test say in the same words.
            .with_thread_names(true)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log::set_boxed_logger(Box::new(logs.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        logs
    }

    pub fn read(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// What was not heard would have told nothing.
pub fn assert_heard(logged: &[u8]) {
    for target in ["TRACE", "upauth::", " h2::", "LOG rustls", "LOG reqwest"] {
        let heard = memchr::memmem::find(logged, target.as_bytes()).is_some();
        assert!(heard, "nothing was heard of {target}");
    }
}
