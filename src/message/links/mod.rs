//! [`Links`]: what an answer points at, turned so that the caller stays on the proxy.
//!
//! URLs of the upstream's own origins are turned; foreign ones (a pre-signed download, say) are left alone, and relative ones if
//! they stay where they are. Which fields of a body hold URLs is the provider's business. Where others share the host with an
//! upstream, nothing leads from its place into theirs: what would climb out of it ends at its root, as it does at the upstream itself.

mod cookies;
mod inside;
mod refresh;

use std::borrow::Cow;

use http::HeaderValue;
use http::header::{CONTENT_LOCATION, Entry, HeaderMap, HeaderName, LINK, LOCATION, REFRESH};

pub use self::cookies::set_cookies;
use self::inside::{as_read, bare, climbs, has_scheme, is_dotted, resolved, split_path};
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
    /// alone, or leads to the upstream itself. None of them ends in a slash.
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

    /// The reference that leads back to the proxy, in an answer to a request for the path `asked` at the upstream; `None` if
    /// `url` is to be left alone.
    pub fn turn(&self, url: &str, asked: &str) -> Option<String> {
        let read = self.read(url);
        let turned = match &*read {
            // RFC 3986 section 4.2: the scheme is that of the answer, which may be that of any of the origins.
            read if read.starts_with("//") => ["https:", "http:"]
                .iter()
                .find_map(|scheme| self.of_origin(&format!("{scheme}{read}"))),
            read if read.starts_with('/') => self.of_root(read),
            read if has_scheme(read) => self.of_origin(read),
            read => self.beside(read, asked),
        };
        turned.or_else(|| (read != url).then(|| read.into_owned()))
    }

    /// Turns `Location`, `Content-Location`, the targets in `Link` and the URL of `Refresh` in an answer to a request for the
    /// path `asked` at the upstream.
    pub fn turn_headers(&self, headers: &mut HeaderMap, asked: &str) {
        let turn = |url: &str| self.turn(url, asked);
        turn_field(headers, LOCATION, turn);
        turn_field(headers, CONTENT_LOCATION, turn);
        turn_field(headers, LINK, |text| turn_link(text, turn));
        turn_field(headers, REFRESH, |text| refresh::turn(text, turn));
    }

    /// The URL that leads back to the proxy, if `url` is an absolute one of the upstream.
    pub fn turn_absolute(&self, url: &str) -> Option<String> {
        self.of_origin(&self.read(url))
    }

    /// Where nobody else is, clients may read what they like.
    fn read<'a>(&self, url: &'a str) -> Cow<'a, str> {
        match self.prefix.is_empty() {
            true => url.into(),
            false => as_read(url),
        }
    }

    fn of_origin(&self, url: &str) -> Option<String> {
        let url = bare(url);
        let (origin, rest) = Origin::split_url(&url)?;
        let known =
            self.upstream.contains(&origin) || self.hosts.iter().any(|rule| rule.matches(&origin));
        if known {
            let rest = self.below(rest)?;
            return Some(self.here(&self.base, &rest));
        }
        // The proxy as the caller knows it, which the upstream takes for its own name or has from the caller.
        let (own, _) = Origin::split_url(&self.base)?;
        let stays = || {
            let rest = rest.strip_prefix(&self.prefix);
            rest.is_some_and(|rest| begins_anew(rest) && !climbs(split_path(rest).0))
        };
        if self.prefix.is_empty() || !is_same_place(&own, &origin) || stays() {
            return None;
        }
        match self.below(rest) {
            Some(rest) => Some(self.here(&self.base, &rest)),
            None => self.of_root(rest),
        }
    }

    /// A path at the root of the upstream. What leads past `path` there has no place here.
    fn of_root(&self, url: &str) -> Option<String> {
        let turned = match self.below(url) {
            Some(rest) => self.here(&self.prefix, &rest),
            None if self.prefix.is_empty() => return None,
            None => format!("{}{url}", self.upstream.first()?),
        };
        (turned != url).then_some(turned)
    }

    /// A path beside the one that was asked for. The root may have been asked for without its slash, and is a file then.
    fn beside(&self, url: &str, asked: &str) -> Option<String> {
        let (path, tail) = split_path(url);
        if self.prefix.is_empty() || path.is_empty() {
            return None;
        }
        let folder = asked.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole = format!("{folder}/{path}");
        let is_plain = asked != "/" && !asked.contains('\\') && !is_dotted(asked);
        if is_plain && !climbs(&whole) {
            return None;
        }
        self.of_root(&format!("{}{}{tail}", self.path, whole.replace('\\', "/")))
    }

    /// What leads from our place to where `url`, from the root of the upstream, leads there. `None`: past `path`.
    fn below<'a>(&self, url: &'a str) -> Option<Cow<'a, str>> {
        let rest = self.beyond_path(url);
        if self.prefix.is_empty() || rest.is_some_and(|rest| !climbs(split_path(rest).0)) {
            return rest.map(Cow::Borrowed);
        }
        let (path, tail) = split_path(url);
        let resolved = format!("{}{tail}", resolved(path));
        self.beyond_path(&resolved)
            .map(|rest| rest.to_owned().into())
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
        (self.path.is_empty() || begins_anew(rest)).then_some(rest)
    }
}

/// Whether what stands behind a prefix is no more of its last segment.
fn begins_anew(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

/// Whether two origins are one host and port to callers, whoever ends TLS. All names of this machine are one.
fn is_same_place(a: &Origin, b: &Origin) -> bool {
    let is_default = |origin: &Origin| origin.port() == origin.scheme().default_port();
    let same_host = a.host() == b.host() || a.is_loopback() && b.is_loopback();
    same_host && (a.port() == b.port() || is_default(a) && is_default(b))
}

/// RFC 8288 section 3: `<target>; rel="next", ...`; a `<` within a quoted parameter is none.
fn turn_link(text: &str, turn: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut turned = String::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while let Some(open) = find_unquoted(rest, '<') {
        let Some(end) = rest.get(open..).and_then(|text| text.find('>')) else {
            break;
        };
        let (whole, after) = rest.split_at_checked(open + end)?;
        // One that is not closed before the next is none.
        let (before, target) = whole.split_at_checked(whole.rfind('<')? + 1)?;
        let new = turn(target).map(Cow::Owned);
        changed |= new.is_some();
        turned.push_str(before);
        turned.push_str(&new.unwrap_or(Cow::Borrowed(target)));
        rest = after;
    }
    turned.push_str(rest);
    changed.then_some(turned)
}

/// Replaces each value of `name` for which `turn` has another; of one that is no text every byte is a letter.
fn turn_field(headers: &mut HeaderMap, name: HeaderName, turn: impl Fn(&str) -> Option<String>) {
    if !headers.contains_key(&name) {
        return;
    }
    let Entry::Occupied(mut field) = headers.entry(name) else {
        return;
    };
    for value in field.iter_mut() {
        let turned = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => turn(text).map(String::into_bytes),
            Err(_) => {
                let text: String = value.as_bytes().iter().copied().map(char::from).collect();
                turn(&text).and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect())
            }
        };
        if let Some(turned) = turned.and_then(|bytes| HeaderValue::try_from(bytes).ok()) {
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
