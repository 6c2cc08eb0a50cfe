//! What servers do to a path before they look at it; each step changes only what it is about.

use std::borrow::Cow;

use percent_encoding::percent_decode;

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
    // Others cut off all that is behind (Tomcat 6 and Spring 4 behind `;jsessionid=`).
    |path| {
        path.split(|byte| *byte == b';')
            .next()
            .unwrap_or(path)
            .into()
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
pub(in crate::message) fn decoded(text: &[u8]) -> Vec<u8> {
    let steps: [Transform; 5] = [
        |text| percent_decode(text).into(),
        |text| percent_decode(text).into(),
        unicode_escapes,
        overlong,
        compatible,
    ];
    let read = |text: Vec<u8>, step: Transform| step(&text).into_owned();
    steps.into_iter().fold(text.to_vec(), read)
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

/// Letters that are the same as ones of ASCII where case does not matter: to Java's `equalsIgnoreCase`, or once they are
/// in upper or lower case, or folded (Unicode, `CaseFolding.txt`).
fn case_folded(path: &[u8]) -> Cow<'_, [u8]> {
    map_chars(path, |letter| {
        Some(match letter {
            '\u{131}' | '\u{130}' => "i",
            '\u{17f}' => "s",
            '\u{212a}' => "k",
            '\u{df}' | '\u{1e9e}' => "ss",
            '\u{fb00}' => "ff",
            '\u{fb01}' => "fi",
            '\u{fb02}' => "fl",
            '\u{fb03}' => "ffi",
            '\u{fb04}' => "ffl",
            '\u{fb05}' | '\u{fb06}' => "st",
            _ => return None,
        })
    })
}

/// Unicode's compatibility forms of ASCII (NFKC): the wide ones, blanks, and of the others those of signs that mean something in
/// a path.
fn compatible(path: &[u8]) -> Cow<'_, [u8]> {
    map_chars(path, |letter| {
        Some(match letter {
            '\u{2024}' | '\u{fe52}' => ".",
            '\u{2025}' | '\u{fe30}' => "..",
            '\u{fe68}' => "\\",
            '\u{37e}' | '\u{fe14}' | '\u{fe54}' => ";",
            '\u{fe16}' | '\u{fe56}' => "?",
            '\u{fe5f}' => "#",
            '\u{fe6a}' => "%",
            _ if letter.is_whitespace() => " ",
            _ => return narrow(letter),
        })
    })
}

/// What Windows takes for the nearest sign where a code page has no other.
fn best_fit(path: &[u8]) -> Cow<'_, [u8]> {
    map_chars(path, |letter| match letter {
        '\u{2044}' | '\u{2215}' => Some("/"),
        '\u{2216}' => Some("\\"),
        _ => narrow(letter),
    })
}

/// The sign of ASCII that this is the wide form of.
fn narrow(letter: char) -> Option<&'static str> {
    let at = (letter as usize).checked_sub(0xff01)?;
    PRINTED.get(at..=at)
}

/// `%uXXXX`, which IIS and the `unescape` of JavaScript read.
fn unicode_escapes(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') {
        return path.into();
    }
    written_anew(path, |first, after| match (first, after) {
        (b'%', [b'u' | b'U', a, b, c, d, behind @ ..]) => {
            Some((hexadecimal([*a, *b, *c, *d])?, behind))
        }
        _ => None,
    })
}

fn hexadecimal(digits: [u8; 4]) -> Option<char> {
    let value = digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    });
    char::from_u32(value?)
}

/// A character in more bytes of UTF-8 than it needs, which RFC 3629 section 3 forbids and lax decoders take; up to the
/// six bytes that there once were (RFC 2279).
fn overlong(path: &[u8]) -> Cow<'_, [u8]> {
    if path.is_ascii() {
        return path.into();
    }
    written_anew(path, too_long)
}

/// With every character in UTF-8 that `read` finds to begin with a byte, and what is behind it; other bytes stay.
fn written_anew(path: &[u8], read: impl Fn(u8, &[u8]) -> Option<(char, &[u8])>) -> Cow<'_, [u8]> {
    let mut written = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, mut after)) = rest.split_first() {
        if let Some((letter, behind)) = read(*first, after) {
            written.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            after = behind;
        } else {
            written.push(*first);
        }
        rest = after;
    }
    written.into()
}

/// The character that begins with `first`, if it has more bytes than it needs, and what is behind it.
fn too_long(first: u8, after: &[u8]) -> Option<(char, &[u8])> {
    let more @ 1..=5 = (first.leading_ones() as usize).checked_sub(1)? else {
        return None;
    };
    let (tail, behind) = after.split_at_checked(more)?;
    let top = u32::from(first) & (0x3f >> more);
    let code = tail.iter().try_fold(top, |code, byte| {
        matches!(byte, 0x80..=0xbf).then_some(code << 6 | u32::from(byte & 0x3f))
    });
    let letter = char::from_u32(code?)?;
    (letter.len_utf8() <= more).then_some((letter, behind))
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

/// Rewrites characters beyond ASCII; bytes that are none stay.
fn map_chars(path: &[u8], map: impl Fn(char) -> Option<&'static str>) -> Cow<'_, [u8]> {
    if path.is_ascii() {
        return path.into();
    }
    let mut mapped = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match map(letter) {
                Some(other) => mapped.extend_from_slice(other.as_bytes()),
                None => mapped.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        mapped.extend_from_slice(chunk.invalid());
    }
    mapped.into()
}

/// The signs of ASCII that can be seen, in their order.
const PRINTED: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_whose_other_case_is_ascii_is_folded() {
        let ascii = |text: &str| text.is_ascii().then(|| text.to_ascii_lowercase());
        for letter in '\u{80}'..=char::MAX {
            let (upper, lower) = (letter.to_uppercase(), letter.to_lowercase());
            let both = lower.clone().flat_map(char::to_uppercase);
            let other = [upper.to_string(), lower.to_string(), both.collect()];
            let Some(expected) = other.iter().find_map(|other| ascii(other)) else {
                continue;
            };
            let letter = letter.to_string();
            let folded = case_folded(letter.as_bytes());
            assert_eq!(folded, expected.as_bytes(), "{letter}");
        }
    }

    #[test]
    fn every_wide_form_is_its_sign() {
        for byte in b'!'..=b'~' {
            let wide = char::from_u32(u32::from(byte) + 0xfee0).unwrap();
            let wide = wide.to_string();
            assert_eq!(&*compatible(wide.as_bytes()), [byte], "{wide}");
        }
    }

    #[test]
    fn a_character_in_too_many_bytes_is_made_as_short_as_it_can_be() {
        let rows: [(&[u8], &[u8]); 14] = [
            (b"\xc1\xa4", b"d"),
            (b"\xe0\x81\xa4", b"d"),
            (b"\xf0\x80\x81\xa4", b"d"),
            (b"\xf8\x80\x80\x81\xa4", b"d"),
            (b"\xfc\x80\x80\x80\x81\xa4", b"d"),
            (b"a\xc0\xafb\xc0\xae", b"a/b."),
            (b"\xf0\x8f\xbc\x8e", "\u{ff0e}".as_bytes()),
            (b"\xe0\x84\xb1", b"\xc4\xb1"),
            // As short as they can be, no characters, or cut off.
            (
                "é\u{ff0e}\u{1f600}".as_bytes(),
                "é\u{ff0e}\u{1f600}".as_bytes(),
            ),
            (b"\xf8\x88\x80\x80\x80", b"\xf8\x88\x80\x80\x80"),
            (b"\xe0\x81", b"\xe0\x81"),
            (b"\xc1/", b"\xc1/"),
            (
                b"\xfe\x80\x80\x80\x80\x81\xa4",
                b"\xfe\x80\x80\x80\x80\x81\xa4",
            ),
            (b"\x80\xff", b"\x80\xff"),
        ];
        for (path, expected) in rows {
            assert_eq!(overlong(path), expected, "{}", path.escape_ascii());
        }
    }
}
