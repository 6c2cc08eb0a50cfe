//! A request, made ready once and sent perhaps more than once.
//!
//! [`Prepared::new`] does what does not depend on a credential; [`Prepared::attempt`] does the rest for each try and
//! leaves the prepared request as it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, HOST, IF_RANGE, RANGE, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use http_body::Body;
use http_body_util::BodyExt;
use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;
use super::judge;
use super::request_body::{Capture, RequestBody, Stream, lock};
use super::upstream::Upstream;
use crate::egress::Head;
use crate::message::{Readings, Rejection, Target, forwarding, strip};
use crate::provider::judge::DeadRule;
use crate::provider::surface::track_id;
use crate::provider::{Base, Carrier, Credential, Stamp, Surface};
use crate::server::Incoming;
use crate::telemetry::Id;

/// How much of a body is kept for a replay, and in which memory.
pub struct Buffers {
    /// Most bytes of one body.
    pub replay_bytes: usize,
    /// All such bytes together: one permit is one [`BLOCK`].
    pub memory: Arc<Semaphore>,
    /// How long a caller may be silent within a body.
    pub silence: Duration,
}

/// What a request is made ready with.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// Where it goes.
    pub upstream: &'a Upstream,
    /// Which of its API families.
    pub surface: &'a Surface,
    /// The request's id.
    pub id: Id,
    /// `Via`.
    pub via: &'a HeaderValue,
    /// Whether the answer is to be read on its way.
    pub readable: bool,
}

/// A request without its credential.
pub struct Prepared {
    method: Method,
    /// The caller's, of absolute-form or `:authority`.
    authority: Option<Authority>,
    target: Target,
    headers: HeaderMap,
    body: Held,
}

/// A request with its credential, for one target.
pub struct Attempt<'a> {
    prepared: &'a Prepared,
    target: Target,
    host: &'a str,
    carried: SmallVec<[(HeaderName, HeaderValue); 2]>,
}

impl Attempt<'_> {
    /// The head to send.
    pub fn head(&self) -> Head<'_> {
        Head {
            method: &self.prepared.method,
            target: self.target.as_str(),
            host: self.host,
            fields: &self.prepared.headers,
            own: &self.carried,
        }
    }
}

enum Held {
    /// Read whole: can be sent any number of times.
    Whole(
        Bytes,
        #[expect(dead_code, reason = "held, not read: its room in the shared memory")]
        Option<OwnedSemaphorePermit>,
    ),
    /// Not sent yet.
    Fresh(RequestBody, Arc<Mutex<Capture>>),
    /// Sent, or on its way: can be sent again if all of it passed within the limit.
    Passed(Arc<Mutex<Capture>>),
}

impl Prepared {
    /// Takes off what is the caller's and what is between hops, and puts on what does not depend on the credential.
    /// The body comes later, by [`Prepared::hold`].
    pub fn new(parts: Parts, target: &Target, making: &Making<'_>) -> Result<Self, Rejection> {
        let Making {
            upstream,
            surface,
            id,
            via,
            readable,
        } = *making;
        let mut headers = parts.headers;
        if parts.version == Version::HTTP_2 {
            strip::blanks(&mut headers);
        }
        let stamps = stamped(surface, &headers, id);
        let via = forwarding::via_after(&headers, via);
        strip::request(
            &mut headers,
            &[&surface.strip, &upstream.remove_headers],
            &surface.cookies,
        )?;
        for (name, value) in stamps {
            headers.insert(name, value);
        }
        for (name, value) in &upstream.set_headers {
            headers.insert(name, value.clone());
        }
        headers.insert(VIA, via);
        if readable {
            if headers.contains_key(ACCEPT_ENCODING) {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            // A part of the upstream's bytes is none of those that the caller gets; whole, it is an answer to this as well
            // (RFC 9110 section 14.2).
            headers.remove(RANGE);
            headers.remove(IF_RANGE);
        } else if headers.contains_key(ACCEPT_ENCODING)
            && surface.dead.iter().any(DeadRule::reads_body)
            && let Some(openable) = judge::openable(&headers)
        {
            headers.insert(ACCEPT_ENCODING, openable);
        }
        Ok(Self {
            method: parts.method,
            authority: parts.uri.authority().cloned(),
            target: target.without_parameters(&surface.cut_parameters),
            headers,
            body: Held::Whole(Bytes::new(), None),
        })
    }

    /// Takes the body: a short one of declared length is read whole, others stream, their beginning kept while there
    /// is memory for it.
    pub(super) async fn hold(&mut self, body: Incoming, buffers: &Buffers) -> Result<(), Error> {
        self.body = hold(body, buffers).await?;
        Ok(())
    }

    /// The body for a try. `None`: it is not at hand any more.
    pub fn take_body(&mut self) -> Option<RequestBody> {
        match &self.body {
            Held::Whole(bytes, _) => Some(RequestBody::whole(bytes.clone())),
            Held::Passed(capture) => {
                let (whole, permit) = lock(capture).take_whole()?;
                self.body = Held::Whole(whole.clone(), permit);
                Some(RequestBody::whole(whole))
            }
            Held::Fresh(_, capture) => {
                let passed = Held::Passed(capture.clone());
                match std::mem::replace(&mut self.body, passed) {
                    Held::Fresh(body, _) => Some(body),
                    Held::Whole(..) | Held::Passed(_) => None,
                }
            }
        }
    }

    /// `host[:port]` as the caller named the proxy.
    pub(super) fn named(&self) -> Option<&str> {
        let target = self.authority.as_ref().map(Authority::as_str);
        target.or_else(|| self.headers.get(HOST)?.to_str().ok())
    }

    /// Nothing is sent any more.
    pub(super) fn into_fields(self) -> HeaderMap {
        self.headers
    }

    /// Whether the call stays behind the path that stands in front of every call there, however the upstream reads it.
    pub(super) fn stays_behind(&self, base: &Base) -> bool {
        base.path.is_empty() || !Readings::of(self.target.path()).climbs_out()
    }

    /// A try with `credential`, for its target. `None`: the target would be too long.
    pub fn attempt<'a>(
        &'a self,
        surface: &Surface,
        credential: &Credential,
        base: &'a Base,
    ) -> Option<Attempt<'a>> {
        let carrier = |carrier: &Carrier| {
            let value = credential.value(carrier.form);
            (carrier.header.clone(), value.clone())
        };
        Some(Attempt {
            prepared: self,
            target: self.target.behind(&base.path)?,
            host: base.origin.authority().as_str(),
            carried: surface.carriers.iter().map(carrier).collect(),
        })
    }

    /// Takes back a body of which nothing was taken.
    pub(super) fn untouched(&mut self, body: RequestBody) {
        if let Held::Passed(capture) = &self.body {
            self.body = Held::Fresh(body, capture.clone());
        }
    }

    /// Whether [`Prepared::take_body`] has a body to give.
    pub(super) fn is_at_hand(&self) -> bool {
        match &self.body {
            Held::Whole(..) | Held::Fresh(..) => true,
            Held::Passed(capture) => lock(capture).is_whole(),
        }
    }

    /// Whether the rest of the body may still come, so that it can be sent again although its sending was given up.
    pub(super) fn may_come(&self) -> bool {
        matches!(&self.body, Held::Passed(capture) if lock(capture).may_come())
    }

    /// Waits for the rest of a body whose sending was given up. Says whether all of it is at hand.
    pub(super) async fn catch_up(&mut self, silence: Duration) -> bool {
        if let Held::Passed(capture) = &self.body {
            let rest = Stream::catch_up(capture, silence);
            let _ = tokio::time::timeout(CATCH_UP, rest).await;
        }
        self.is_at_hand()
    }

    /// Whether the caller's body was read to its end.
    pub(super) fn is_read(&self) -> bool {
        match &self.body {
            Held::Whole(..) => true,
            Held::Fresh(..) => false,
            Held::Passed(capture) => lock(capture).is_over(),
        }
    }

    /// Whether what was sent of the caller's body ended in wrong framing.
    pub(super) fn is_malformed(&self) -> bool {
        matches!(&self.body, Held::Passed(capture) if lock(capture).is_malformed())
    }

    /// The caller's method.
    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Path and query at the upstream, behind the path that stands in front of every call there.
    pub(super) fn asked(&self) -> &str {
        self.target.as_str()
    }

    /// Whether the method only reads (RFC 9110 section 9.2.1), so that sending it again does no harm.
    pub(super) fn is_safe(&self) -> bool {
        self.method.is_safe()
    }
}

/// The stamps of a surface: the same on every try.
fn stamped(surface: &Surface, headers: &HeaderMap, id: Id) -> Vec<(HeaderName, HeaderValue)> {
    surface
        .stamps
        .iter()
        .map(|stamp| match stamp {
            Stamp::Set(name, value) => (name.clone(), value.clone()),
            Stamp::ZuoraTrackId => (TRACK_ID, track_id(headers.get(TRACK_ID), &id.to_string())),
        })
        .collect()
}

async fn hold(body: Incoming, buffers: &Buffers) -> Result<Held, Error> {
    if body.is_end_stream() {
        return Ok(Held::Whole(Bytes::new(), None));
    }
    let declared = body
        .size_hint()
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    let wanted = declared.unwrap_or(buffers.replay_bytes);
    let permit = (wanted <= buffers.replay_bytes)
        .then(|| u32::try_from(wanted.div_ceil(BLOCK)).unwrap_or(u32::MAX))
        .and_then(|blocks| buffers.memory.clone().try_acquire_many_owned(blocks).ok());
    match (declared, permit) {
        (Some(declared), Some(permit)) => read_whole(body, declared, permit, buffers.silence).await,
        (_, permit) => {
            let room = if permit.is_some() {
                buffers.replay_bytes
            } else {
                0
            };
            let capture = Arc::new(Mutex::new(Capture::new(room, permit)));
            let body = RequestBody::stream(body, capture.clone(), buffers.silence);
            Ok(Held::Fresh(body, capture))
        }
    }
}

async fn read_whole(
    mut body: Incoming,
    length: usize,
    permit: OwnedSemaphorePermit,
    silence: Duration,
) -> Result<Held, Error> {
    // Nearly all come in one piece, which is taken as it is.
    let mut whole = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(silence, body.frame())
            .await
            .map_err(|_| Error::CallerBody)?;
        match frame {
            None => break,
            Some(Err(_)) => return Err(Error::CallerBody),
            Some(Ok(frame)) => {
                let Ok(bytes) = frame.into_data() else {
                    continue;
                };
                if whole.is_empty() && bytes.len() == length {
                    return Ok(Held::Whole(bytes, Some(permit)));
                }
                whole.reserve(length.saturating_sub(whole.len()));
                whole.extend_from_slice(&bytes);
            }
        }
    }
    Ok(Held::Whole(whole.freeze(), Some(permit)))
}

/// The unit of [`Buffers::memory`].
pub const BLOCK: usize = 1024;

/// How long the rest of a body is waited for when the upstream has answered already: callers that are still sending
/// send on, callers that wait for that answer get it.
const CATCH_UP: Duration = Duration::from_secs(2);

const TRACK_ID: HeaderName = HeaderName::from_static("zuora-track-id");
