//! What is told of each upstream. There is no field that a token would fit in.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// One upstream, as `/api/v1/status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamStatus {
    /// NAME of `[upstream.NAME]`.
    pub name: String,
    /// `provider`.
    pub provider: &'static str,
    /// How its credential is.
    pub state: State,
    /// Since when, as time since the Unix epoch.
    #[serde(serialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub since: Option<Duration>,
    /// What the last login ended with, when it failed: printable, short, never a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When the next login is tried, as time since the Unix epoch.
    #[serde(serialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Duration>,
    /// How long the current token is good for, in seconds; none if it names no end.
    #[serde(
        rename = "expires_in_seconds",
        serialize_with = "seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_in: Option<Duration>,
    /// The names of its surfaces.
    pub surfaces: Vec<String>,
    /// The same upstream as a reload changed it, until it has logged in and serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Box<Self>>,
}

/// How a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has asked for it yet.
    NotYet,
    /// There is a valid one; it may be in renewal.
    Valid,
    /// There is none, and a login is under way.
    LoggingIn,
    /// There is none; the token endpoint could not be used and is tried again.
    Unavailable,
    /// There is none; the provider said no, and a person must act.
    Refused,
}

/// One thing that readiness consists of.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// One word: `config`, `listeners`, `draining`.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
}

fn time<S: Serializer>(at: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let at = SystemTime::UNIX_EPOCH + at.unwrap_or_default();
    to.collect_str(&humantime::format_rfc3339_seconds(at))
}

fn seconds<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(duration.unwrap_or_default().as_secs())
}
