//! What servers do to a path before they look at it; each step changes only what it is about.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::letters::{best_fit, case_folded, compatible, overlong, unicode_escapes};
use super::segments;
use super::sessions::without_session;

/// What is borrowed took no more than a look.
pub(super) type Transform = fn(&[u8]) -> Cow<'_, [u8]>;

/// Steps after which it is still the same call.
pub(super) const TRANSFORMS: [Transform; 15] = [
    // RFC 3986 section 2.1. Done again by whoever stands behind another decoder.
    |path| percent_decode(path).into(),
    unicode_escapes,
    overlong,
    compatible,
    best_fit,
    // Windows and browsers (WHATWG URL) take `\` for `/`.
    |path| {
        if !path.contains(&b'\\') {
            return path.into();
        }
        let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
        path.iter().map(slash).collect()
    },
    // Path parameters, RFC 3986 section 3.3; servlet containers cut them off each segment.
    |path| {
        if !path.contains(&b';') {
            return path.into();
        }
        map_segments(path, |segment| {
            segment.split(|byte| *byte == b';').next().unwrap_or(b"")
        })
    },
    // Others cut off a session of Java's with all that is behind it (Tomcat 6, Spring 4).
    |path| {
        let session = b";jsessionid=";
        let is_session = |part: &[u8]| part.eq_ignore_ascii_case(session);
        let at = path.windows(session.len()).position(is_session);
        path.get(..at.unwrap_or(path.len())).unwrap_or(path).into()
    },
    // Browsers, and who reads URLs as they do (WHATWG URL), leave these out.
    |path| {
        let left_out = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
        if !path.iter().any(left_out) {
            return path.into();
        }
        path.iter()
            .copied()
            .filter(|byte| !left_out(byte))
            .collect()
    },
    // Windows ignores dots and blanks at the end of a name.
    |path| {
        if !path.iter().any(is_dot_or_blank) {
            return path.into();
        }
        map_segments(path, trimmed)
    },
    |path| without_session(path, b"/"),
    |path| without_session(path, b""),
    |path| {
        if !path.windows(2).any(|pair| pair == b"//") {
            return path.into();
        }
        let mut merged = path.to_vec();
        merged.dedup_by(|a, b| *a == b'/' && *b == b'/');
        merged.into()
    },
    without_dot_segments,
    // What decoding brought to light may end the path for the next reader.
    |path| {
        let ends = |byte: &u8| matches!(byte, b'?' | b'#' | 0..0x20);
        path.split(ends).next().unwrap_or(path).into()
    },
];

/// A text as the most lenient decoder reads it.
pub(in crate::message) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() && !text.contains(&b'%') {
        return text.into();
    }
    let steps: [Transform; 5] = [
        |text| percent_decode(text).into(),
        |text| percent_decode(text).into(),
        unicode_escapes,
        overlong,
        compatible,
    ];
    let read = |text: Vec<u8>, step: Transform| step(&text).into_owned();
    steps.into_iter().fold(text.to_vec(), read).into()
}

/// Steps of servers that serve a call under more names than one. An allow does not ask about them: whatever it lists
/// under one name, it lists by that name.
pub(super) const LENIENT: [Transform; 2] = [
    |path| before_format(path).unwrap_or(path).into(),
    case_folded,
];

/// The path before a format of the answer at its end: Salesforce takes `.json` and `.xml` behind any resource (Connect REST
/// API Developer Guide, "Connect REST API Architecture"; REST API up to version 57).
pub(super) fn before_format(path: &[u8]) -> Option<&[u8]> {
    match path.strip_suffix(b"/").unwrap_or(path) {
        [bare @ .., b'.', b'x' | b'X', b'm' | b'M', b'l' | b'L']
        | [
            bare @ ..,
            b'.',
            b'j' | b'J',
            b's' | b'S',
            b'o' | b'O',
            b'n' | b'N',
        ] => Some(bare),
        _ => None,
    }
}

/// RFC 3986 section 5.2.4.
fn without_dot_segments(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'.') {
        return path.into();
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_in_slash = false;
    for segment in segments(path) {
        ends_in_slash = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut path = b"/".to_vec();
    path.extend(kept.join(&b'/'));
    if ends_in_slash && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.into()
}

/// A segment without dots and blanks at its end; one that is nothing else without the blanks around it, so that `.. ` is `..`.
fn trimmed(segment: &[u8]) -> &[u8] {
    let is_dot = |byte: &u8| *byte == b'.';
    let rest = match segment.iter().rposition(|byte| !is_dot_or_blank(byte)) {
        Some(last) => segment.get(..=last),
        None => (segment
            .iter()
            .position(is_dot)
            .zip(segment.iter().rposition(is_dot)))
        .and_then(|(first, last)| segment.get(first..=last)),
    };
    rest.unwrap_or_default()
}

/// Blanks are all that does not print, as it is to who trims texts.
fn is_dot_or_blank(byte: &u8) -> bool {
    *byte == b'.' || *byte <= b' '
}

/// Rewrites each segment.
fn map_segments(path: &[u8], map: impl Fn(&[u8]) -> &[u8]) -> Cow<'static, [u8]> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').map(map).collect();
    parts.join(&b'/').into()
}
