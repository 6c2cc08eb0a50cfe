//! Looking for one value in the beginning of a JSON or XML document that may be cut off.
//!
//! JSON is really parsed, so neither spaces nor the order of keys matter, and text inside a string is
//! never taken for structure. XML is only scanned for elements; no DTD, entity or reference is resolved.

use std::fmt;

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Whether a scalar at `place` passes `test`. A value that the cut goes through is not there.
pub(super) fn json_has(
    body: &[u8],
    complete: bool,
    place: &str,
    test: &dyn Fn(&str) -> bool,
) -> bool {
    // `110` may be the beginning of a longer number.
    let end = body.iter().rposition(|byte| !is_number(*byte));
    let body = match end {
        Some(end) if !complete => body.get(..=end).unwrap_or_default(),
        _ => body,
    };
    let mut at = String::new();
    let mut found = false;
    let mut json = serde_json::Deserializer::from_slice(body);
    let walk = Walk {
        place,
        test,
        at: &mut at,
        found: &mut found,
    };
    let whole = walk.deserialize(&mut json).and_then(|()| json.end());
    match whole {
        Ok(()) => found,
        Err(error) => found && !complete && error.is_eof(),
    }
}

/// Whether an element `name` (of any prefix) that holds only text passes `test`.
pub(super) fn xml_has(body: &[u8], name: &str, test: &dyn Fn(&str) -> bool) -> bool {
    // An element that is quoted inside of JSON or text is none.
    let mut rest = body.trim_ascii_start();
    if !rest.starts_with(b"<") {
        return false;
    }
    while let Some((tag, text, next)) = next_tag(rest) {
        let local = tag.split(|byte| b" \t\r\n/".contains(byte)).next();
        let local = local.and_then(|name| name.rsplit(|byte| *byte == b':').next());
        if local == Some(name.as_bytes())
            && !tag.starts_with(b"/")
            && std::str::from_utf8(text).is_ok_and(|text| test(text.trim()))
        {
            return true;
        }
        rest = next;
    }
    false
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// The inside of the next tag, the text up to the tag after it, and the rest from there.
fn next_tag(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_, body) = body.split_at_checked(memchr(b'<', body)? + 1)?;
    let (tag, body) = body.split_at_checked(memchr(b'>', body)?)?;
    let body = body.get(1..)?;
    let (text, rest) = body.split_at_checked(memchr(b'<', body)?)?;
    Some((tag, text, rest))
}

struct Walk<'a> {
    place: &'a str,
    test: &'a dyn Fn(&str) -> bool,
    at: &'a mut String,
    found: &'a mut bool,
}

impl Walk<'_> {
    fn scalar(&mut self, text: &str) {
        *self.found |= self.at == self.place && (self.test)(text);
    }

    fn child(&mut self) -> Walk<'_> {
        Walk {
            place: self.place,
            test: self.test,
            at: self.at,
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        // Bounded: serde_json refuses more than 128 levels.
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<(), E> {
        self.scalar(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<(), E> {
        self.scalar(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<(), E> {
        self.scalar(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<(), E> {
        self.scalar(&value.to_string());
        Ok(())
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        self.scalar(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let here = self.at.len();
        self.at.push_str("/*");
        while elements.next_element_seed(self.child())?.is_some() {}
        self.at.truncate(here);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let here = self.at.len();
        while let Some(key) = members.next_key::<String>()? {
            self.at.push('/');
            self.at.push_str(&key);
            members.next_value_seed(self.child())?;
            self.at.truncate(here);
        }
        Ok(())
    }
}
