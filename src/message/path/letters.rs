//! Letters that some server takes for others: in another case, another form, or written in another way.

use std::borrow::Cow;

/// Letters that are the same as ones of ASCII where case does not matter: to Java's `equalsIgnoreCase`, or once they are
/// in upper or lower case, or folded (Unicode, `CaseFolding.txt`).
pub(super) fn case_folded(path: &[u8]) -> Cow<'_, [u8]> {
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
pub(super) fn compatible(path: &[u8]) -> Cow<'_, [u8]> {
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
pub(super) fn best_fit(path: &[u8]) -> Cow<'_, [u8]> {
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
pub(super) fn unicode_escapes(path: &[u8]) -> Cow<'_, [u8]> {
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
pub(super) fn overlong(path: &[u8]) -> Cow<'_, [u8]> {
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
