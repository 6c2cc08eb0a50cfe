//! [`read`]: an answer as JSON, although something in it is none.
//!
//! With a refresh token that is replaced when it is used, an answer that is thrown away may be the end of a grant: for a number in
//! it that nobody looks at, or a user's name that was cut in the middle of a letter. So what a strict parser refuses is mended
//! where it cannot change what a token is.

use serde_json::Value;

/// The body, a byte order mark aside (RFC 8259 section 8.1 allows to read over it). Mended are, if need be: what stands in the place of a
/// value and is none (a number beyond all bounds, `NaN`): null; half of a surrogate pair, and what is no UTF-8: U+FFFD; control
/// characters in a text; NUL behind the end.
pub(crate) fn read(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if let Ok(json) = serde_json::from_slice(body) {
        return Some(json);
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim_end_matches('\0').trim_ascii();
    // Whatever is no object has no fields.
    let mended = text.starts_with('{').then(|| mended(text))?;
    serde_json::from_str(&mended).ok()
}

fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => string(rest, &mut mended),
            c if is_of_word(c) => word(rest, &mut mended),
            c => {
                mended.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    mended
}

/// A number, `true`, `false`, `null`, or what was meant to be one.
fn word(text: &str, mended: &mut String) -> usize {
    let end = text.find(|c| !is_of_word(c)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    let is_value = serde_json::from_str::<Value>(word).is_ok();
    mended.push_str(if is_value { word } else { "null" });
    end
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['+', '-', '.', '_'].contains(&c)
}

/// A text with its quotation marks; how long it was.
fn string(text: &str, mended: &mut String) -> usize {
    mended.push('"');
    let mut at = 1;
    while let Some(rest) = text.get(at..)
        && let Some(c) = rest.chars().next()
    {
        at += match c {
            '"' => {
                mended.push('"');
                return at + 1;
            }
            '\\' => escape(rest, mended),
            c if c.is_control() => {
                mended.push_str(&format!("\\u{:04x}", u32::from(c)));
                c.len_utf8()
            }
            c => {
                mended.push(c);
                c.len_utf8()
            }
        };
    }
    at
}

/// What a backslash begins.
fn escape(text: &str, mended: &mut String) -> usize {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let whole = match (unit(text), text.get(6..).and_then(unit)) {
        (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
        (Some(0xd800..0xe000), _) => {
            mended.push(char::REPLACEMENT_CHARACTER);
            return 6;
        }
        (Some(_), _) => 6,
        // An escaped quotation mark ends nothing.
        (None, _) => 1 + text.chars().nth(1).map_or(0, char::len_utf8),
    };
    mended.push_str(text.get(..whole).unwrap_or_default());
    whole
}
