//! [`Exit`]: what the process says at its end, in the numbers of sysexits.

use std::process::ExitCode;

/// How a command ended. Where one of several is told, it is the greatest: a wrong configuration before refused before
/// unreachable before done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or drained.
    Done = 0,
    /// Cut at the drain deadline, not ready, or a defect.
    Failed = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// An upstream or token endpoint is unreachable.
    Unavailable = 69,
    /// A port is taken, or a file cannot be written.
    Io = 74,
    /// A token endpoint refused the credentials.
    Refused = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
