//! References as clients resolve them, and whether what comes of it stays below the place that it is put into.
//!
//! Clients do not agree: browsers (WHATWG URL) take `\` for `/` and `%2e` for a dot and leave tabs out, others (RFC 3986
//! section 5.2) do not, and some merge slashes. What may lead out for any of them is written so that none is left to differ.

use std::borrow::Cow;

use super::hosts::{behind_scheme, is_foreign};

/// A reference as all clients read it: as browsers do, without a `url:` before it (Java) and with no mark before it that Perl
/// takes off with the one behind it.
pub(super) fn as_read(url: &str) -> Cow<'_, str> {
    let mut plain = url.trim_matches(is_blank);
    while let Some((front, rest)) = plain.split_at_checked(4)
        && front.eq_ignore_ascii_case("url:")
    {
        plain = rest.trim_matches(is_blank);
    }
    let encoded = match plain.chars().next() {
        Some('<') => "%3C",
        Some('"') => "%22",
        _ if plain.len() == url.trim_matches(is_blank).len() => return as_browsers(url),
        _ => return as_browsers(plain),
    };
    let rest = plain.get(1..).unwrap_or_default();
    as_browsers(&format!("{encoded}{rest}")).into_owned().into()
}

/// Some trim other blanks than browsers do.
fn is_blank(letter: char) -> bool {
    letter <= ' ' || letter.is_whitespace() || letter == '\u{feff}'
}

/// A reference without blanks around it, tabs and ends of lines, with `/` for `\`; and one that has a scheme or slashes for a host but
/// names none, which others take for a path of the host that they asked, as such a path.
fn as_browsers(url: &str) -> Cow<'_, str> {
    let trimmed = url.trim_matches(is_blank);
    if is_foreign(trimmed) {
        return url.into();
    }
    let (front, tail) = split_path(trimmed);
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
        _ if matches!(front, Cow::Borrowed(_)) => return trimmed.into(),
        _ => front.into_owned(),
    };
    format!("{path}{tail}").into()
}

/// Path (with what stands before it), and query with fragment.
pub(super) fn split_path(url: &str) -> (&str, &str) {
    url.split_at_checked(url.find(['?', '#']).unwrap_or(url.len()))
        .unwrap_or((url, ""))
}

/// Whether dot segments are in a path, so that what is beside it depends on who reads it.
pub(super) fn is_dotted(path: &str) -> bool {
    path.split('/').any(|segment| dots(segment) > 0)
}

/// Whether a path leads above its beginning, to any client: what only some of them take for a segment counts for none.
pub(super) fn climbs(path: &str) -> bool {
    let mut depth = 0_usize;
    for segment in path.split('/') {
        match dots(segment) {
            2 => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            1 => {}
            _ => depth += usize::from(!segment.is_empty()),
        }
    }
    false
}

/// A path that begins with `/` without its dot segments (RFC 3986 section 5.2.4).
pub(super) fn resolved(path: &str) -> String {
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
    format!("/{}", kept.join("/"))
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

#[cfg(test)]
mod tests {
    use crate::message::Links;

    fn links(base: &str, prefix: &str, path: &str) -> Links {
        let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
        Links::new(
            upstream,
            path.to_owned(),
            base.to_owned(),
            prefix.to_owned(),
        )
    }

    #[test]
    fn what_climbs_ends_at_the_root_of_the_upstream_and_no_other_byte_changes() {
        let here = "http://localhost:7717/crm";
        for &(url, expected) in ROWS {
            let got = links(here, "/crm", "").turn(url, "/v1/x");
            assert_eq!(got.as_deref().unwrap_or(url), expected, "{url:?}");
            // Where nobody else is only what may be the proxy's own name changes.
            let alone = links("http://crm.localhost", "", "").turn(url, "/v1/x");
            let is_here = |url: &str| url.starts_with("http://crm.localhost");
            assert!(alone.as_deref().is_none_or(is_here), "{url}: {alone:?}");
        }
    }

    #[test]
    fn a_path_beside_the_one_that_was_asked_for_stays_below_the_place_of_its_upstream() {
        let rows = [
            // The root, perhaps without its slash: `b` is beside `y`.
            ("", "/", "b/wipe", "/x/y/b/wipe"),
            ("", "/", "?b", "?b"),
            ("", "/a", "b", "b"),
            ("", "/a", "../b", "/x/y/b"),
            ("", "/a/", "../b", "../b"),
            ("", "/a/../..", "b", "/x/y/a/../b"),
            ("", "/a/..", "../b", "/x/y/a/../b"),
            ("", "/a/%2e", "../../b", "/x/y/b"),
            ("", "/a\\..\\c/d", "../b", "/x/y/a/../c/../b"),
            // Past the path in front.
            ("/v2", "/a", "../b", "https://rest.zuora.com/v2/../b"),
            ("/v2", "/a", "../v2/b", "/x/y/b"),
            ("/v2", "/a", "/v2/../v2/b", "/x/y/b"),
            ("/v2", "/a", "/v2/../b", "https://rest.zuora.com/v2/../b"),
            ("/v2", "/a", "/./v2/b", "/x/y/b"),
            (
                "/v2",
                "/a",
                "https://rest.zuora.com/v2/../b",
                "https://rest.zuora.com/v2/../b",
            ),
        ];
        for (path, asked, url, expected) in rows {
            let got = links("http://p/x/y", "/x/y", path).turn(url, asked);
            assert_eq!(
                got.as_deref().unwrap_or(url),
                expected,
                "{path} {asked} {url}"
            );
        }
    }

    /// A reference, and what becomes of it.
    const ROWS: &[(&str, &str)] = &[
        ("/../b/wipe", "/crm/b/wipe"),
        ("/../b/wipe?c=/../d#/../e", "/crm/b/wipe?c=/../d#/../e"),
        ("/./../b", "/crm/b"),
        ("/%2e%2E/b", "/crm/b"),
        ("/.%2e/b", "/crm/b"),
        ("/x/../../b", "/crm/b"),
        ("/x//../../b", "/crm/b"),
        ("/..", "/crm/"),
        ("/../b/.", "/crm/b/"),
        ("/..//b", "/crm//b"),
        ("/..\\b/wipe", "/crm/b/wipe"),
        ("\\b", "/crm/b"),
        ("/.\t./b", "/crm/b"),
        (" /b", "/crm/b"),
        ("\u{a0}/b", "/crm/b"),
        ("</b/wipe>", "%3C/b/wipe>"),
        ("\"/../../../b\"", "/crm/b\""),
        ("<http://localhost:7717/b>", "%3Chttp://localhost:7717/b>"),
        ("url:/b/wipe", "/crm/b/wipe"),
        ("URL: url:../../../b", "/crm/b"),
        ("url:http://localhost:7717/b", "http://localhost:7717/crm/b"),
        ("<url:/b>", "%3Curl:/b>"),
        (
            "\u{feff}//localhost:7717/b\u{2003}",
            "http://localhost:7717/crm/b",
        ),
        ("/.. ", "/crm/"),
        ("http:/b", "/crm/b"),
        ("HTTPS:b", "./b"),
        ("http:../../../b", "/crm/b"),
        ("http:mailto:x", "./mailto:x"),
        ("http:///b", "/crm/b"),
        ("http://?b", "/crm/?b"),
        ("////b", "/crm/.//b"),
        ("../../b/wipe", "/crm/b/wipe"),
        ("../../../b?c", "/crm/b?c"),
        ("..\\..\\b", "/crm/b"),
        ("%2e./%2e./b", "/crm/b"),
        ("../..;x", "/crm/"),
        ("/..;?b", "/crm/?b"),
        ("/x/../..;y/b", "/crm/b"),
        ("x/../../../b", "/crm/b"),
        ("https://rest.zuora.com/../b", "http://localhost:7717/crm/b"),
        ("//rest.zuora.com/%2e%2e/b", "http://localhost:7717/crm/b"),
        (
            "https://rest.zuora.com\\..\\b",
            "http://localhost:7717/crm/b",
        ),
        // Of one of these hosts or of the other: here it is neither's.
        (
            "https://rest.zuora.com\\@evil.example/a",
            "http://localhost:7717/crm/@evil.example/a",
        ),
        // The proxy itself, as the caller knows it.
        (
            "http://localhost:7717/b/wipe",
            "http://localhost:7717/crm/b/wipe",
        ),
        (
            "//LOCALHOST:7717/crm/../b",
            "http://localhost:7717/crm/crm/../b",
        ),
        ("http://localhost:7717", "http://localhost:7717/crm"),
        ("http://127.0.0.1:7717/b", "http://localhost:7717/crm/b"),
        (
            "http://b.localhost:7717/wipe",
            "http://localhost:7717/crm/wipe",
        ),
        ("http://u:p@localhost:7717/b", "http://localhost:7717/crm/b"),
        ("http://@loc%61lhost:7717?b", "http://localhost:7717/crm?b"),
        ("https://rest.zuora.com:/b", "http://localhost:7717/crm/b"),
        // In its own place, by another name.
        ("http://127.0.0.1:7717/crm/b", "http://localhost:7717/crm/b"),
        (
            "http://b.localhost:7717/crm/b?c",
            "http://localhost:7717/crm/b?c",
        ),
        // As clients read them.
        ("http://127.1:7717/b", "http://localhost:7717/crm/b"),
        ("http://0x7f.1:7717/b", "http://localhost:7717/crm/b"),
        ("http://0x7f000001:7717/b", "http://localhost:7717/crm/b"),
        ("http://127.0.0.0x1:7717/b", "http://localhost:7717/crm/b"),
        ("http://2130706433:7717/b", "http://localhost:7717/crm/b"),
        ("http://0177.0.0.1:7717/b", "http://localhost:7717/crm/b"),
        ("http://%31%32%37.1:7717/b", "http://localhost:7717/crm/b"),
        ("http://[::1]:7717/b", "http://localhost:7717/crm/b"),
        ("http://[::1%25lo]:7717/b", "http://localhost:7717/crm/b"),
        ("http://[::1%lo]:7717/b", "http://localhost:7717/crm/b"),
        (
            "http://\u{ff4c}ocalhost:7717/b",
            "http://localhost:7717/crm/b",
        ),
        (
            "http://local\u{ad}host:7717/b",
            "http://localhost:7717/crm/b",
        ),
        (
            "http://\u{24db}ocalhost:7717/b",
            "http://localhost:7717/crm/b",
        ),
        (
            "http://localhost\u{200b}:7717/b",
            "http://localhost:7717/crm/b",
        ),
        (
            "http://127\u{3002}0\u{3002}0\u{3002}1:7717/b",
            "http://localhost:7717/crm/b",
        ),
        (
            "http://%EF%BD%8Cocalhost:7717/b",
            "http://localhost:7717/crm/b",
        ),
        ("http://localhost:7717 /b", "http://localhost:7717/crm/b"),
        ("http://localhost:7717%20/b", "http://localhost:7717/crm/b"),
        ("http://localhost:7717'/b", "http://localhost:7717/crm/b"),
        ("http://localhost;x:7717/b", "http://localhost:7717/crm/b"),
        ("http://localhost::7717/b", "http://localhost:7717/crm/b"),
        ("http://localhost:07717/b", "http://localhost:7717/crm/b"),
        ("http://localhost:x/crm/b", "http://localhost:7717/crm/b"),
        // As they came.
        ("/a/../b", "/crm/a/../b"),
        ("/a/%2e%2e/b/.", "/crm/a/%2e%2e/b/."),
        ("/a..b/...", "/crm/a..b/..."),
        ("/?/../..", "/crm/?/../.."),
        (
            "https://rest.zuora.com/a/../b",
            "http://localhost:7717/crm/a/../b",
        ),
        ("../b", "../b"),
        ("x/../../b", "x/../../b"),
        ("./b:c", "./b:c"),
        ("?../../../b", "?../../../b"),
        ("#/../b", "#/../b"),
        ("", ""),
        (
            "http://localhost:7717/crm/a/../b",
            "http://localhost:7717/crm/a/../b",
        ),
        ("http://localhost:3000/b", "http://localhost:3000/b"),
        ("https://evil.example/../b", "https://evil.example/../b"),
        ("mailto:../../../b", "mailto:../../../b"),
        ("com.app:/cb\\x", "com.app:/cb\\x"),
        ("https://u@evil.example:/b", "https://u@evil.example:/b"),
        (
            "http://b\u{fc}cher.example:7717/b",
            "http://b\u{fc}cher.example:7717/b",
        ),
        ("http://10.1:7717/b", "http://10.1:7717/b"),
    ];
}
