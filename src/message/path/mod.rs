//! Rules over paths, and the readings of a path that they look at.
//!
//! The bytes that came are the bytes that are sent; nothing here changes a path. But servers read the same bytes in
//! different ways (RFC 3986 section 6.2 lets them), so a rule looks at all [`Readings`]: a deny applies if any of
//! them matches, an allow only if all do.

use std::fmt;
use std::str::FromStr;

use http::Method;
use percent_encoding::percent_decode;

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
    others: Vec<Vec<u8>>,
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
            complete: true,
        };
        if !is_plain(raw.as_bytes()) {
            readings.complete = raw.len() <= MAX_ODD_PATH && readings.close();
        }
        readings
    }

    /// Whether any reading leads out of the folder that the path is put into: it goes up further than it went down.
    pub fn climbs_out(&self) -> bool {
        !self.complete || self.each().any(climbs_out)
    }

    /// Applies every transformation to every reading until nothing new comes out. `false`: gave up.
    fn close(&mut self) -> bool {
        let mut from = self.raw.as_bytes().to_vec();
        for next in 0.. {
            for transform in TRANSFORMS {
                let to = transform(&from);
                if to != from && to != self.raw.as_bytes() && !self.others.contains(&to) {
                    if self.others.len() == MAX_READINGS {
                        return false;
                    }
                    self.others.push(to);
                }
            }
            match self.others.get(next) {
                Some(reading) => from.clone_from(reading),
                None => break,
            }
        }
        true
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        let others = self.others.iter().map(Vec::as_slice);
        std::iter::once(self.raw.as_bytes()).chain(others)
    }
}

impl PathRule {
    /// Whether the rule is for one method.
    pub fn names_method(&self) -> bool {
        self.method.is_some()
    }

    /// Whether any reading matches: what a deny asks. A path with too many readings matches every deny.
    pub fn matches_any(&self, method: &Method, path: &Readings<'_>) -> bool {
        self.is_for(method) && (!path.complete || path.each().any(|path| self.covers(path)))
    }

    /// Whether all readings match: what an allow asks. A path with too many readings matches no allow.
    pub fn matches_all(&self, method: &Method, path: &Readings<'_>) -> bool {
        self.is_for(method) && path.complete && path.each().all(|path| self.covers(path))
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
                (Segment::Literal(own), Some(segment)) => {
                    own.as_bytes().eq_ignore_ascii_case(segment)
                }
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
    let odd = |byte: &u8| matches!(byte, 0..=b' ' | b'%' | b';' | b'\\' | b'?' | b'#' | 0x7f..);
    !path.iter().any(odd)
        && path
            .windows(2)
            .all(|pair| !matches!(pair, b"//" | b"/." | b"./"))
        && path.last() != Some(&b'.')
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let none = path.is_empty();
    path.split(|byte| *byte == b'/').skip(usize::from(none))
}

/// Rewrites each segment.
fn map_segments(path: &[u8], map: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').map(map).collect();
    parts.join(&b'/')
}

type Transform = fn(&[u8]) -> Vec<u8>;

/// What servers do to a path before they look at it; each changes only what it is about.
const TRANSFORMS: [Transform; 8] = [
    // RFC 3986 section 2.1. Done again by whoever stands behind another decoder.
    |path| percent_decode(path).collect(),
    overlong,
    // Windows and browsers (WHATWG URL) take `\` for `/`.
    |path| {
        path.iter()
            .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
            .collect()
    },
    // Path parameters, RFC 3986 section 3.3; servlet containers cut them off each segment.
    |path| {
        map_segments(path, |segment| {
            segment.split(|byte| *byte == b';').next().unwrap_or(b"")
        })
    },
    // Windows ignores dots and blanks at the end of a name.
    |path| map_segments(path, trimmed),
    |path| {
        let mut merged = path.to_vec();
        merged.dedup_by(|a, b| *a == b'/' && *b == b'/');
        merged
    },
    without_dot_segments,
    // What decoding brought to light may end the path for the next reader.
    |path| {
        let end = path
            .iter()
            .position(|byte| matches!(byte, b'?' | b'#' | 0..0x20));
        path.get(..end.unwrap_or(path.len()))
            .unwrap_or(path)
            .to_vec()
    },
];

/// RFC 3986 section 5.2.4.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
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
    path
}

fn climbs_out(path: &[u8]) -> bool {
    let mut depth = 0_usize;
    for segment in segments(path) {
        match segment.trim_ascii() {
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

/// A segment without dots and blanks at its end, unless it is nothing else.
fn trimmed(segment: &[u8]) -> &[u8] {
    let end = segment
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b' '));
    end.and_then(|last| segment.get(..=last)).unwrap_or(segment)
}

/// ASCII written as two or three bytes of UTF-8, which RFC 3629 section 3 forbids and lax decoders take.
fn overlong(path: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match rest {
            [top @ (0xc0 | 0xc1), low @ 0x80..=0xbf, after @ ..]
            | [0xe0, top @ (0x80 | 0x81), low @ 0x80..=0xbf, after @ ..] => {
                ((top & 1) << 6 | (low & 0x3f), after)
            }
            _ => (*first, after),
        };
        short.push(byte);
        rest = after;
    }
    short
}

/// No API has paths this long that also need reading twice; it bounds the work below.
const MAX_ODD_PATH: usize = 4096;

/// An honest path has two or three readings.
const MAX_READINGS: usize = 48;

#[cfg(test)]
mod tests;
