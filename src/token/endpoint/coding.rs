//! [`opened`]: an answer without the content coding that nobody asked for.
//!
//! Something between puts one on all the same, and an answer that cannot be read may hold the only refresh token that is good.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::post::BODY_MAX;

/// The answer is larger than it may be.
#[derive(Debug)]
pub(super) struct TooLarge;

/// The body without gzip or deflate; as it is, if there is none, or not what the header says. Known by its first bytes as well, with
/// which no answer begins.
pub(super) fn opened(headers: &HeaderMap, raw: Bytes) -> Result<Bytes, TooLarge> {
    let coding = headers.get(CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.as_bytes().trim_ascii().to_ascii_lowercase());
    let found = match coding.as_deref() {
        _ if raw.starts_with(GZIP) => {
            inflate(MultiGzDecoder::new(&*raw)).or_else(|| first_member(&raw))
        }
        // "deflate" is the zlib format (RFC 9110 section 8.4.1.2), but some send it bare.
        Some(b"deflate") => {
            inflate(ZlibDecoder::new(&*raw)).or_else(|| inflate(DeflateDecoder::new(&*raw)))
        }
        _ => None,
    };
    match found {
        Some(found) if found.len() > BODY_MAX => Err(TooLarge),
        Some(found) => Ok(found.into()),
        None => Ok(raw),
    }
}

/// What is in the first member, if what follows it is none that broke off.
fn first_member(raw: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = bufread::GzDecoder::new(raw);
    let found = inflate(&mut decoder)?;
    let rest = decoder.into_inner();
    (found.len() > BODY_MAX || !rest.starts_with(GZIP)).then_some(found)
}

/// What is in it, if it is whole; no more than shows that it is too much.
fn inflate(reader: impl Read) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let bound = BODY_MAX as u64 + 1;
    reader.take(bound).read_to_end(&mut found).ok()?;
    Some(found)
}

/// RFC 1952 section 2.3.1.
const GZIP: &[u8] = b"\x1f\x8b";
