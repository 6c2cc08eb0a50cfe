//! [`opened`]: an answer without the content coding that nobody asked for.
//!
//! Something between puts one on all the same, and an answer that cannot be read may hold the only refresh token that is good.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::post::BODY_MAX;

/// What came of a body: all of it, or what there was before it broke off, was not as it should be or became larger than it may be.
pub(super) enum Opened {
    Whole(Bytes),
    Part(Bytes),
    TooLarge(Bytes),
}

/// The body without gzip or deflate; as it is, if there is none, or not what the header says. Known by its first bytes as well, with
/// which no answer begins.
pub(super) fn opened(headers: &HeaderMap, raw: Bytes) -> Opened {
    let coding = headers.get(CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.as_bytes().trim_ascii().to_ascii_lowercase());
    match coding.as_deref() {
        _ if raw.starts_with(GZIP) => gunzipped(&raw),
        Some(b"deflate") => inflated(raw),
        _ => Opened::Whole(raw),
    }
}

/// Member by member; what follows them is read over.
fn gunzipped(raw: &[u8]) -> Opened {
    let (mut found, mut rest) = (Vec::new(), raw);
    while rest.starts_with(GZIP) {
        let mut decoder = GzDecoder::new(rest);
        let is_whole = inflate(&mut decoder, &mut found);
        if !is_whole || found.len() > BODY_MAX {
            return Opened::of(found, is_whole);
        }
        rest = decoder.into_inner();
    }
    Opened::of(found, true)
}

/// "deflate" is the zlib format (RFC 9110 section 8.4.1.2), but some send it bare.
fn inflated(raw: Bytes) -> Opened {
    let mut found = Vec::new();
    if inflate(ZlibDecoder::new(&*raw), &mut found) {
        return Opened::of(found, true);
    }
    found.clear();
    // A broken one shows all there is where nobody knows of its header, and so of its checksum.
    let inner = raw.strip_prefix(ZLIB).and_then(|rest| rest.get(1..));
    let is_whole = inflate(DeflateDecoder::new(inner.unwrap_or(&raw)), &mut found);
    match (inner, is_whole) {
        (None, false) => Opened::Whole(raw),
        (None, true) => Opened::of(found, true),
        (Some(_), _) => Opened::of(found, false),
    }
}

/// Appends what is in it, and no more than shows that it is too much; says whether it is whole.
fn inflate(reader: impl Read, found: &mut Vec<u8>) -> bool {
    let bound = (BODY_MAX + 1).saturating_sub(found.len()) as u64;
    reader.take(bound).read_to_end(found).is_ok()
}

impl Opened {
    fn of(found: Vec<u8>, is_whole: bool) -> Self {
        match is_whole {
            _ if found.len() > BODY_MAX => Self::TooLarge(found.into()),
            true => Self::Whole(found.into()),
            false => Self::Part(found.into()),
        }
    }
}

/// RFC 1950 section 2.2: deflate, with the window that everybody takes.
const ZLIB: &[u8] = b"\x78";
/// RFC 1952 section 2.3.1.
const GZIP: &[u8] = b"\x1f\x8b";
