//! `[log]`: what is written, and where.

use std::path::PathBuf;

use super::reading::Reading;
use super::section::{Leftover, Section};
use crate::code;

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

impl Log {
    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let formats = [
            ("auto", Format::Auto),
            ("text", Format::Text),
            ("json", Format::Json),
        ];
        let log = Self {
            format: table.word("format", &formats, &[], reading),
            level: level(&mut table, reading),
            access: match table.text("access", reading) {
                None => AccessLog::default(),
                Some(text) => match text.text.as_str() {
                    "off" => AccessLog::Off,
                    "stdout" => AccessLog::Stdout,
                    path => AccessLog::File(reading.path(text.span.start, path)),
                },
            },
        };
        table.finish(Leftover::default(), reading);
        log
    }
}

fn level(table: &mut Section<'_>, reading: &mut Reading<'_>) -> String {
    let Some(text) = table.text("level", reading) else {
        return DEFAULT_LEVEL.to_owned();
    };
    if !text.text.split(',').all(is_directive) {
        let message = format!("{} is not a level", text.quoted());
        reading.problem(&code::BAD_VALUE, text.span, message).help(
            "one of off, error, warn, info, debug, trace; or several: \"info,upauth::token=debug\"",
        );
    }
    text.text
}

/// `LEVEL` or `TARGET=LEVEL`.
fn is_directive(text: &str) -> bool {
    let (target, level) = text.split_once('=').unwrap_or(("upauth", text));
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'-');
    let level = level.trim().to_ascii_lowercase();
    LEVELS.contains(&level.as_str())
        && !target.trim().is_empty()
        && target.trim().bytes().all(letter)
}

const DEFAULT_LEVEL: &str = "info";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
