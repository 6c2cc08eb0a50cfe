//! Text from outside made fit for one line of a log: nothing in it moves the cursor or breaks the line.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with each control character, line separator and change of writing direction as `\uXXXX`,
/// which is plain text in a line and the same character in a JSON string.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(moves) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if moves(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Controls (C0, DEL, C1), line and paragraph separators, and the marks that reorder what is shown
/// (Unicode TR36, section 3: bidirectional text spoofing).
fn moves(c: char) -> bool {
    let separates = matches!(c, '\u{2028}' | '\u{2029}');
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || separates || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_is_left() {
        let rows = [
            ("/services/data", "/services/data"),
            ("Zürich \u{1f600}", "Zürich \u{1f600}"),
            ("a\nb\r\tc", "a\\u000ab\\u000d\\u0009c"),
            ("\u{1b}[2J\u{9b}2J\u{7f}", "\\u001b[2J\\u009b2J\\u007f"),
            ("\u{202e}txt.exe\u{2028}", "\\u202etxt.exe\\u2028"),
            ("a\u{200f}b\u{61c}", "a\\u200fb\\u061c"),
        ];
        for (text, expected) in rows {
            assert_eq!(printable(text), expected);
        }
    }
}
