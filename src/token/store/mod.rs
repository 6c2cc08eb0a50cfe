//! Where tokens outlive the process: small records by name, each with a version.
//!
//! A [`Store`] knows no token and no provider. What it promises is what rotation needs of it: a record is replaced
//! only by who knows its version, is whole and durable when `put` returns, and at most one holder has its lease.
//! In this version there are memory, which ends with the process, and [`Files`]; the operations are those that Redis
//! can do as well.

mod file;
mod memory;
mod record;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

pub use self::file::{Files, Leftover, Unusable};
pub use self::memory::Memory;
pub(super) use self::record::{Answer, Grant, Intent, Token, decode, encode, millis};
use crate::secret::Digest;

/// Records by name. No operation waits without a bound.
pub trait Store: Send + Sync + 'static {
    /// The record; `None`: there is none.
    fn get<'a>(&'a self, name: &'a Name) -> StoreFuture<'a, Option<Record>>;

    /// Writes the record if its version is still `known` (zero: if there is none). It is durable on return.
    fn put<'a>(&'a self, name: &'a Name, known: u64, value: Vec<u8>) -> StoreFuture<'a, Put>;

    /// The right to redeem what the record holds; waits for it for at most `wait`.
    fn lease<'a>(&'a self, name: &'a Name, wait: Duration) -> StoreFuture<'a, Lease>;

    /// Removes the records of access tokens that nobody has written for `unused`, and says how many there were. Those
    /// of refresh tokens stay, whoever they are of.
    /// There are none where records end by themselves.
    fn sweep(&self, _unused: Duration) -> StoreFuture<'_, usize> {
        Box::pin(async { Ok(0) })
    }
}

/// What operations of a [`Store`] return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a record is called: what it is of and a digest of what tells it from others.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    kind: Kind,
    digest: String,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The access token of an account.
    Token,
    /// The refresh token of a lineage.
    Grant,
}

/// What is stored under a name. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// One more with each `put`; the first is 1.
    pub version: u64,
    /// What was put.
    pub value: Vec<u8>,
}

/// What became of a `put`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored under this version.
    Done(u64),
    /// Somebody else's is stored.
    Conflict,
}

/// The right to redeem what a record holds; it ends when this is dropped, or its process dies.
pub type Lease = Box<dyn Held>;

/// A lease that was given.
pub trait Held: Send + Sync {
    /// Whether it still is ours.
    fn holds(&self) -> StoreFuture<'_, bool>;
}

/// Why the store did not do it. It holds nothing of a record.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its seal does not fit.
    #[error(
        "the record {path} is damaged: it is left as it is; restore it, or remove it to begin again without it"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It has another layout.
    #[error(
        "the record {path} was written by another version of upauth: it is left as it is; go on with that version"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Its seal fits, but what is in it does not.
    #[error("a record holds what this version does not understand: it is left as it is")]
    Strange,
    /// The folder is no longer there, or is another one.
    #[error("the store {path} is gone: restore it, and restart to begin a new one")]
    Gone {
        /// The folder.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// "read", "write", "lock" or "remove".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else has done meanwhile what was under way here, although the lease was ours.
    #[error("another process has redeemed the same token")]
    Overtaken,
    /// It takes too long, or somebody else has the lease.
    #[error("{0}")]
    Busy(&'static str),
}

impl Name {
    /// The name of a record of `kind` that `parts` tell from others.
    pub fn of<'a>(kind: Kind, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            all.extend((part.len() as u64).to_be_bytes());
            all.extend(part);
        }
        Self {
            kind,
            digest: Digest::of(&all).to_hex(),
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Grant => "grant",
        }
    }
}

/// The digest, for what must be told apart within a record.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digest)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
