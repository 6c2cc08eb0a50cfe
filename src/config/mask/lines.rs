//! The lines below the key of a secret: its value may stand there, or go on there, by mistake. TOML wants it beside the key.

use std::ops::Range;

/// The lines behind `at`, where a value ends or should have begun, that are no entries, no comments and no headers of their own.
/// None, if something follows in the same line.
pub(super) fn going_on(text: &str, at: usize) -> Option<Range<usize>> {
    let start = next(text, at)?;
    let mut end = start;
    for line in text.get(start..)?.split_inclusive('\n') {
        let told = line.trim();
        if told.is_empty() || !is_of_the_value(told) {
            break;
        }
        end += line.len();
    }
    let lines = start..start + text.get(start..end)?.trim_end().len();
    (!lines.is_empty()).then_some(lines)
}

/// Where the next line with something in it begins, if nothing but a comment follows in that of `at`.
pub(super) fn next(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let (line, below) = rest.split_once('\n')?;
    let line = line.trim();
    if !(line.is_empty() || line.starts_with('#')) {
        return None;
    }
    let blank = below.len() - below.trim_start().len();
    Some(text.len() - below.len() + blank)
}

fn is_of_the_value(line: &str) -> bool {
    let is_header = line
        .strip_prefix('[')
        .is_some_and(|name| !name.trim_start().starts_with(['"', '\'']));
    let says_something = line.contains(char::is_alphanumeric);
    says_something && !is_header && !line.starts_with('#') && !is_entry(line)
}

/// Whether the line is `KEY = VALUE`, as TOML has it.
fn is_entry(line: &str) -> bool {
    let quoted = line.strip_prefix(['"', '\'']).and_then(|rest| {
        let quote = line.chars().next()?;
        Some(rest.split_once(quote)?.1)
    });
    let behind = match quoted {
        Some(rest) => rest.trim_start().strip_prefix('='),
        None => line
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty() && key.chars().all(is_of_a_key))
            .map(|(_, value)| value),
    };
    behind.is_some_and(|value| is_value(value.trim()))
}

fn is_of_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-. \t\"'".contains(c)
}

fn is_value(text: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || "+-._:TZ ".contains(c);
    text.starts_with(['"', '\'', '[', '{'])
        || ["true", "false"].contains(&text)
        || (!text.is_empty() && text.chars().all(is_number))
}
