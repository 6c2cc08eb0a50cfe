//! `[outbound]` and its per-leg forms: how connections to the outside are made.

use std::path::PathBuf;
use std::time::Duration;

/// One leg: to the token endpoint (`[upstream.NAME.token]`) or to the API (`[upstream.NAME.api]`),
/// with what `[outbound]` and the upstream say already merged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// PEM files of further authorities, added to the system's.
    pub ca: Vec<PathBuf>,
    /// Time for name resolution, TCP and TLS together. Default 5 s.
    pub connect_timeout: Duration,
}
