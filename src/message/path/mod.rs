//! Rules over paths, and the readings of a path that they look at.
//!
//! The bytes that came are the bytes that are sent; nothing here changes a path. But servers read the same bytes in
//! different ways (RFC 3986 section 6.2 lets them), so a rule looks at all [`Readings`]: a deny applies if any of
//! them matches, an allow only if all do.

mod letters;
mod sessions;
mod transforms;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::Method;

pub(super) use self::transforms::decoded;
use self::transforms::{LENIENT, TRANSFORMS, Transform, before_format};
use super::check::METHODS;

/// `[METHOD ]/seg/*/**`: `*` is one segment, `**` any rest (also none). Letter case and a trailing slash do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    method: Option<Method>,
    segments: Vec<Segment>,
}

/// Every way a server might read a raw path: as it stands, decoded, without dot segments, and so on in any order.
#[derive(Clone)]
pub struct Readings<'a> {
    raw: &'a str,
    /// Those of the same call, then those of a call that would be served by lenient servers only.
    others: Vec<Vec<u8>>,
    /// How many of them are of the same call.
    same: usize,
    complete: bool,
}

/// Why a text is not a path rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not `[METHOD ]/seg/*/**`")]
pub struct PathRuleError;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

impl<'a> Readings<'a> {
    /// The readings of `raw`, the path as it came (without a query).
    pub fn of(raw: &'a str) -> Self {
        let mut readings = Self {
            raw,
            others: Vec::new(),
            same: 0,
            complete: true,
        };
        if !is_plain(raw.as_bytes()) {
            readings.complete = raw.len() <= MAX_ODD_PATH && readings.close().is_some();
        }
        readings
    }

    /// Whether these are all that there are: not if they are too many.
    pub fn are_all(&self) -> bool {
        self.complete
    }

    /// Whether any reading leads out of the folder that the path is put into: it goes up further than it went down.
    pub fn climbs_out(&self) -> bool {
        !self.complete || self.each().any(climbs_out)
    }

    /// Whether `holds` is true of any reading that is known to be of the same call.
    pub fn any(&self, holds: impl Fn(&str) -> bool) -> bool {
        let mut same = self.each().take(1 + self.same);
        same.any(|path| holds(&String::from_utf8_lossy(path)))
    }

    /// All of them, as text.
    pub fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.each().map(String::from_utf8_lossy)
    }

    /// Applies every transformation to every reading until nothing new comes out. `None`: gave up.
    fn close(&mut self) -> Option<()> {
        let mut at = 0;
        while at <= self.others.len() {
            self.transform(at, &TRANSFORMS)?;
            at += 1;
        }
        self.same = self.others.len();
        for at in 0..at {
            self.transform(at, &LENIENT)?;
        }
        while at <= self.others.len() {
            self.transform(at, &TRANSFORMS)?;
            self.transform(at, &LENIENT)?;
            at += 1;
        }
        Some(())
    }

    /// Adds what `transforms` make of one reading. `None`: these are too many.
    fn transform(&mut self, at: usize, transforms: &[Transform]) -> Option<()> {
        let from = self.each().nth(at)?.to_vec();
        for transform in transforms {
            let to = transform(&from);
            if !self.each().any(|known| known == &*to) {
                let bytes: usize = self.others.iter().map(Vec::len).sum();
                if self.others.len() == MAX_READINGS || bytes + to.len() > MAX_BYTES {
                    return None;
                }
                self.others.push(to.into_owned());
            }
        }
        Some(())
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        let others = self.others.iter().map(Vec::as_slice);
        std::iter::once(self.raw.as_bytes()).chain(others)
    }
}

impl PathRule {
    /// A rule for the call of `path`, and if that is a script (`token.php`), for whatever stands behind its name, too: that is
    /// called as well (RFC 3875 section 4.1.5). What is special in a rule is none here.
    pub fn of_call(path: &str) -> Self {
        let path = path.trim_matches('/');
        let names = path.split('/').filter(|_| !path.is_empty());
        let mut segments: Vec<Segment> = names.map(|name| Segment::Literal(name.into())).collect();
        let (_, kind) = path.rsplit_once('.').unwrap_or_default();
        if !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            segments.push(Segment::Rest);
        }
        Self {
            method: None,
            segments,
        }
    }

    /// Whether the rule is for one method.
    pub fn names_method(&self) -> bool {
        self.method.is_some()
    }

    /// Whether any reading matches: what a deny asks. A path with too many readings matches every deny. HEAD asks what GET
    /// does (RFC 9110 section 9.3.2).
    pub fn matches_any(&self, method: &Method, path: &Readings<'_>) -> bool {
        let is_for = self.is_for(method) || (method == Method::HEAD && self.is_for(&Method::GET));
        is_for && (!path.complete || path.each().any(|path| self.covers(path)))
    }

    /// Whether all readings of the same call match: what an allow asks. A path with too many readings matches no allow.
    pub fn matches_all(&self, method: &Method, path: &Readings<'_>) -> bool {
        self.is_for(method)
            && path.complete
            && path
                .each()
                .take(1 + path.same)
                .all(|path| is_rooted(path) && self.covers(path))
    }

    fn is_for(&self, method: &Method) -> bool {
        self.method.as_ref().is_none_or(|own| own == method)
    }

    fn covers(&self, path: &[u8]) -> bool {
        let mut segments = segments(path.strip_suffix(b"/").unwrap_or(path));
        for rule in &self.segments {
            let covered = match (rule, segments.next()) {
                (Segment::Rest, _) => return true,
                (_, None) => false,
                (Segment::One, Some(segment)) => !segment.is_empty(),
                (Segment::Literal(own), Some(segment)) => is_same(own, segment),
            };
            if !covered {
                return false;
            }
        }
        segments.next().is_none()
    }
}

impl FromStr for PathRule {
    type Err = PathRuleError;

    fn from_str(text: &str) -> Result<Self, PathRuleError> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) if !text.starts_with('/') => (Some(method), path),
            _ => (None, text),
        };
        // A rule for a method that never passes would look as if it did something.
        let known = |name| METHODS.into_iter().find(|known| known.as_str() == name);
        let method = match method {
            Some(name) => Some(known(name).ok_or(PathRuleError)?),
            None => None,
        };
        let path = path.strip_prefix('/').ok_or(PathRuleError)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<Segment> = match path {
            "" => Vec::new(),
            path => path.split('/').map(str::parse).collect::<Result<_, _>>()?,
        };
        match segments.split_last() {
            Some((_, front)) if front.contains(&Segment::Rest) => Err(PathRuleError),
            _ => Ok(Self { method, segments }),
        }
    }
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        if self.segments.is_empty() {
            f.write_str("/")?;
        }
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Literal(text) => write!(f, "/{text}"),
            Segment::One => f.write_str("/*"),
            Segment::Rest => f.write_str("/**"),
        })
    }
}

impl FromStr for Segment {
    type Err = PathRuleError;

    /// A literal that the transformations would change could never be in all readings, so it is an error, not a rule
    /// that silently never allows.
    fn from_str(text: &str) -> Result<Self, PathRuleError> {
        match text {
            "*" => Ok(Self::One),
            "**" => Ok(Self::Rest),
            "" => Err(PathRuleError),
            _ if text.contains(['*', '?', '#', '%', ';', '\\']) => Err(PathRuleError),
            // No path holds them as they are (RFC 3986 section 3.3): they were meant to be a pattern.
            _ if text.contains(['[', ']', '{', '}', '|', '^', '<', '>', '"', '`']) => {
                Err(PathRuleError)
            }
            _ if text.ends_with(['.', ' ']) || text.contains(char::is_control) => {
                Err(PathRuleError)
            }
            _ => Ok(Self::Literal(text.to_owned())),
        }
    }
}

/// Whether no transformation changes this path, without trying them: nearly every path of nearly every caller.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    for byte in path {
        let odd = match *byte {
            0..=b' ' | b'%' | b';' | b'\\' | b'?' | b'#' | 0x7f.. => true,
            // One arm, for a second one would cost every byte.
            b'/' | b'(' => matches!(before, b'/' | b'.'),
            _ => false,
        };
        if odd {
            return false;
        }
        before = *byte;
    }
    match before {
        b'.' => false,
        b'n' | b'N' | b'l' | b'L' | b'/' => before_format(path).is_none(),
        _ => true,
    }
}

/// Whether two segments differ in letter case at most.
fn is_same(own: &str, segment: &[u8]) -> bool {
    let lower =
        || str::from_utf8(segment).is_ok_and(|text| own.to_lowercase() == text.to_lowercase());
    own.as_bytes().eq_ignore_ascii_case(segment) || (!own.is_ascii() && lower())
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let none = path.is_empty();
    path.split(|byte| *byte == b'/').skip(usize::from(none))
}

/// Whether it begins as paths do. Another makes another name of the folder's own that it is put into: `/v1` and `-old/x`.
fn is_rooted(path: &[u8]) -> bool {
    path.first().is_none_or(|first| *first == b'/')
}

fn climbs_out(path: &[u8]) -> bool {
    if !is_rooted(path) {
        return true;
    }
    let mut depth = 0_usize;
    for segment in segments(path) {
        match segment {
            b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

/// No API has paths this long that also need reading twice; it bounds the work below.
const MAX_ODD_PATH: usize = 4096;

/// An honest path has two or three readings.
const MAX_READINGS: usize = 48;

/// All of them together: the time that the longest path can take is that of an honest one.
const MAX_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
