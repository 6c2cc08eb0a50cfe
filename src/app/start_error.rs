//! [`StartError`]: why the proxy did not start, or why a reload changes nothing.

use std::io;

use super::listeners::OF_ALL;
use crate::tls;
use crate::token::store;

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}{}", why_not(source, key))]
    Listen {
        /// What says so in the configuration: `[admin] listen`.
        key: String,
        /// The address as configured.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate, key or CA file cannot be used.
    #[error("{place}: {source}")]
    Tls {
        /// Where the configuration names it.
        place: String,
        /// What is wrong with it.
        source: Box<tls::Error>,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] store::Unusable),
    /// The access log cannot be opened.
    #[error("cannot write the access log: {0}")]
    AccessLog(io::Error),
    /// A thread or runtime cannot be made.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What is behind it that an address cannot be listened on, if that is known.
fn why_not(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            // `--listen` stands for this one alone.
            let or = match key {
                OF_ALL => ", or `run --listen`",
                _ => "",
            };
            format!(" (another upauth? choose with `{key}`{or})")
        }
        io::ErrorKind::NotFound => " (the folder of a socket must be there)".to_owned(),
        io::ErrorKind::AddrNotAvailable => " (no address of this machine)".to_owned(),
        _ => String::new(),
    }
}

impl StartError {
    pub(super) fn of(place: impl Into<String>, source: tls::Error) -> Self {
        Self::Tls {
            place: place.into(),
            source: Box::new(source),
        }
    }
}
