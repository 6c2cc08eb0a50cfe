//! Looks for secrets where none may be, in every form in which one is likely to be written.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The secrets of a run.
#[derive(Default)]
pub struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    /// Adds a secret under the name that a leak of it is told by.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        assert!(
            value.len() >= 8,
            "{name} is too short to be told from anything else"
        );
        if !self.0.iter().any(|(_, known)| known == value) {
            self.0.push((name.to_owned(), value.to_vec()));
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Every secret that is in `bytes`, by name and form.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        // By their first two bytes, so that one walk looks for all of them.
        let mut needles: Vec<Vec<(&str, &str, Vec<u8>)>> = vec![Vec::new(); 1 << 16];
        for (name, value) in &self.0 {
            for (form, needle) in forms(value) {
                needles[first_two(&needle)].push((name, form, needle));
            }
        }
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            let rest = &bytes[at..];
            let begun = &mut needles[first_two(rest)];
            if begun.is_empty() {
                continue;
            }
            begun.retain(|(name, form, needle)| {
                let is_here = rest.starts_with(needle);
                if is_here {
                    let around = &bytes[at.saturating_sub(80)..bytes.len().min(at + 80)];
                    let around = String::from_utf8_lossy(around);
                    found.push(format!("{name}, {form}: ...{around}..."));
                }
                !is_here
            });
        }
        found
    }
}

fn first_two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// The forms of a value, by name.
pub fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(value).into_owned();
    let json = quoted(&serde_json::to_string(&text).unwrap());
    let mut forms = vec![
        ("raw", value.to_vec()),
        ("as JSON", json.clone().into()),
        (
            "as JSON in JSON",
            quoted(&serde_json::to_string(&json).unwrap()).into(),
        ),
        ("as Debug of text", quoted(&format!("{text:?}")).into()),
        ("as Debug of bytes", value.escape_ascii().to_string().into()),
        ("as a list of numbers", numbers(value).into()),
        ("as hex", hex(value, false).into()),
        ("as capital hex", hex(value, true).into()),
        (
            "percent-encoded",
            percent(value, b"-._~", "%20", true).into(),
        ),
        (
            "percent-encoded in small letters",
            percent(value, b"-._~", "%20", false).into(),
        ),
        (
            "percent-encoded as by encodeURI",
            percent(value, b"-._~!*'();:@&=+$,/?#", "%20", true).into(),
        ),
        ("form-encoded", percent(value, b"-._*", "+", true).into()),
        (
            "form-encoded in small letters",
            percent(value, b"-._*", "+", false).into(),
        ),
    ];
    // A part of a longer text that was encoded as a whole: three ways to lie in it. Letters that depend on the
    // neighbours are left out, and padding with them, so one needle finds the forms with and without it.
    for (alphabet, names) in [(STANDARD, BASE64), (URL_SAFE, BASE64_URL)] {
        for (before, name) in names.into_iter().enumerate() {
            let mut longer = vec![0; before];
            longer.extend(value);
            let encoded = alphabet.encode(&longer);
            let (first, last) = ((before * 8).div_ceil(6), longer.len() * 8 / 6);
            forms.push((name, encoded.as_bytes()[first..last].to_vec()));
        }
    }
    // Cut short by somebody who shows beginnings or ends of a long token.
    if value.len() >= 64 && !value.contains(&b'{') {
        let middle = value.len() / 2;
        forms.push(("in part", value[middle - 8..middle + 8].to_vec()));
        forms.push(("its end", value[value.len() - 16..].to_vec()));
    }
    let mut known = std::collections::HashSet::new();
    forms.retain(|(_, needle)| known.insert(needle.clone()));
    forms
}

fn quoted(text: &str) -> String {
    text[1..text.len() - 1].to_owned()
}

fn numbers(value: &[u8]) -> String {
    let all: Vec<String> = value.iter().map(u8::to_string).collect();
    all.join(", ")
}

fn hex(value: &[u8], capital: bool) -> String {
    value.iter().fold(String::new(), |mut text, byte| {
        let _ = if capital {
            write!(text, "{byte:02X}")
        } else {
            write!(text, "{byte:02x}")
        };
        text
    })
}

fn percent(value: &[u8], kept: &[u8], blank: &str, capital: bool) -> String {
    value.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b' ' => text.push_str(blank),
            byte if byte.is_ascii_alphanumeric() || kept.contains(byte) => {
                text.push(char::from(*byte));
            }
            byte => {
                text.push('%');
                text.push_str(&hex(&[*byte], capital));
            }
        }
        text
    })
}

const BASE64: [&str; 3] = [
    "as base64",
    "in base64, second place",
    "in base64, third place",
];
const BASE64_URL: [&str; 3] = [
    "as base64url",
    "in base64url, second place",
    "in base64url, third place",
];
