//! `[log]`: what is written, and where.

use std::path::PathBuf;

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// Text or JSON. Default: text on a terminal, JSON otherwise.
    pub format: Format,
    /// A level, or directives such as `info,upauth::token=debug`. Default `info`.
    pub level: String,
    /// Where the access log goes. Default standard output.
    pub access: AccessLog,
}

/// `[log] format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log] access`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// None.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}
