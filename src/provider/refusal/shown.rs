//! What a provider says, as it may be shown.

use form_urlencoded::byte_serialize;
use percent_encoding::percent_decode_str;

use super::echo;
use crate::provider::login::Secrets;

/// `text` of a provider as it may be shown: without any of `secrets` and of the `others`, printable, and at
/// most `max` characters. Nothing of a text that has one of `secrets` in another spelling, or a part of it. (An org's id stands in its
/// tokens.)
pub(in crate::provider) fn shown(
    text: &str,
    secrets: &Secrets,
    others: &[&str],
    max: usize,
) -> String {
    if text.len() > TEXT_READ {
        return format!("a text of {} bytes", text.len());
    }
    let secrets = secrets.iter().filter(|(field, _)| field.is_secret());
    // Who repeats one may do so without the blanks around it.
    let secrets = secrets.map(|(_, secret)| secret.expose().trim());
    let secrets: Vec<_> = secrets.filter(|secret| !secret.is_empty()).collect();
    let mut hidden: Vec<String> = Vec::new();
    let others = others.iter().map(|other| other.trim());
    let others = others.filter(|other| !other.is_empty());
    for secret in secrets.iter().copied().chain(others) {
        hidden.push(secret.to_owned());
        hidden.push(byte_serialize(secret.as_bytes()).collect());
    }
    let mut text = without(&hidden, &text.replace(PLACE, "?"));
    // `%20` or `+`, `%2b` or `%2B`, `~` or `%7E`.
    for plus in ["+", " "] {
        let read = text.replace('+', plus);
        let read = percent_decode_str(&read).decode_utf8_lossy();
        if read != text && hidden.iter().any(|secret| read.contains(secret.as_str())) {
            text = without(&hidden, &read);
        }
    }
    let text = without_tokens(&text);
    let begins: String = text.chars().take(max).collect();
    if echo::repeats(&begins, secrets.iter().copied()) {
        return HIDDEN.to_owned();
    }
    printable(&text.replace(PLACE, HIDDEN), max)
}

/// `text` with [`PLACE`] for every place where one of `hidden` stands.
fn without(hidden: &[String], text: &str) -> String {
    let mut places: Vec<_> = hidden
        .iter()
        .flat_map(|secret| text.match_indices(secret.as_str()))
        .map(|(start, secret)| start..start + secret.len())
        .collect();
    places.sort_by_key(|place| place.start);
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        if place.start >= done {
            shown.push_str(text.get(done..place.start).unwrap_or_default());
            shown.push(PLACE);
        }
        done = done.max(place.end);
    }
    shown.push_str(text.get(done..).unwrap_or_default());
    shown
}

/// `text` with [`PLACE`] for what can only be a token: an assertion that was sent, perhaps.
fn without_tokens(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "+/=_.~-".contains(c);
    let words = text.split_inclusive(|c| !belongs(c));
    let shown = words.map(|word| {
        let token = word.trim_end_matches(|c| !belongs(c));
        let has = |kind: fn(&u8) -> bool| token.as_bytes().iter().any(kind);
        let mixed =
            has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
        match mixed && token.len() > LONGEST_WORD {
            true => word.replacen(token, &PLACE.to_string(), 1),
            false => word.to_owned(),
        }
    });
    shown.collect()
}

/// `text` with everything that is not a letter, digit, space or ASCII sign replaced, and at most
/// `max` characters.
pub fn printable(text: &str, max: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(max)
        .map(|c| match c {
            ' '..='~' => c,
            c if c.is_alphanumeric() => c,
            c if c.is_whitespace() => ' ',
            _ => '?',
        })
        .collect();
    if text.chars().nth(max).is_some() {
        shown.push('…');
    }
    shown
}

/// Longer than ids (RFC 9562: 36 characters) and most hosts.
const LONGEST_WORD: usize = 40;
/// A longer text is not searched for secrets, and so not shown at all (cutting it first could cut a
/// secret in two).
const TEXT_READ: usize = 16 * 1024;
/// What stands where a secret was.
const HIDDEN: &str = "[secret]";
/// The same as long as the text is searched: no secret is found in it, or over it.
const PLACE: char = '\0';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_not_searched_for_others() {
        let rows: &[(&[&str], &str, &str)] = &[
            (&["s", "s"], "no such client", "no [secret]uch client"),
            (&["secret", "[secret]"], "a secret", "a [secret]"),
            (&["abc", "bcde"], "abcdef", "[secret]f"),
            (&["abab", "ba"], "xababax", "x[secret]x"),
            (&["é"], "né né", "n[secret] n[secret]"),
        ];
        for (hidden, text, expected) in rows {
            let hidden: Vec<_> = hidden.iter().map(|&secret| secret.to_owned()).collect();
            let shown = without(&hidden, text).replace(PLACE, HIDDEN);
            assert_eq!(shown, *expected, "{text}");
        }
    }
}
