//! Reads the head of an answer, and how its body is framed (RFC 9112 section 6.3).

use std::mem::{self, MaybeUninit};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fault::Fault;

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may serve another request behind this answer.
    pub(super) keep: bool,
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    /// With the connection.
    Close,
}

/// Reads the heads of one connection's answers.
#[derive(Default)]
pub(super) struct Reader {
    /// Where the fields of a head stand.
    places: Vec<Place>,
    /// The names of the last head. An upstream sends the same ones over and over: to compare them costs less than to read them.
    known: Vec<Known>,
    /// Room for the fields of the next head.
    room: HeaderMap,
}

impl Reader {
    /// Takes the head of an answer off `input`. `None`: it is not whole yet. `bodiless`: it answers a HEAD.
    pub(super) fn take(
        &mut self,
        input: &mut BytesMut,
        bodiless: bool,
    ) -> Result<Option<Head>, Fault> {
        let Some(raw) = parse(input, &mut self.places)? else {
            return Ok(None);
        };
        let bytes = input.split_to(raw.length).freeze();
        if raw.status.is_informational() {
            // Read over, so that nothing in it matters.
            return Ok(Some(Head {
                status: raw.status,
                fields: HeaderMap::new(),
                framing: Framing::Length(0),
                keep: true,
            }));
        }
        let mut seen = Seen::new(raw.is_old);
        let mut fields = mem::take(&mut self.room);
        for (at, place) in self.places.iter().enumerate() {
            let odd = || Fault::Framing("one of its fields is none");
            let name = name(&mut self.known, at, place.name(&bytes)).ok_or_else(odd)?;
            let value = HeaderValue::from_maybe_shared(place.value(&bytes)).map_err(|_| odd())?;
            seen.field(&name, &value)?;
            fields.append(name, value);
        }
        let framing = seen.framing(raw.status, bodiless)?;
        if let Some(length) = seen.length.filter(|_| !seen.length_is_plain) {
            fields.insert(CONTENT_LENGTH, length.into());
        }
        Ok(Some(Head {
            status: raw.status,
            fields,
            framing,
            keep: seen.keep && framing != Framing::Close,
        }))
    }

    /// Takes the room of a map that nobody needs any more.
    pub(super) fn reuse(&mut self, mut map: HeaderMap) {
        map.clear();
        if map.capacity() <= MOST_KEPT {
            self.room = map;
        }
    }
}

/// A name, as it was written and as it was read.
struct Known {
    written: Box<[u8]>,
    name: HeaderName,
}

/// The name that `written` stands for, which is often the one `known` from the same place before.
fn name(known: &mut Vec<Known>, at: usize, written: &[u8]) -> Option<HeaderName> {
    if let Some(before) = known.get(at)
        && *before.written == *written
    {
        return Some(before.name.clone());
    }
    let name = HeaderName::from_bytes(written).ok()?;
    let new = Known {
        written: written.into(),
        name: name.clone(),
    };
    match known.get_mut(at) {
        Some(place) => *place = new,
        None if at < MOST_KEPT => known.push(new),
        None => {}
    }
    Some(name)
}

/// A head that was parsed.
struct Raw {
    length: usize,
    status: StatusCode,
    /// HTTP/1.0.
    is_old: bool,
}

/// Where a field stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

/// Parses a head; says in `places` where its fields stand.
fn parse(input: &[u8], places: &mut Vec<Place>) -> Result<Option<Raw>, Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        input,
        &mut fields,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => length,
        Ok(httparse::Status::Partial) if input.len() <= MOST_BYTES => return Ok(None),
        Ok(_) => return Err(Fault::Framing("its head has no end")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Fault::Framing("its head has too many fields"));
        }
        Err(_) => return Err(Fault::Framing("it is not an answer of HTTP/1")),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    // 101 was not asked for; HTTP ends with 599 (RFC 9110 section 15).
    let status = match status {
        Some(StatusCode::SWITCHING_PROTOCOLS) => {
            return Err(Fault::Framing("it switched protocols unasked"));
        }
        Some(status) if status.as_u16() <= 599 => status,
        Some(_) | None => return Err(Fault::Framing("its status is not one of HTTP's")),
    };
    places.clear();
    places.extend(answer.headers.iter().map(|field| Place {
        name: within(input, field.name.as_bytes()),
        value: within(input, field.value),
    }));
    Ok(Some(Raw {
        length,
        status,
        is_old: answer.version == Some(0),
    }))
}

/// Where `part` stands in `whole`, of which it is a part.
fn within(whole: &[u8], part: &[u8]) -> (u32, u32) {
    // A head is far shorter than 4 GiB.
    let at = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize) as u32;
    (at, at.wrapping_add(part.len() as u32))
}

impl Place {
    fn name<'a>(&self, bytes: &'a Bytes) -> &'a [u8] {
        let (from, to) = self.name;
        bytes.get(from as usize..to as usize).unwrap_or_default()
    }

    fn value(&self, bytes: &Bytes) -> Bytes {
        let (from, to) = self.value;
        bytes.slice(from as usize..to as usize)
    }
}

/// What the fields say of the framing.
struct Seen {
    length: Option<u64>,
    /// It stands there once, as a number is written.
    length_is_plain: bool,
    is_chunked: bool,
    keep: bool,
    close: bool,
    is_old: bool,
}

impl Seen {
    fn new(is_old: bool) -> Self {
        Self {
            length: None,
            length_is_plain: true,
            is_chunked: false,
            // RFC 9112 section 9.3.
            keep: !is_old,
            close: false,
            is_old,
        }
    }

    fn field(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Fault> {
        match *name {
            CONTENT_LENGTH => self.length(value.as_bytes()),
            TRANSFER_ENCODING => {
                // A coding that is not undone here would be lost with the field (RFC 9112 section 6.1).
                let chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                if !chunked || self.is_chunked {
                    return Err(Fault::Framing("its transfer coding is unknown"));
                }
                self.is_chunked = true;
                Ok(())
            }
            CONNECTION => {
                for token in value.as_bytes().split(|byte| *byte == b',') {
                    let token = token.trim_ascii();
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep |= token.eq_ignore_ascii_case(b"keep-alive");
                }
                self.keep &= !self.close;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All lengths must be one number (RFC 9110 section 8.6).
    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let odd = Fault::Framing("its length is not a number");
        for part in value.split(|byte| *byte == b',') {
            let digits = part.trim_ascii();
            let length = str::from_utf8(digits).ok();
            let length = length.filter(|digits| !digits.starts_with('+'));
            let length: Option<u64> = length.and_then(|digits| digits.parse().ok());
            match (length, self.length) {
                (Some(length), None) => {
                    self.length_is_plain =
                        digits == value && !digits.starts_with(b"0") || digits == b"0".as_slice();
                    self.length = Some(length);
                }
                (Some(length), Some(known)) if length == known => self.length_is_plain = false,
                _ => return Err(odd),
            }
        }
        Ok(())
    }

    fn framing(&mut self, status: StatusCode, bodiless: bool) -> Result<Framing, Fault> {
        if self.is_chunked && self.length.is_some() {
            // Whoever wrote it may take another byte for its end.
            self.keep = false;
        }
        let bodiless =
            bodiless || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match self.length {
            _ if bodiless => Ok(Framing::Length(0)),
            _ if self.is_chunked && self.is_old => {
                Err(Fault::Framing("a transfer coding in a version without it"))
            }
            _ if self.is_chunked => Ok(Framing::Chunked),
            // So near the end of numbers it is none that could be counted.
            Some(length) if length > u64::MAX - 2 => {
                Err(Fault::Framing("its length is not a number"))
            }
            Some(length) => Ok(Framing::Length(length)),
            None => Ok(Framing::Close),
        }
    }
}

/// More fields than any upstream has reason for.
pub(in crate::egress) const MOST_FIELDS: usize = 100;
/// Fields of which something is kept for the next answer.
const MOST_KEPT: usize = 32;
/// The whole head.
const MOST_BYTES: usize = 256 * 1024;
