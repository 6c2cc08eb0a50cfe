//! [`Turner`]: turns URLs at known places of a document while it streams.
//!
//! Nothing waits for the document's end: a text at such a place is held back until it is whole, everything else passes
//! as the bytes it came in. A document that is not what it seems passes as well; nothing is ever added to or taken from
//! it but the URLs that are turned.

mod json;
mod places;
mod xml;

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderValue;

use self::json::InJson;
use self::places::Places;
use self::xml::InXml;
use crate::message::Links;

#[cfg(test)]
mod tests;

/// What documents with links are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

/// A document on its way through.
pub(super) enum Turner {
    Json(InJson),
    Xml(InXml),
}

impl Format {
    /// `application/json`, `application/xml`, `text/xml`, and what is written in these (RFC 6839 sections 3.1, RFC 7303
    /// section 4).
    pub(super) fn of(content_type: &HeaderValue) -> Option<Self> {
        let text = content_type.to_str().ok()?.to_ascii_lowercase();
        let media_type = text.split(';').next()?.trim();
        if media_type == "text/xml" {
            return Some(Self::Xml);
        }
        match media_type
            .strip_prefix("application/")?
            .rsplit('+')
            .next()?
        {
            "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            _ => None,
        }
    }
}

impl Turner {
    /// For a document whose texts at `places` are URLs. A place is written like a JSON pointer (RFC 6901) without
    /// escapes, with `*` for any member or element; the first 32 count. In XML the outermost element is no step of it.
    pub(super) fn new(format: Format, links: Links, places: &[&str]) -> Self {
        let places = Places::new(places);
        match format {
            Format::Json => Self::Json(InJson::new(links, places)),
            Format::Xml => Self::Xml(InXml::new(links, places)),
        }
    }

    /// Takes the next bytes of the document; what can go on is put behind `out`.
    pub(super) fn push(&mut self, bytes: &Bytes, out: &mut VecDeque<Bytes>) {
        match self {
            Self::Json(document) => document.push(bytes, out),
            Self::Xml(document) => document.push(bytes, out),
        }
    }

    /// What is held back of a document that has ended within a URL.
    pub(super) fn end(&mut self) -> Bytes {
        match self {
            Self::Json(document) => document.end(),
            Self::Xml(document) => document.end(),
        }
    }
}

/// What becomes of a document that comes in `pieces`.
#[cfg(any(test, fuzzing))]
pub(crate) fn turned(
    format: Format,
    links: Links,
    places: &[&str],
    pieces: &[impl AsRef<[u8]>],
) -> Vec<u8> {
    let mut document = Turner::new(format, links, places);
    let mut out = VecDeque::new();
    for piece in pieces {
        document.push(&Bytes::copy_from_slice(piece.as_ref()), &mut out);
    }
    put(&mut out, document.end());
    out.iter().flatten().copied().collect()
}

fn put(out: &mut VecDeque<Bytes>, bytes: Bytes) {
    if !bytes.is_empty() {
        out.push_back(bytes);
    }
}

/// No URL and no name at a known place is longer, in bytes.
const LONGEST_TEXT: usize = 8 * 1024;
/// No document with links is deeper.
const DEEPEST: usize = 64;
