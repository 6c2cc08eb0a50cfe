//! [`read`]: an answer as JSON, although something in it is none; [`begun`]: what there is of one that is not whole.
//!
//! With a refresh token that is replaced when it is used, an answer that is thrown away may be the end of a grant: for a number in
//! it that nobody looks at, a user's name that was cut in the middle of a letter, or an end that got lost. So what a strict parser
//! refuses is read over where it cannot change what a token is.

use serde_json::{Map, Value};

/// The body, a byte order mark aside (RFC 8259 section 8.1 allows to read over it), from its first brace to its last. Mended are, if
/// need be: what stands in the place of a value and is none (a number beyond all bounds, `NaN`, nothing): null; an escape that JSON
/// does not know, half of a surrogate pair, and what is no UTF-8: U+FFFD. Control characters are themselves in a text and blanks
/// outside of one; a comma behind the last field is read over.
pub(crate) fn read(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if let Ok(json) = serde_json::from_slice(body) {
        return Some(json);
    }
    let text = String::from_utf8_lossy(body);
    let mut reader = Reader::new(text.trim_ascii_start().strip_prefix('{')?);
    let object = reader.object(DEPTH);
    let is_whole = !reader.is_lost && reader.rest.trim_start_matches(is_blank).is_empty();
    is_whole.then_some(object)
}

/// The first object, from its first brace as far as it can be read, whatever is in front of it and behind; in UTF-16 and UTF-32, too.
/// Of what was cut a text has U+FFFD at its end.
pub(super) fn begun(body: &[u8]) -> Option<Value> {
    let zeros = body.iter().filter(|byte| **byte == 0).count();
    // What is ASCII in such a text is so without them.
    let is_wide = zeros * 3 >= body.len();
    let bytes = body.iter().copied();
    let bytes: Vec<u8> = bytes.filter(|byte| !is_wide || *byte != 0).collect();
    let text = String::from_utf8_lossy(&bytes);
    let (_, text) = text.split_once('{')?;
    Some(Reader::new(text).object(DEPTH))
}

struct Reader<'a> {
    rest: &'a str,
    /// What was there could not be understood, or broke off: nothing more is read.
    is_lost: bool,
}

impl<'a> Reader<'a> {
    fn new(rest: &'a str) -> Self {
        Self {
            rest,
            is_lost: false,
        }
    }

    /// What follows the first brace.
    fn object(&mut self, depth: usize) -> Value {
        let mut fields = Map::new();
        while !self.is_lost && !self.takes('}') {
            if !self.takes('"') {
                self.is_lost = true;
                break;
            }
            let name = self.text();
            if self.takes(':') {
                let value = self.value(depth);
                fields.insert(name, value);
            }
            self.is_lost |= !self.takes(',') && !self.rest.starts_with('}');
        }
        Value::Object(fields)
    }

    /// What follows the first bracket.
    fn array(&mut self, depth: usize) -> Value {
        let mut values = Vec::new();
        while !self.is_lost && !self.takes(']') {
            values.push(self.value(depth));
            self.is_lost |= !self.takes(',') && !self.rest.starts_with(']');
        }
        Value::Array(values)
    }

    fn value(&mut self, depth: usize) -> Value {
        let Some(below) = depth.checked_sub(1) else {
            self.is_lost = true;
            return Value::Null;
        };
        if self.takes('"') {
            Value::String(self.text())
        } else if self.takes('{') {
            self.object(below)
        } else if self.takes('[') {
            self.array(below)
        } else {
            self.word()
        }
    }

    /// A number, `true`, `false`, `null`, or what was meant to be one.
    fn word(&mut self) -> Value {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "+-._:".contains(c);
        let end = self
            .rest
            .find(|c| !is_of_word(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        serde_json::from_str(word).unwrap_or(Value::Null)
    }

    /// What follows the first quotation mark.
    fn text(&mut self) -> String {
        let mut units = Vec::new();
        loop {
            match self.next() {
                Some('"') => break,
                Some('\\') => units.push(self.escape().unwrap_or(REPLACEMENT)),
                Some(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
                None => {
                    units.push(REPLACEMENT);
                    self.is_lost = true;
                    break;
                }
            }
        }
        String::from_utf16_lossy(&units)
    }

    /// What follows a backslash; `None`: JSON does not know it.
    fn escape(&mut self) -> Option<u16> {
        match self.next()? {
            c @ ('"' | '\\' | '/') => u16::try_from(c).ok(),
            'b' => Some(0x08),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'u' => {
                let (digits, rest) = self.rest.split_at_checked(4)?;
                // Rust takes a sign for one.
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                self.rest = rest;
                u16::from_str_radix(digits, 16).ok()
            }
            _ => None,
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Whether `c` comes next; blanks are read over.
    fn takes(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start_matches(is_blank);
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}

/// U+FFFD, in UTF-16.
const REPLACEMENT: u16 = 0xfffd;
/// As deep as the strict parser goes.
const DEPTH: usize = 127;
