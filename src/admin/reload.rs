//! What a reload answers: what changed, by section and key. There is no field that a value would fit in.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

/// A configuration that was read again and is at work now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reloaded {
    /// What is written in another way than before.
    pub changes: Vec<Changed>,
    /// Keys among them, with their section, that take effect at the next start only.
    pub at_next_start: Vec<String>,
    /// What may not be meant, as sentences of ours.
    pub warnings: Vec<String>,
    /// Upstreams that log in as somebody else now: the earlier ones serve until they have.
    pub logging_in: Vec<String>,
}

/// One section that is not as it was.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// `server.limits`, `upstream.crm`; empty for the top of the file.
    pub section: String,
    /// `added`, `removed` or `changed`.
    pub what: &'static str,
    /// The keys that are new, gone, or have another value.
    pub keys: Vec<String>,
}

/// Why everything stayed as it was. It quotes no secret.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong: its problems, as `upauth check` draws them.
    #[error("{0}")]
    Refused(String),
    /// The configuration is right, and cannot be put to work.
    #[error("{0}")]
    Failed(String),
}

/// What [`Controls::reload`](super::Controls::reload) returns. The reload goes on when the future is dropped.
pub type ReloadFuture = Pin<Box<dyn Future<Output = Result<Reloaded, ReloadError>> + Send>>;
