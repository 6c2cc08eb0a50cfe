//! [`Links`]: what an answer points at, turned so that the caller stays on the proxy.
//!
//! URLs of the upstream's own origins are turned; foreign ones (a pre-signed download, say) are left alone. Which fields of a body hold
//! URLs is the provider's business. Where there are other upstreams, nothing leads from the place of one into theirs: clients do not
//! agree on how a reference is read, so that each is read here, and what comes of it is written whole, with nothing left to differ about.

mod cookies;
mod hosts;
mod inside;
mod refresh;
mod targets;

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use http::HeaderValue;
use http::header::{CONTENT_LOCATION, Entry, HeaderMap, HeaderName, LINK, LOCATION, REFRESH};
use percent_encoding::{AsciiSet, percent_encode};

pub use self::cookies::set_cookies;
use self::hosts::{folded, has_odd_scheme, is_foreign, is_whole, named};
use self::inside::{as_read, foreign, leads_up, resolved, split_path};
use super::origin::{HostRule, Origin};
use super::own::Own;
use super::path::Readings;

/// Turns URLs of an upstream into URLs of the proxy.
#[derive(Clone)]
pub struct Links {
    upstream: Vec<Origin>,
    hosts: Vec<HostRule>,
    path: String,
    base: String,
    prefix: String,
    own: Arc<Own>,
    asked: Option<Origin>,
    any_port: bool,
}

impl Links {
    /// Links from the origins in `upstream` to `base` (`http://localhost:7717/crm`), and from absolute paths to paths
    /// under `prefix` (`/crm`, or empty). What leads past `path`, which stands in front of every path there, is left
    /// alone, or leads to the upstream itself. None of them ends in a slash.
    pub fn new(upstream: Vec<Origin>, path: String, base: String, prefix: String) -> Self {
        Self {
            asked: Origin::split_url(&base).map(|(asked, _)| asked),
            upstream,
            hosts: Vec::new(),
            path,
            base,
            prefix,
            own: Arc::default(),
            any_port: false,
        }
    }

    /// The same where the proxy has these names and ports, and the caller came to `asked`, if that is known; `any_port` leads here where
    /// it came through a unix socket.
    pub fn among(self, own: &Arc<Own>, asked: Option<Origin>, any_port: bool) -> Self {
        Self {
            own: own.clone(),
            asked,
            any_port,
            ..self
        }
    }

    /// The same, for URLs of `hosts` as well.
    pub fn also(self, hosts: &[HostRule]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            ..self
        }
    }

    /// The reference that leads back to the proxy, in an answer to a request for `asked`, a path and perhaps a query, at the upstream;
    /// `None` if `url` is to be left alone.
    pub fn turn(&self, url: &str, asked: &str) -> Option<String> {
        let read = as_read(url);
        let is_path = url.starts_with('/') && !url.starts_with("//");
        let is_root = split_path(asked).0 == "/";
        let is_odd = has_odd_scheme(&read) && (is_root || leads_up(&read));
        let written = match &*read {
            read if is_whole(read) && !(is_odd && self.is_among_others()) => {
                let foreign = || self.is_among_others().then(|| foreign(read));
                self.of_whole(read).or_else(foreign)
            }
            // Where nobody else is, clients may read what they like.
            _ if !self.is_among_others() => is_path.then(|| self.of_root(url)).flatten(),
            // What was asked for itself; its root may have been asked for without its slash, and is a file then.
            read if !is_root && (read.is_empty() || read.starts_with('#')) => Some(read.to_owned()),
            read => self.of_root(&self.at_root(read, asked)),
        };
        written.filter(|written| written != url)
    }

    /// Whether what leads out of this place may lead to another upstream.
    fn is_among_others(&self) -> bool {
        !self.prefix.is_empty() || self.own.has_several()
    }

    /// Turns `Location`, `Content-Location`, the targets in `Link` and the URL of `Refresh` in an answer to a request for
    /// `asked`, a path and perhaps a query, at the upstream. `is_anothers` says of a path at the proxy whether it leads to another upstream, where there
    /// are some.
    pub fn turn_headers(
        &self,
        headers: &mut HeaderMap,
        asked: &str,
        is_anothers: Option<&dyn Fn(&str) -> bool>,
    ) {
        let turn = |url: &str| {
            let turned = self.turn(url, asked);
            let past = is_anothers.and_then(|is_anothers| {
                self.past_others(turned.as_deref().unwrap_or(url), is_anothers)
            });
            past.or(turned)
        };
        // No lists (RFC 9110 section 5.3), but some clients put the lines together.
        for name in [LOCATION, CONTENT_LOCATION, REFRESH] {
            let mut lines = headers.get_all(&name).iter();
            if let (Some(first), Some(_)) = (lines.next().cloned(), lines.next()) {
                headers.insert(name, first);
            }
        }
        let share = self.is_among_others();
        for name in [LOCATION, CONTENT_LOCATION] {
            turn_field(headers, &name, share, |url| turn(url).map(Some));
        }
        turn_field(headers, &REFRESH, share, |text| {
            refresh::turn(text, share, turn)
        });
        // A short target may become as long as what was asked for.
        let left = Cell::new(MOST_OF_LINKS);
        let turn = |url: &str| {
            left.set(left.get().saturating_sub(asked.len() + url.len()));
            (left.get() > 0).then(|| turn(url))?
        };
        turn_field(headers, &LINK, share, |text| {
            match targets::turn(text, share, turn) {
                Some(Cow::Owned(turned)) => Some(Some(turned).filter(|turned| !turned.is_empty())),
                Some(Cow::Borrowed(_)) => None,
                None => share.then_some(None),
            }
        });
        if share && left.get() == 0 {
            headers.remove(LINK);
        }
    }

    /// The URL at the upstream itself, if `url`, as it was written here, leads to a path here that is another's: the upstream's own such
    /// path cannot be called here.
    fn past_others(&self, url: &str, is_anothers: &dyn Fn(&str) -> bool) -> Option<String> {
        let rest = match named(url) {
            Some((origin, rest)) => self.is_here(origin.as_ref()).then_some(rest)?,
            None => Some(url).filter(|url| url.starts_with('/') && !url.starts_with("//"))?,
        };
        let (path, tail) = split_path(rest);
        let readings = Readings::of(path);
        if readings.are_all() && !readings.any(is_anothers) {
            return None;
        }
        let own = path.strip_prefix(&self.prefix)?;
        Some(format!(
            "{}{}{own}{tail}",
            self.upstream.first()?,
            self.path
        ))
    }

    /// The URL that leads back to the proxy, if `url` names one of the upstream's hosts or the proxy.
    pub fn turn_absolute(&self, url: &str) -> Option<String> {
        let turned = self.of_whole(&as_read(url));
        turned.filter(|turned| turned != url)
    }

    /// RFC 3986 section 4.2: where there is no scheme it is that of the answer, which may be that of any of the origins.
    fn of_whole(&self, url: &str) -> Option<String> {
        if is_foreign(url) {
            return self.of_foreign(url);
        }
        let schemes: &[_] = match url.starts_with("//") {
            true => &["https:", "http:"],
            false => &[""],
        };
        let mut whole = schemes.iter().map(|scheme| format!("{scheme}{url}"));
        whole.find_map(|url| self.of_origin(&url))
    }

    /// Java takes any scheme for http.
    fn of_foreign(&self, url: &str) -> Option<String> {
        let (_, behind) = url.split_once(':')?;
        let url = format!("http:{behind}");
        let (origin, _) = named(&url)?;
        let asked = self.asked.as_ref();
        let is_here = self.own.leads_here(&origin?, asked, self.any_port);
        (is_here && self.is_among_others()).then(|| self.of_origin(&url))?
    }

    fn of_origin(&self, url: &str) -> Option<String> {
        let folded = || self.of_read(&folded(url)?);
        self.of_read(url).or_else(folded)
    }

    fn of_read(&self, url: &str) -> Option<String> {
        let (origin, rest) = named(url)?;
        let (origin, rest) = (origin.as_ref(), &*self.as_written(rest));
        if origin.is_some_and(|origin| self.is_upstreams(origin)) {
            return Some(self.here(&self.base, self.below(rest)?));
        }
        let asked = self.asked.as_ref();
        match origin.is_none_or(|at| self.own.leads_here(at, asked, self.any_port)) {
            true => self.of_proxy(origin, rest),
            false => None,
        }
    }

    fn is_upstreams(&self, origin: &Origin) -> bool {
        self.upstream.contains(origin) || self.hosts.iter().any(|rule| rule.matches(origin))
    }

    /// A URL that leads to the proxy itself, which the upstream takes for its own name, has from the caller, or knows.
    fn of_proxy(&self, origin: Option<&Origin>, rest: &str) -> Option<String> {
        let within = rest.strip_prefix(&self.prefix);
        match (within.filter(|rest| begins_anew(rest)), origin) {
            (Some(_), Some(here)) if self.is_here(origin) => {
                self.is_among_others().then(|| format!("{here}{rest}"))
            }
            (Some(within), _) => Some(self.here(&self.base, within)),
            (None, _) => match self.below(rest) {
                Some(rest) => Some(self.here(&self.base, rest)),
                None => self.of_root(rest),
            },
        }
    }

    /// Whether an origin is the one that links are written with.
    fn is_here(&self, origin: Option<&Origin>) -> bool {
        let here = Origin::split_url(&self.base);
        let both = here.zip(origin);
        both.is_some_and(|((here, _), at)| self.own.is_one(&here, at))
    }

    /// A path at the root of the upstream. What leads past `path` there has no place here.
    fn of_root(&self, url: &str) -> Option<String> {
        match self.below(url) {
            Some(rest) => Some(self.here(&self.prefix, rest)),
            None if !self.is_among_others() => None,
            None => Some(format!("{}{url}", self.upstream.first()?)),
        }
    }

    /// The path, from the root of the upstream, that a reference without a host leads to.
    fn at_root(&self, url: &str, asked: &str) -> String {
        let (path, tail) = split_path(url);
        let (asked, query) = split_path(asked);
        let query = query.split('#').next().unwrap_or_default();
        // RFC 3986 section 5.2.2.
        let whole = match path {
            "" if tail.starts_with('?') => format!("{}{asked}{tail}", self.path),
            "" => format!("{}{asked}{query}{tail}", self.path),
            path if path.starts_with('/') => url.to_owned(),
            _ => format!("{}{}/{url}", self.path, folder(asked)),
        };
        resolved(&whole)
    }

    /// What stands behind a host, as it is written.
    fn as_written<'a>(&self, rest: &'a str) -> Cow<'a, str> {
        match self.is_among_others() {
            true => resolved(rest).into(),
            false => rest.into(),
        }
    }

    /// What leads from our place to where `url`, from the root of the upstream, leads there. `None`: past `path`.
    fn below<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url.strip_prefix(&self.path)?;
        (self.path.is_empty() || begins_anew(rest)).then_some(rest)
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
}

/// The path in front of the last segment, without a slash at its end.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether what stands behind a prefix is no more of its last segment.
fn begins_anew(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

/// Replaces each value of `name` for which `turn` has another, or takes it off. Where others `share` the host, bytes that are no text are
/// written as clients send them.
fn turn_field(
    headers: &mut HeaderMap,
    name: &HeaderName,
    share: bool,
    turn: impl Fn(&str) -> Option<Option<String>>,
) {
    let Entry::Occupied(field) = headers.entry(name) else {
        return;
    };
    let turned = |value: &HeaderValue| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => turn(text),
        Err(_) => {
            let text = percent_encode(value.as_bytes(), NON_ASCII).to_string();
            turn(&text).or_else(|| share.then_some(Some(text)))
        }
    };
    let values: Vec<_> = field
        .iter()
        .map(|value| (turned(value), value.clone()))
        .collect();
    if values.iter().all(|(turned, _)| turned.is_none()) {
        return;
    }
    field.remove_entry_mult().1.for_each(drop);
    for (turned, value) in values {
        let value = match turned {
            Some(turned) => turned.and_then(|text| HeaderValue::try_from(text).ok()),
            None => Some(value),
        };
        value.map(|value| headers.append(name, value));
    }
}

/// How many bytes the links of an answer may come to: callers take fewer.
const MOST_OF_LINKS: usize = 256 * 1024;

/// Letters that are none of ASCII's.
const NON_ASCII: &AsciiSet = &AsciiSet::EMPTY;

#[cfg(test)]
mod tests;
