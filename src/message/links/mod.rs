//! [`Links`]: what an answer points at, turned so that the caller stays on the proxy.
//!
//! Only URLs of the upstream's own origins are turned; foreign ones (a pre-signed download, say) and relative ones are left alone. Which
//! fields of a body hold URLs is the provider's business.

mod cookies;

use std::borrow::Cow;

use http::HeaderValue;
use http::header::{CONTENT_LOCATION, Entry, HeaderMap, HeaderName, LINK, LOCATION};

pub use self::cookies::set_cookies;
use super::origin::{HostRule, Origin};

/// Turns URLs of an upstream into URLs of the proxy.
#[derive(Clone)]
pub struct Links {
    upstream: Vec<Origin>,
    hosts: Vec<HostRule>,
    path: String,
    base: String,
    prefix: String,
}

impl Links {
    /// Links from the origins in `upstream` to `base` (`http://localhost:7717/crm`), and from absolute paths to paths
    /// under `prefix` (`/crm`, or empty). What leads past `path`, which stands in front of every path there, is left
    /// alone. None of them ends in a slash.
    pub fn new(upstream: Vec<Origin>, path: String, base: String, prefix: String) -> Self {
        Self {
            upstream,
            hosts: Vec::new(),
            path,
            base,
            prefix,
        }
    }

    /// The same, for URLs of `hosts` as well.
    pub fn also(self, hosts: &[HostRule]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            ..self
        }
    }

    /// The URL that leads back to the proxy; `None` if `url` is to be left alone.
    pub fn turn(&self, url: &str) -> Option<String> {
        if url.starts_with("//") {
            // RFC 3986 section 4.2: the scheme is that of the answer, which may be that of any of the origins.
            return self.upstream.iter().find_map(|origin| {
                self.turn_absolute(&format!("{}:{url}", origin.scheme().as_str()))
            });
        }
        if url.starts_with('/') {
            let turned = self.here(&self.prefix, self.beyond_path(url)?);
            return (turned != url).then_some(turned);
        }
        self.turn_absolute(url)
    }

    /// Turns `Location`, `Content-Location` and the targets in `Link`.
    pub fn turn_headers(&self, headers: &mut HeaderMap) {
        turn_field(headers, LOCATION, |text| self.turn(text));
        turn_field(headers, CONTENT_LOCATION, |text| self.turn(text));
        turn_field(headers, LINK, |text| self.turn_link(text));
    }

    /// The URL that leads back to the proxy, if `url` is an absolute one of the upstream.
    pub fn turn_absolute(&self, url: &str) -> Option<String> {
        let (origin, rest) = Origin::split_url(url)?;
        let rest = self.beyond_path(rest)?;
        let known =
            self.upstream.contains(&origin) || self.hosts.iter().any(|rule| rule.matches(&origin));
        known.then(|| self.here(&self.base, rest))
    }

    /// `rest` behind `front`. Where nothing is in front, what begins like an authority would lead to that (RFC 3986
    /// section 4.2; to browsers with a `\` too), and what is no path at all back to where it came from.
    fn here(&self, front: &str, rest: &str) -> String {
        match front {
            "" if rest.starts_with("//") || rest.starts_with("/\\") => match &*self.base {
                "" => format!("/.{rest}"),
                base => format!("{base}{rest}"),
            },
            "" if !rest.starts_with('/') => format!("/{rest}"),
            front => format!("{front}{rest}"),
        }
    }

    /// `url` without the path that stands in front of every path of the upstream.
    fn beyond_path<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url.strip_prefix(&self.path)?;
        let whole = self.path.is_empty() || rest.is_empty() || rest.starts_with(['/', '?', '#']);
        whole.then_some(rest)
    }

    /// RFC 8288 section 3: `<target>; rel="next", ...`; a `<` within a quoted parameter is none.
    fn turn_link(&self, text: &str) -> Option<String> {
        let mut turned = String::with_capacity(text.len() + self.base.len());
        let mut changed = false;
        let mut rest = text;
        while let Some(open) = find_unquoted(rest, '<') {
            let (before, after) = rest.split_at_checked(open + 1)?;
            let (target, after) = after.split_at_checked(after.find('>')?)?;
            let new = self.turn(target).map(Cow::Owned);
            changed |= new.is_some();
            turned.push_str(before);
            turned.push_str(&new.unwrap_or(Cow::Borrowed(target)));
            rest = after;
        }
        turned.push_str(rest);
        changed.then_some(turned)
    }
}

/// Replaces each value of `name` for which `turn` has another; a value that is not text is left alone.
fn turn_field(headers: &mut HeaderMap, name: HeaderName, turn: impl Fn(&str) -> Option<String>) {
    if !headers.contains_key(&name) {
        return;
    }
    let Entry::Occupied(mut field) = headers.entry(name) else {
        return;
    };
    for value in field.iter_mut() {
        let turned = std::str::from_utf8(value.as_bytes()).ok().and_then(&turn);
        if let Some(turned) = turned.and_then(|text| HeaderValue::try_from(text).ok()) {
            *value = turned;
        }
    }
}

/// Where `wanted` first stands outside double quotes (RFC 9110 section 5.6.4).
fn find_unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    text.char_indices()
        .find(|(_, c)| {
            let found = !quoted && *c == wanted;
            quoted ^= *c == '"' && !escaped;
            escaped = quoted && *c == '\\' && !escaped;
            found
        })
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests;
