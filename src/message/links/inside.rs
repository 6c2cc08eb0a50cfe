//! References as clients read them, and how one is written that all read alike.
//!
//! Browsers (WHATWG URL) take `\` for `/` and `%2e` for a dot and leave tabs out, others (RFC 3986 section 5.2) do not; some merge slashes,
//! trim other blanks, take marks off, drop what stands before a colon, or bytes that are no text.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::hosts::{behind_scheme, is_foreign, named};

/// A reference without blanks around it and a `url:` before it (Java, Perl), tabs and ends of lines, with `/` for `\`; and one that has
/// a scheme or slashes for a host but names none, which some take for a path of the host that they asked, as such a path.
pub(super) fn as_read(url: &str) -> Cow<'_, str> {
    let mut url = url.trim_matches(is_blank);
    while let Some((front, rest)) = url.split_at_checked(4)
        && front.eq_ignore_ascii_case("url:")
    {
        url = rest.trim_matches(is_blank);
    }
    if is_foreign(url) {
        return url.into();
    }
    let (front, tail) = split_path(url);
    let front = match front.contains(['\\', '\t', '\n', '\r']) {
        true => Cow::Owned(front.replace(['\t', '\n', '\r'], "").replace('\\', "/")),
        false => Cow::Borrowed(front),
    };
    let behind = behind_scheme(&front);
    let path = match (behind, behind.unwrap_or(&front).strip_prefix("//")) {
        (_, Some("")) => "/".to_owned(),
        (_, Some(path)) if path.starts_with("//") => format!("/.{path}"),
        (_, Some(path)) if path.starts_with('/') => path.to_owned(),
        (Some(path), None) if path.is_empty() || path.starts_with('/') => path.to_owned(),
        // What stands behind a scheme may look like another.
        (Some(path), None) => format!("./{path}"),
        _ if matches!(front, Cow::Borrowed(_)) => return url.into(),
        _ => front.into_owned(),
    };
    format!("{path}{tail}").into()
}

/// Some trim other blanks than browsers do.
fn is_blank(letter: char) -> bool {
    letter <= ' ' || letter.is_whitespace() || letter == '\u{feff}'
}

/// Path (with what stands before it), and query with fragment.
pub(super) fn split_path(url: &str) -> (&str, &str) {
    url.split_at_checked(url.find(['?', '#']).unwrap_or(url.len()))
        .unwrap_or((url, ""))
}

/// A URL that leads to none of us: its path in plain letters, and the host as servers have it.
pub(super) fn foreign(url: &str) -> String {
    let (scheme, whole) = match url.starts_with("//") {
        true => ("http:", Cow::Owned(format!("http:{url}"))),
        false => ("", Cow::Borrowed(url)),
    };
    let Some((Some(origin), rest)) = named(&whole) else {
        return url.to_owned();
    };
    let front = whole.strip_suffix(rest).unwrap_or(&whole);
    let front = match plain(front) {
        Cow::Borrowed(front) => front.to_owned(),
        Cow::Owned(_) => origin.to_string(),
    };
    let front = front.strip_prefix(scheme).unwrap_or(&front);
    let (path, tail) = split_path(rest);
    format!("{front}{}{tail}", plain(path))
}

/// What stands behind a host, its path in plain letters and without dot segments (RFC 3986 section 5.2.4), whoever takes them for such.
pub(super) fn resolved(rest: &str) -> String {
    let (path, tail) = split_path(rest);
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let dots = dots(segment);
        if dots == 2 {
            kept.pop();
        }
        match dots {
            0 => kept.push(segment),
            _ if segments.peek().is_none() => kept.push(""),
            _ => {}
        }
    }
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{slash}{}{tail}", plain(&kept.join("/")))
}

/// With what no path holds (RFC 3986 section 3.3) in the way that clients send it.
fn plain(path: &str) -> Cow<'_, str> {
    utf8_percent_encode(path, ODD).into()
}

/// Some APIs write `{`, `|` and their like as they are, and all clients read these alike.
const ODD: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'\\');

/// Whether dots of a path lead up.
pub(super) fn leads_up(url: &str) -> bool {
    split_path(url)
        .0
        .split('/')
        .any(|segment| dots(segment) == 2)
}

/// Of how many dots a segment is, if of nothing else: one, two, or none. Its parameters go before the dots are looked at (RFC 1808
/// section 4, as Python still does with the last segment).
fn dots(segment: &str) -> usize {
    let mut rest = segment.split(';').next().unwrap_or_default();
    let mut count = 0;
    while count < 3 && !rest.is_empty() {
        let encoded = rest
            .get(..3)
            .is_some_and(|dot| dot.eq_ignore_ascii_case("%2e"));
        let length = if encoded { 3 } else { 1 };
        if !encoded && !rest.starts_with('.') {
            return 0;
        }
        rest = rest.get(length..).unwrap_or_default();
        count += 1;
    }
    if rest.is_empty() && count < 3 {
        count
    } else {
        0
    }
}
