//! Secrets: values that are used but never shown, and where they come from.
//!
//! A [`Secret`] has no `Display` and prints `[secret]` in `Debug`. A [`Source`] says where a value
//! comes from; it is read again at each login, so a rotated file takes effect without a restart.

mod digest;
pub mod in_time;
pub mod memory;
pub mod private;
mod seal;
mod signing;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt};

pub use self::digest::{Digest, DigestError};
pub use self::seal::{Broken, NotAKey, SealKey};
pub use self::signing::{Algorithm, KeyError, SigningKey};

/// A value that must never be shown: its `Debug` prints `[secret]`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself. Each call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a value of an upstream comes from (`"text"`, `{ env }`, `{ file }`, `{ command }`). Its `Debug` leaves out a
/// program's arguments: they may be secret.
#[derive(Clone)]
pub enum Source {
    /// Written in the file, or taken from the environment when the configuration was read.
    Value(Secret),
    /// A file, read at each login; one trailing newline is trimmed.
    File(PathBuf),
    /// A program (no shell) whose standard output is the value; at most 10 s, one trailing newline
    /// trimmed.
    Command(Vec<String>),
}

/// Why a value could not be read. Never holds the value.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file as configured.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program could not be started, failed, or took too long. Its output is not shown.
    #[error("the command `{program}` {why}")]
    Command {
        /// The program's name, without its arguments (they may be secret).
        program: String,
        /// What went wrong.
        why: String,
    },
    /// There was no thread or runtime to read it on.
    #[error("cannot read a value now: {0}")]
    Now(io::Error),
    /// The value is not UTF-8.
    #[error("the value from {from} is not UTF-8")]
    NotText {
        /// Where it came from.
        from: String,
    },
    /// The value is empty or too long.
    #[error("the value from {from} is {what}")]
    Unusable {
        /// Where it came from.
        from: String,
        /// "empty", or that it is too long.
        what: &'static str,
    },
}

impl Source {
    /// Reads the value. Runs on the control runtime; ends within [`COMMAND_TIMEOUT`].
    pub async fn read(&self) -> Result<Secret, ReadError> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => {
                let read = async { bounded(tokio::fs::File::open(path).await?).await };
                // A pipe opens only when somebody writes to it.
                let read = tokio::time::timeout(COMMAND_TIMEOUT, read).await;
                let read = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let bytes = read.map_err(|source| ReadError::File {
                    path: path.clone(),
                    source,
                })?;
                usable(bytes, || path.display().to_string())
            }
            Self::Command(argv) => run(argv).await,
        }
    }

    /// The same for whoever cannot wait asynchronously: blocks, at most [`COMMAND_TIMEOUT`].
    pub fn read_now(&self) -> Result<Secret, ReadError> {
        let read = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build()?;
            let value = runtime.block_on(self.read());
            // Does not wait for a pipe that is still being opened.
            runtime.shutdown_background();
            Ok(value)
        };
        // A thread of its own, because a runtime cannot be driven from within another.
        let value: io::Result<_> = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, read)?;
            let panicked = |_| Err(io::Error::other("the thread panicked"));
            thread.join().unwrap_or_else(panicked)
        });
        value.map_err(ReadError::Now)?
    }

    /// What decides whether two sources are the same account: the place, or a digest of the value.
    pub fn identity(&self) -> String {
        match self {
            Self::Value(value) => {
                format!("value:{}", Digest::of(value.expose().as_bytes()).to_hex())
            }
            Self::File(path) => format!("file:{}", path.display()),
            Self::Command(argv) => format!("command:{argv:?}"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.debug_tuple("Value").field(value).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Command(argv) => f
                .debug_tuple("Command")
                .field(&argv.first())
                .finish_non_exhaustive(),
        }
    }
}

async fn run(argv: &[String]) -> Result<Secret, ReadError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(ReadError::Command {
            program: String::new(),
            why: "is empty".to_owned(),
        });
    };
    let failed = |why: String| ReadError::Command {
        program: program.clone(),
        why,
    };
    let output = async {
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let bytes = match child.stdout.take() {
            Some(stdout) => bounded(stdout).await?,
            None => Vec::new(),
        };
        // One that prints without end is not waited for.
        let status = match bytes.len() > LONGEST {
            true => None,
            false => Some(child.wait().await?),
        };
        io::Result::Ok((status, bytes))
    };
    let (status, bytes) = tokio::time::timeout(COMMAND_TIMEOUT, output)
        .await
        .map_err(|_| failed(format!("took longer than {} s", COMMAND_TIMEOUT.as_secs())))?
        .map_err(|error| failed(format!("could not be run: {error}")))?;
    if let Some(status) = status.filter(|status| !status.success()) {
        return Err(failed(format!("failed: {status}")));
    }
    usable(bytes, || format!("the command `{program}`"))
}

/// All of a source, or one byte more than a secret may have.
async fn bounded(source: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut source = source.take(LONGEST as u64 + 1);
    source.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn usable(bytes: Vec<u8>, from: impl Fn() -> String) -> Result<Secret, ReadError> {
    if bytes.len() > LONGEST {
        return Err(ReadError::Unusable {
            from: from(),
            what: "longer than 64 KiB",
        });
    }
    let mut text = String::from_utf8(bytes).map_err(|_| ReadError::NotText { from: from() })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(ReadError::Unusable {
            from: from(),
            what: "empty",
        });
    }
    Ok(Secret::new(text))
}

/// A digest of secrets under a key of this process: equal inputs can be recognised, nothing can be
/// looked up from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.get(..4).unwrap_or_default()))
    }
}

/// Makes [`Fingerprint`]s under one random key.
#[derive(Clone)]
pub struct Fingerprinter(hmac::Key);

impl Fingerprinter {
    /// A fingerprinter with a fresh random key.
    pub fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()))
    }

    /// The fingerprint of `parts`, each with its length, so that no two lists run together.
    pub fn of<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        Fingerprint(bytes)
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter")
    }
}

/// `N` random bytes from the operating system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The generator of aws-lc seeds itself from the system and reports no failure after start.
    let _ = rand::fill(&mut bytes);
    bytes
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// How long a secret's program may run.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest value of a file or program, in bytes.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests;
