//! Diagnostics: `tracing` events to standard error, one line each, as text or JSON.
//!
//! Nobody waits for whoever reads them: see `queue`.
//!
//! No colours: with them the bytes of a terminal could not be told from the bytes of an attacker.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;

use super::printable;

mod queue;

use self::queue::Queue;
pub use self::queue::Rest;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why diagnostics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A word that is no level.
    #[error(
        "`{0}` is no level: error, warn, info, debug, trace, off, or directives such as `info,upauth::token=debug`"
    )]
    Level(String),
    /// Directives that cannot be read.
    #[error("`{level}` cannot be read: {source}")]
    Directives {
        /// As given.
        level: String,
        /// What is wrong.
        source: ParseError,
    },
    /// They are set up already.
    #[error("diagnostics are set up already")]
    Twice,
    /// The thread that writes them did not start.
    #[error("the thread that writes diagnostics cannot be started: {0}")]
    Thread(io::Error),
}

/// Checks a level without setting anything up, for the configuration's own report.
pub fn check(level: &str) -> Result<(), Error> {
    filter(level).map(drop)
}

/// Sends the events of this process to standard error. `level` is one level, which is meant for
/// `upauth` itself (libraries stay at warnings), or directives, taken as they are. What it returns is kept until the end.
pub fn init(format: Format, level: &str) -> Result<Rest, Error> {
    check(level)?;
    let queue = Queue::start(io::stderr(), format).map_err(Error::Thread)?;
    let rest = queue.rest();
    let subscriber = subscriber(format, level, move || queue.clone())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)?;
    Ok(rest)
}

fn subscriber<W, M>(
    format: Format,
    level: &str,
    to: M,
) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: Write,
    M: Fn() -> W + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level)?)
        .with_ansi(false)
        // Else what cannot be written is told by `eprintln!`, which panics where it cannot be written either.
        .log_internal_errors(false)
        .with_writer(Lines(to));
    Ok(match format {
        Format::Text => Box::new(builder.finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    let level = level.trim();
    let directives = if level.contains(['=', ',']) {
        level.to_owned()
    } else {
        // A word that is no level would be taken for the name of a module.
        let own = Some(level).filter(|level| !level.is_empty());
        let own: LevelFilter = own
            .and_then(|level| level.parse().ok())
            .ok_or_else(|| Error::Level(printable(level).into_owned()))?;
        format!("{},upauth={own}", own.min(LevelFilter::WARN))
    };
    EnvFilter::builder()
        .with_regex(false)
        .parse(&directives)
        .map_err(|source| Error::Directives {
            level: printable(level).into_owned(),
            source,
        })
}

/// Makes writers that let nothing through but printable lines.
struct Lines<F>(F);

struct Line<W>(W);

impl<'a, W: Write, F: Fn() -> W> MakeWriter<'a> for Lines<F> {
    type Writer = Line<W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line((self.0)())
    }
}

impl<W: Write> Write for Line<W> {
    /// An event comes as one buffer that ends with the only newline it may have.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut safe = printable(line).into_owned();
        safe.push('\n');
        self.0.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, level: &str, event: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let to = buffer.clone();
        let subscriber = subscriber(format, level, move || to.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, event);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_printable_line() {
        let evil = "x\u{1b}[2J\r\nINFO forged\u{9b}";
        for format in [Format::Text, Format::Json] {
            let text = written(format, "info", || {
                tracing::info!(upstream = %evil, "said {evil}");
            });
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n'), "{text}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn json_stays_json() {
        let text = written(Format::Json, "info", || {
            tracing::info!(upstream = "a\u{9b}\"b", "said");
        });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["upstream"], "a\u{9b}\"b");
        assert_eq!(value["message"], "said");
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn a_level_is_meant_for_this_crate_and_libraries_stay_at_warnings() {
        let events = || {
            tracing::debug!("own");
            tracing::debug!(target: "h2::proto", "frames");
            tracing::warn!(target: "h2::proto", "reset");
        };
        let text = written(Format::Text, "debug", events);
        let has = |word: &str| text.contains(word);
        assert!(has("own") && has("reset") && !has("frames"), "{text}");
        assert_eq!(written(Format::Text, "off", events), "");
        let directives = written(Format::Text, "off,h2=debug", events);
        assert!(directives.contains("frames"), "{directives}");
    }

    #[test]
    fn a_wrong_level_is_named() {
        for level in ["loud", "", "info,upauth=loud"] {
            let error = check(level).unwrap_err().to_string();
            assert!(error.contains(level), "{error}");
        }
    }
}
