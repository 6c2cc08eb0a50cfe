//! Dead sessions: which upstream answers mean "this token no longer works".
//!
//! It sees a status, header fields and a bounded, already decompressed beginning of a body. It does not
//! read bodies, and it does not decide what happens next; the proxy does both.

mod challenge;
mod document;

use std::borrow::Cow;

use http::{HeaderMap, Method, StatusCode, header};

use self::document::{json_has, xml_has};
use super::surface::Surface;

/// An answer that says something about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRule {
    /// The status.
    pub status: u16,
    /// What the body must show.
    pub sign: Sign,
    /// What that means.
    pub then: Verdict,
}

/// What a body must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Nothing: the status is enough.
    Any,
    /// Nothing, but the challenges in `WWW-Authenticate` name no error, or that of a dead token (RFC 6750 section 3.1).
    Challenge,
    /// It is a text that begins so.
    Text(Cow<'static, str>),
    /// It holds this somewhere.
    Contains(Cow<'static, str>),
    /// It is JSON and a value at this place passes the test. A place is written like a JSON pointer
    /// (RFC 6901) without escapes, with `*` for any element of an array.
    Json(Cow<'static, str>, Test),
    /// It is XML and an element of this name, whatever its prefix, has a text that passes the test.
    Xml(Cow<'static, str>, Test),
    /// All of these.
    All(Vec<Self>),
}

/// A test of a text; numbers and booleans are read as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is this.
    Is(Cow<'static, str>),
    /// It holds this.
    Contains(Cow<'static, str>),
    /// It ends so.
    EndsWith(Cow<'static, str>),
}

/// Whether an answer is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// No rule can match; the answer streams on.
    Pass,
    /// [`judge`] wants to see the beginning of the body.
    Body,
}

/// What an answer says about the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the answer passes.
    Alive,
    /// The token is dead.
    Dead,
    /// The provider stumbled: the same request with the same token may work.
    TryAgain,
}

impl DeadRule {
    /// Whether the body of an answer has to be read for it.
    pub fn reads_body(&self) -> bool {
        self.sign.reads_body()
    }
}

impl Sign {
    fn reads_body(&self) -> bool {
        match self {
            Self::Any | Self::Challenge => false,
            Self::Text(_) | Self::Contains(_) | Self::Json(..) | Self::Xml(..) => true,
            Self::All(signs) => signs.iter().any(Self::reads_body),
        }
    }
}

impl Test {
    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Is(this) => text == this,
            Self::Contains(this) => text.contains(this.as_ref()),
            Self::EndsWith(this) => text.ends_with(this.as_ref()),
        }
    }
}

impl Sign {
    fn shows(&self, headers: &HeaderMap, body: &[u8], complete: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Challenge => challenge::is_of_dead_token(headers),
            Self::Contains(part) => memchr::memmem::find(body, part.as_bytes()).is_some(),
            Self::Text(start) => body.trim_ascii_start().starts_with(start.as_bytes()),
            Self::Json(place, test) => json_has(body, complete, place, &|text| test.passes(text)),
            Self::Xml(element, test) => xml_has(body, element, &|text| test.passes(text)),
            Self::All(signs) => {
                let mut signs = signs.iter();
                signs.all(|sign| sign.shows(headers, body, complete))
            }
        }
    }

    /// Whether an answer without a body may show it.
    fn may_show(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Challenge => challenge::is_of_dead_token(headers),
            _ => true,
        }
    }
}

/// Whether `surface` has a rule for an answer with this head.
pub fn look(surface: &Surface, method: &Method, status: StatusCode, headers: &HeaderMap) -> Look {
    if !surface.dead.iter().any(|rule| rule.status == status) {
        return Look::Pass;
    }
    let readable = match (status.is_success(), *method == Method::HEAD) {
        // A success is looked at only where it is small JSON: everything else is somebody's data.
        (true, false) => is_json(headers) && fits(headers),
        (true, true) => false,
        // Without a body only a 401 can be judged.
        (false, true) => status == StatusCode::UNAUTHORIZED,
        (false, false) => true,
    };
    if readable { Look::Body } else { Look::Pass }
}

/// What an answer means whose body begins with `prefix` (`complete`: and ends with it). A body that
/// matches no rule rejects nothing, whatever its status.
pub fn judge(
    surface: &Surface,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    prefix: &[u8],
    complete: bool,
) -> Verdict {
    if look(surface, method, status, headers) == Look::Pass {
        return Verdict::Alive;
    }
    let mut rules = surface.dead.iter().filter(|rule| rule.status == status);
    if *method == Method::HEAD {
        let dead = rules.any(|rule| rule.then == Verdict::Dead && rule.sign.may_show(headers));
        return if dead { Verdict::Dead } else { Verdict::Alive };
    }
    let (prefix, complete) = match prefix.get(..PREFIX_MAX) {
        Some(start) => (start, complete && prefix.len() == PREFIX_MAX),
        None => (prefix, complete),
    };
    if status.is_success() && !complete {
        return Verdict::Alive;
    }
    rules
        .find(|rule| rule.sign.shows(headers, prefix, complete))
        .map_or(Verdict::Alive, |rule| rule.then)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().contains("json"))
}

fn fits(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .is_none_or(|length| length <= PREFIX_MAX)
}

/// How much of a body is looked at.
pub const PREFIX_MAX: usize = 4096;

#[cfg(test)]
mod tests;
