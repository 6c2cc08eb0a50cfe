//! `links`: a document in pieces is turned as in one, and nothing is changed in it but URLs that lead back; and no reference
//! leads outside the upstream's place at the proxy, whichever client resolves it.
//!
//! An input is `{` or `<` for JSON or XML, then the document, which the byte `1c` cuts into pieces; or `@`, the path that was
//! asked for, and a reference, line by line.

use std::sync::Arc;

use http::HeaderValue;
use http::header::{CONTENT_LOCATION, HeaderMap, LOCATION};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::message::{Links, Own};
use crate::proxy::{Format, turned};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let (format, document) = match data {
        [b'{', rest @ ..] => (Format::Json, rest),
        [b'<', rest @ ..] => (Format::Xml, rest),
        [b'@', rest @ ..] => return reference(rest),
        _ => return,
    };
    let pieces = super::pieces(document);
    let whole = pieces.concat();
    let of = |pieces: &[Vec<u8>]| turned(format, links(), PLACES, pieces);
    let out = of(std::slice::from_ref(&whole));
    let bytes: Vec<_> = whole.iter().map(|byte| vec![*byte]).collect();
    for cut in [pieces, bytes] {
        let cut_up = of(&cut);
        assert!(
            cut_up == out,
            "{}\n{}",
            cut_up.escape_ascii(),
            out.escape_ascii()
        );
    }
    if out != whole {
        assert!(holds(&out, BASE), "{}", out.escape_ascii());
    }
    if let (Format::Json, Ok(before)) = (format, serde_json::from_slice(&whole)) {
        let after = serde_json::from_slice(&out).expect("JSON stays JSON");
        same(&before, &after);
    }
}

/// Everything is as it was, or a URL that leads back in the place of one of the upstream.
fn same(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).for_each(|(b, a)| same(b, a));
        }
        (Value::Object(before), Value::Object(after)) if before.len() == after.len() => {
            for (name, value) in before {
                same(value, &after[name]);
            }
        }
        (Value::String(before), Value::String(after)) if before != after => {
            let turned = links().turn_absolute(before);
            assert_eq!(turned.as_ref(), Some(after));
        }
        _ => assert_eq!(before, after),
    }
}

/// Nothing leads from what was asked for at the upstream to another upstream, nor does what is turned in a body.
fn reference(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (Some(asked), Some(given)) = (lines.next(), lines.next()) else {
        return;
    };
    let Ok(asked) = str::from_utf8(asked) else {
        return;
    };
    let is_path = asked.parse::<http::uri::PathAndQuery>().is_ok();
    if !is_path || !asked.starts_with('/') || asked.contains(['?', '#']) {
        return;
    }
    if let Ok(value) = given.try_into() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, value);
        headers.insert(CONTENT_LOCATION, headers[LOCATION].clone());
        links().turn_headers(&mut headers, asked, None);
        assert_eq!(headers[LOCATION], headers[CONTENT_LOCATION]);
        is_whole(asked, &text(&headers[LOCATION]));
        stays(asked, &text(&headers[LOCATION]));
        headers.insert(LOCATION, given.try_into().expect("as before"));
        fallback().turn_headers(&mut headers, asked, Some(&is_anothers));
        is_whole(asked, &text(&headers[LOCATION]));
        passes_by(asked, &text(&headers[LOCATION]));
    }
    let turned = str::from_utf8(given).ok();
    if let Some(turned) = turned.and_then(|url| links().turn_absolute(url)) {
        stays(asked, &turned);
    }
}

/// Nothing is left for clients to read in different ways: a path from the root without dots, or a URL with a scheme or a host, in plain
/// letters.
fn is_whole(asked: &str, given: &str) {
    if asked != "/" && (given.is_empty() || given.starts_with('#')) {
        return;
    }
    let scheme = given
        .split_once(':')
        .map(|(scheme, _)| scheme)
        .filter(|scheme| {
            !scheme.contains(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
        });
    let is_other = scheme.is_some_and(|scheme| {
        !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https")
    });
    let path = given.split(['?', '#']).next().unwrap_or_default();
    let is = |segment: &str, dots: &[&str]| {
        let segment = segment.replace("%2e", ".").replace("%2E", ".");
        dots.contains(&&*segment)
    };
    let has = |dots: &[&str]| path.split('/').any(|segment| is(segment, dots));
    let is_path = path.starts_with('/') && !path.starts_with("//");
    assert!(!(is_path && has(&[".", ".."])), "{given:?} has dots");
    if is_other {
        // What curl and wget do not take for a scheme.
        let is_odd = scheme.is_some_and(|scheme| scheme.len() > 40 || scheme.contains('.'));
        assert!(
            !is_odd || (asked != "/" && !has(&[".."])),
            "{given:?} is a path to some"
        );
        return;
    }
    assert!(
        is_path || scheme.is_some() || path.starts_with("//"),
        "{given:?} is not whole"
    );
    let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\`".contains(c);
    assert!(!path.contains(odd), "{given:?} is no URL");
}

/// A letter for each byte.
fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

fn is_anothers(path: &str) -> bool {
    path == "/b" || path.starts_with("/b/")
}

/// Nothing leads from an upstream that has all paths but those of another to these.
fn passes_by(asked: &str, given: &str) {
    for client in (0..32).map(Client::of) {
        let from = match client.tidies {
            true => client.without_dots(asked),
            false => asked.to_owned(),
        };
        if is_anothers(&client.without_dots(&from)) {
            continue;
        }
        let Some(mut path) = client.resolve(&from, given) else {
            continue;
        };
        if client.decodes {
            path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        }
        assert!(
            !is_anothers(&path),
            "{given:?} leads from {from} to {path} by {client:?}"
        );
    }
}

fn stays(asked: &str, given: &str) {
    let mut folders = vec![format!("/billing{asked}")];
    // With or without the slash behind the prefix it is the same to the upstream.
    if asked == "/" {
        folders.push("/billing".to_owned());
    }
    let inside = |path: &str| path == "/billing" || path.starts_with("/billing/");
    for (from, flags) in folders
        .iter()
        .flat_map(|from| (0..32).map(move |flags| (from, flags)))
    {
        let client = Client::of(flags);
        let from = match client.tidies {
            true => client.without_dots(from),
            false => from.clone(),
        };
        // One that begins elsewhere is not here.
        if !inside(&client.without_dots(&from)) {
            continue;
        }
        if let Some(path) = client.resolve(&from, given) {
            assert!(
                inside(&path),
                "{given:?} leads from {from} to {path} by {client:?}"
            );
        }
    }
}

/// How a client resolves references.
#[derive(Debug)]
struct Client {
    /// As WHATWG URL does, but for the dots.
    browser: bool,
    /// `%2e` is a dot.
    decodes: bool,
    merges: bool,
    /// Where no host is named it is the one that was asked.
    lenient: bool,
    /// Of its own URL it takes the dots off as well.
    tidies: bool,
}

impl Client {
    fn of(flags: u32) -> Self {
        let is = |bit: u32| flags >> bit & 1 == 1;
        Self {
            browser: is(0),
            decodes: is(1),
            merges: is(2),
            lenient: is(3),
            tidies: is(4),
        }
    }

    /// The path at the proxy. `None`: it leads elsewhere, or nowhere.
    fn resolve(&self, from: &str, given: &str) -> Option<String> {
        let mut given = given.to_owned();
        if self.browser {
            given = given
                .trim_matches(|c: char| c <= ' ')
                .replace(['\t', '\n', '\r'], "");
        }
        let mut path = given.split(['?', '#']).next()?.to_owned();
        if self.browser {
            path = path.replace('\\', "/");
        }
        let scheme = path
            .split_once(':')
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        let letters = |scheme: &String| {
            let known = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(known)
        };
        let mut named = false;
        match scheme.filter(letters).as_deref() {
            Some("http" | "https") => {
                path = path.split_once(':')?.1.to_owned();
                named = true;
            }
            Some(_) => return None,
            None => {}
        }
        let mut whole = path.clone();
        if let Some(rest) = path.strip_prefix("//") {
            let rest = if self.browser {
                rest.trim_start_matches('/')
            } else {
                rest
            };
            let (host, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.to_ascii_lowercase();
            let ours = host == "localhost:7717" || host.is_empty() && self.lenient;
            if !ours {
                return None;
            }
            whole = format!("/{}", rest.strip_prefix('/').unwrap_or(rest));
        } else if named && !self.browser && !self.lenient {
            return None;
        } else if path.is_empty() {
            whole = from.to_owned();
        } else if !path.starts_with('/') {
            whole = format!("{}/{path}", from.rsplit_once('/')?.0);
        }
        Some(self.without_dots(&whole))
    }

    fn without_dots(&self, path: &str) -> String {
        let mut path = path.to_owned();
        if self.browser {
            path = path.replace('\\', "/");
        }
        let mut kept: Vec<&str> = Vec::new();
        let mut is_folder = false;
        for segment in path.split('/').skip(1) {
            let plain = match self.decodes {
                true => segment.replace("%2e", ".").replace("%2E", "."),
                false => segment.to_owned(),
            };
            is_folder = matches!(&*plain, "" | "." | "..");
            match &*plain {
                "." => {}
                ".." => {
                    kept.pop();
                }
                "" if self.merges => {}
                _ => kept.push(segment),
            }
        }
        if is_folder && kept.last() != Some(&"") {
            kept.push("");
        }
        format!("/{}", kept.join("/"))
    }
}

fn links() -> Links {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    Links::new(
        upstream,
        String::new(),
        BASE.to_owned(),
        "/billing".to_owned(),
    )
}

/// Of an upstream without a prefix.
fn fallback() -> Links {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    let base = "http://localhost:7717".to_owned();
    let own = Arc::new(Own::default().with_several(true));
    let links = Links::new(upstream, String::new(), base.clone(), String::new());
    links.among(&own, base.parse().ok(), false)
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

const BASE: &str = "http://localhost:7717/billing";
const PLACES: &[&str] = &["/nextPage", "/urls/*", "/*/next"];

#[cfg(test)]
proptest::proptest! {
    #[test]
    fn no_reference_of_the_letters_that_matter_leads_out(
        asked in "/([ab.;%2e/\\\\]{0,9})?",
        given in "(https?:|//|/|http://localhost:7717|https://rest.zuora.com)?([ab./\\\\%:?# \t]|%2e|\\.\\./|/billing){0,9}",
    ) {
        reference(format!("{asked}\n{given}").as_bytes());
    }
}
