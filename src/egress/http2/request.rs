//! A request on its way: its head as HTTP/2 has it (RFC 9113 section 8.3.1), its body as it comes and as there is room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::SendStream;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri};
use tokio::time::Instant;

use super::pulse::{Pulse, Starving};
use crate::egress::Outgoing;
use crate::egress::exchange::{Fault, Head, WRONG_LENGTH};
use crate::egress::silence::Silence;

/// How long a body is, if that is known.
pub(super) fn length_of<B: Outgoing>(body: &B) -> Option<u64> {
    match body.is_end_stream() {
        true => Some(0),
        false => body.size_hint().exact(),
    }
}

/// The head of a request with a body of this length.
pub(super) fn head(head: &Head<'_>, length: Option<u64>) -> Result<Request<()>, Fault> {
    let target = if head.target.is_empty() {
        "/"
    } else {
        head.target
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Authority::try_from(head.host).ok();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    let mut request = Request::new(());
    *request.uri_mut() =
        Uri::from_parts(parts).map_err(|_| Fault::Framing("its target cannot be written"))?;
    *request.method_mut() = head.method.clone();
    let fields = request.headers_mut();
    *fields = HeaderMap::with_capacity(head.fields.len() + head.own.len() + 1);
    for (name, value) in head.fields {
        if !belongs_to_http1(name) && !head.own.iter().any(|(own, _)| own == name) {
            fields.append(name.clone(), value.clone());
        }
    }
    for (name, value) in head.own {
        // The compression must not tell how near another one's guess is.
        let mut value = value.clone();
        value.set_sensitive(true);
        fields.append(name.clone(), value);
    }
    match length {
        Some(0) if !matches!(*head.method, Method::POST | Method::PUT | Method::PATCH) => {}
        Some(length) => {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {}
    }
    Ok(request)
}

/// What HTTP/2 says otherwise, or not at all (RFC 9113 section 8.2.2).
fn belongs_to_http1(name: &HeaderName) -> bool {
    matches!(
        *name,
        HOST | CONTENT_LENGTH | TRANSFER_ENCODING | CONNECTION | UPGRADE | TE
    )
}

/// A body on its way.
pub(super) struct Sending<B> {
    stream: SendStream<Bytes>,
    /// `None`: all of it was taken.
    body: Option<B>,
    piece: Bytes,
    /// Pieces that are too small to go out each for itself, and since when the first of them waits for more.
    small: BytesMut,
    since: Instant,
    held: Silence,
    /// How much of `piece` was counted when it was taken.
    counted: usize,
    /// How much is to come, where that was said.
    left: Option<u64>,
    pulse: Arc<Pulse>,
    /// The upstream takes nothing of what is there.
    starved: Option<Starving>,
}

impl<B> Sending<B> {
    /// Whether there is something that the upstream does not take.
    pub(super) fn is_starved(&self) -> bool {
        self.starved.is_some()
    }

    /// Whether this is so since as long.
    pub(super) fn is_starved_for(&self, time: Duration) -> bool {
        self.starved
            .as_ref()
            .is_some_and(|starved| starved.is_for(time))
    }
}

impl<B: Outgoing> Sending<B> {
    pub(super) fn new(
        stream: SendStream<Bytes>,
        body: B,
        length: Option<u64>,
        pulse: &Arc<Pulse>,
    ) -> Self {
        Self {
            stream,
            body: Some(body),
            piece: Bytes::new(),
            small: BytesMut::new(),
            since: Instant::now(),
            held: Silence::default(),
            counted: 0,
            left: length,
            pulse: pulse.clone(),
            starved: None,
        }
    }

    /// Sends what there is room for. `Ready`: that was all, or the upstream wants no more. Says by `moved` how many bytes went
    /// out.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<(), Fault>> {
        loop {
            if self.piece.is_empty() && self.body.is_some() {
                match self.poll_take(cx, moved) {
                    Poll::Ready(taken) => taken?,
                    Poll::Pending => {
                        if self.small.is_empty() {
                            return Poll::Pending;
                        }
                        // Where it is unknown whether more comes, none is waited for.
                        if self.left.is_some() {
                            ready!(self.held.poll(cx, self.since + LONGEST));
                        }
                        self.piece = self.small.split().freeze();
                    }
                }
            }
            let over = self.body.is_none();
            let length = self.piece.len();
            let mut room = 0;
            if length > 0 {
                self.stream.reserve_capacity(length);
                room = self.stream.capacity();
                if room == 0 {
                    let Poll::Ready(more) = self.stream.poll_capacity(cx) else {
                        self.starved.get_or_insert_with(|| self.pulse.starve());
                        return Poll::Pending;
                    };
                    match more {
                        Some(Ok(_)) => continue,
                        // Whether it has an answer nevertheless is seen where that is read.
                        Some(Err(_)) | None => return Poll::Ready(Ok(())),
                    }
                }
            } else if !over {
                continue;
            }
            // There was room, perhaps since it was told that there is: none is waited for while the caller is slow.
            self.starved = None;
            let part = self.piece.split_to(length.min(room));
            let counted = self.counted.min(part.len());
            self.counted -= counted;
            *moved += part.len() - counted;
            let last = over && self.piece.is_empty();
            if self.stream.send_data(part, last).is_err() || last {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Takes the next piece of the body that may go out, or its end.
    fn poll_take(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Poll<Result<(), Fault>> {
        loop {
            let piece = ready!(self.poll_piece(cx))?;
            if self.small.is_empty() && !self.is_small(piece.len()) {
                self.piece = piece;
                return Poll::Ready(Ok(()));
            }
            if self.small.is_empty() {
                self.since = Instant::now();
            }
            self.small.extend_from_slice(&piece);
            // It moves, although nothing goes out yet.
            *moved += piece.len();
            self.counted += piece.len();
            if !self.is_small(self.small.len()) {
                self.piece = self.small.split().freeze();
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Whether so little is to wait for more that comes.
    fn is_small(&self, length: usize) -> bool {
        length < LEAST && self.body.is_some()
    }

    /// The next piece of the body; empty at its end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Fault>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(Bytes::new()));
        };
        let mut piece = Bytes::new();
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // Trailers are not forwarded.
                piece = frame.into_data().unwrap_or_default();
                if body.is_end_stream() {
                    self.body = None;
                }
            }
            Some(Err(error)) => return Poll::Ready(Err(Fault::Body(error.into()))),
            None => self.body = None,
        }
        if let Some(left) = &mut self.left {
            let fits = left.checked_sub(piece.len() as u64);
            let fits = fits.filter(|left| *left == 0 || self.body.is_some());
            *left = fits.ok_or_else(|| Fault::Body(WRONG_LENGTH.into()))?;
            if *left == 0 {
                // It is whole: the end goes with it.
                self.body = None;
            }
        }
        Poll::Ready(Ok(piece))
    }
}

/// To Tomcat a connection with smaller pieces than this costs more than it brings, and is ended (`overheadDataThreshold`).
const LEAST: usize = 1024;
/// How long they wait for more: the upstream may have something to say to what is there.
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE};

    use super::*;

    fn written(method: &Method, target: &str, length: Option<u64>) -> Request<()> {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("host", "elsewhere"),
            ("connection", "close"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("authorization", "theirs"),
            ("authorization", "theirs, too"),
            ("x-other", "1"),
            ("x-other", "2"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        let own = [
            (AUTHORIZATION, HeaderValue::from_static("ours")),
            (COOKIE, HeaderValue::from_static("a=b")),
            (COOKIE, HeaderValue::from_static("c=d")),
        ];
        let asked = Head {
            method,
            target,
            host: "api.example:8443",
            fields: &fields,
            own: &own,
        };
        head(&asked, length).unwrap()
    }

    #[test]
    fn a_head_has_nothing_of_http1_and_its_own_fields_instead_of_others() {
        let request = written(&Method::GET, "/a?b", Some(0));
        let uri = request.uri().to_string();
        assert_eq!(uri, "https://api.example:8443/a?b");
        let fields = request.headers();
        let all: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["x-other", "x-other", "authorization", "cookie", "cookie"];
        assert_eq!(all, expected);
        assert_eq!(fields[AUTHORIZATION], "ours");
        assert!(fields[AUTHORIZATION].is_sensitive() && !fields["x-other"].is_sensitive());
    }

    #[test]
    fn a_length_is_said_where_it_is_known_and_means_something() {
        let rows = [
            (Method::GET, Some(0), None),
            (Method::DELETE, Some(0), None),
            (Method::POST, Some(0), Some("0")),
            (Method::PUT, Some(0), Some("0")),
            (Method::GET, Some(5), Some("5")),
            (Method::POST, None, None),
        ];
        for (method, length, expected) in rows {
            let request = written(&method, "", length);
            let said = request.headers().get(CONTENT_LENGTH);
            let said = said.map(|said| said.to_str().unwrap());
            assert_eq!(said, expected, "{method} {length:?}");
            assert_eq!(request.uri().path(), "/");
        }
    }
}
