//! [`Status`]: what an operator may know about an account's credential. Never the token.

use std::time::Duration;

/// What an account is doing, in one word. One that was rejected counts as none, even if callers get it as long as no
/// login succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No credential, and nobody wanted one yet (or since it ran out).
    None,
    /// A credential is being served.
    Valid,
    /// No credential; a login is under way.
    Renewing,
    /// No credential; the next login waits.
    Waiting,
    /// No credential; the token endpoint refused.
    Refused,
}

impl State {
    /// The word, for the status page and the JSON API.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Valid => "valid",
            Self::Renewing => "renewing",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
        }
    }
}

/// A look at one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// What the last login failed with, if it failed (a valid credential may be there all the same).
    pub why: Option<String>,
    /// The scope that was asked for and that the credential lacks.
    pub lacks: Option<String>,
    /// When the next login is allowed after a failed one; `None`: at once, or not by itself.
    pub next_try: Option<Duration>,
    /// When the credential expires; `None`: there is none, or the provider does not say.
    pub expires_in: Option<Duration>,
    /// Which credential it is; zero before the first.
    pub generation: u64,
    /// Logins that ended, well or not.
    pub logins: u64,
}
