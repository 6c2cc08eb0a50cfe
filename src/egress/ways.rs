//! [`Way`]: how a request gets to an upstream that is offered HTTP/2.
//!
//! Requests share a connection there, and some servers end it, with all that are on it, for what one of them is: nginx, Tomcat
//! and Jetty for a head that is longer than they allow, Tomcat for a body in small pieces, Jetty for a path that it cannot decode. Over
//! HTTP/1.1 that costs its sender an answer. So what is known for it has a connection of its own, and after an upstream has ended one
//! with an error, all have, for an hour.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::attempts::useless;
use super::connect::{Offer, late};
use super::connection::{Connection, Line};
use super::exchange::Head;
use super::failure::Failure;
use super::http2::Exchange;
use super::pool::{Made, Place};
use super::{Destination, Outgoing};
use crate::tls::NO_PROTOCOL;

/// How a request gets to an upstream that is offered HTTP/2.
pub(super) enum Way<B: Outgoing> {
    /// On a connection that others share.
    Shared(Box<Exchange<B>>),
    /// On one of its own that has served before.
    Idle(Box<Line<B>>),
    /// On a new one of its own.
    New(Box<Line<B>>),
}

/// What a request is like, as far as the choice of a connection of HTTP/2 goes by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asks {
    /// It has a body.
    body: bool,
    /// Some server would end the connection for it.
    alone: bool,
}

impl Asks {
    pub(super) fn of<B: Outgoing>(head: &Head<'_>, body: &B) -> Self {
        let has_body = !body.is_end_stream();
        // What its sender does not know the length of comes in pieces as small as its sender makes them.
        let in_pieces = has_body && body.size_hint().exact().is_none();
        Self {
            body: has_body,
            alone: in_pieces || is_long(head) || is_odd(head.target),
        }
    }
}

/// Whether a head is longer than every server lets be, counted as in RFC 9113 section 6.5.2.
fn is_long(head: &Head<'_>) -> bool {
    let fields = head
        .fields
        .iter()
        .chain(head.own.iter().map(|(name, value)| (name, value)));
    let sizes = fields.map(|(name, value)| name.as_str().len() + value.len());
    let (mut longest, mut all) = (head.target.len(), head.target.len());
    for size in sizes {
        longest = longest.max(size);
        all += size + OVERHEAD;
    }
    longest > LONGEST_FIELD || all > LONGEST_HEAD
}

/// Whether some server cannot decode a target.
fn is_odd(target: &str) -> bool {
    let mut parts = target.split('%');
    let before = parts.next().unwrap_or_default();
    before.contains("..")
        || parts.any(|part| match part.as_bytes() {
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                part.starts_with("00")
                    || part.starts_with("2e")
                    || part.starts_with("2E")
                    || part.contains("..")
            }
            _ => true,
        })
}

/// A place on a connection of HTTP/2, or a connection of HTTP/1.1, if that is what the upstream chooses, or the request is to have
/// one.
pub(super) async fn checkout<B: Outgoing>(
    to: Destination<'_>,
    asks: Asks,
    place: Arc<Place<B>>,
    permit: OwnedSemaphorePermit,
) -> Result<Connection<B>, Failure<B>> {
    // A fresh one is none of those that are there.
    let after = if to.fresh { place.lanes.made() } else { 0 };
    if place.files.are_wanted() {
        // As one of HTTP/1.1 is not kept then: who comes next would always be before those who wait.
        place.lanes.close_idle();
    }
    let alone = asks.alone || place.lanes.is_wary();
    let way = match alone {
        true => place.alone(to.fresh).await?,
        false => None,
    };
    let way = match way.or_else(|| place.lanes.place(after, asks.body).map(Way::Shared)) {
        Some(way) => way,
        None => {
            let way = place.way(to.fresh).await;
            way.or_else(|failure| {
                let at_last = place.lanes.place_at_last(after);
                at_last.map(Way::Shared).ok_or(failure)
            })?
        }
    };
    Ok(match way {
        Way::Shared(exchange) => Connection::shared(exchange, place, permit),
        Way::Idle(line) => Connection::reused(line, place, permit),
        Way::New(line) => Connection::new(line, place, permit),
    })
}

impl<B: Outgoing> Place<B> {
    /// A connection of its own for a request, to a `fresh` one none that has served, if the upstream speaks HTTP/1.1 as well.
    async fn alone(&self, fresh: bool) -> Result<Option<Way<B>>, Failure<B>> {
        if !fresh && let Some(line) = self.take_fit(Instant::now()) {
            return Ok(Some(Way::Idle(line)));
        }
        if self.lanes.is_http1() || !self.lanes.may_speak_http1() {
            return Ok(None);
        }
        let room = self.room().await?;
        match self.connect(room, Offer::Http1).await {
            Ok(Made::Http1(line)) => Ok(Some(Way::New(line))),
            // Other faults say nothing of what is spoken.
            Err(failure) if failure.text != NO_PROTOCOL => Err(failure),
            Ok(Made::Http2(_)) | Err(_) => {
                self.lanes.lacks_http1();
                Ok(None)
            }
        }
    }

    /// A way for a request that found no room on the connections that there are; to a `fresh` one, none that has served.
    async fn way(self: &Arc<Self>, fresh: bool) -> Result<Way<B>, Failure<B>> {
        if !self.lanes.is_http1() {
            let limit = self.profile.connect_timeout;
            let told = tokio::time::timeout(limit, self.attempted()).await;
            if let Some(way) = told.unwrap_or_else(|_| Err(late()))? {
                return Ok(way);
            }
        }
        // Each has its own: what one waits for is of no use to others.
        if !fresh && let Some(line) = self.take_fit(Instant::now()) {
            return Ok(Way::Idle(line));
        }
        let room = self.room().await?;
        match self.connect(room, Offer::Http2).await? {
            Made::Http1(line) => Ok(Way::New(line)),
            Made::Http2(mut session) => {
                let exchange = session.room();
                self.lanes.add(session);
                exchange.map(Way::Shared).ok_or_else(useless)
            }
        }
    }
}

/// In bytes. The least that is usual: nginx until 1.19.7 ends a connection for more in one field (`http2_max_field_size`), Jetty and
/// nginx since for more than twice that.
const LONGEST_FIELD: usize = 4096;
/// Jetty (`requestHeaderSize`); Tomcat for more than twice that, nginx for four times that.
const LONGEST_HEAD: usize = 8192;
/// What a field counts beside its letters.
const OVERHEAD: usize = 32;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use http_body_util::{BodyExt, Full};
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::egress::connect::Stream;
    use crate::egress::connection::Open;
    use crate::egress::pool::Pool;
    use crate::egress::{Files, Profile};
    use crate::telemetry::Metrics;
    use crate::tls::Trust;

    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

    fn alone(target: &str, field: usize, fields: usize, own: usize) -> bool {
        let value = HeaderValue::try_from("x".repeat(field)).unwrap();
        let mut all = HeaderMap::new();
        for _ in 0..fields {
            all.append("x-a", value.clone());
        }
        let own = HeaderValue::try_from("x".repeat(own)).unwrap();
        let head = Head {
            method: &Method::GET,
            target,
            host: "localhost",
            fields: &all,
            own: &[(HeaderName::from_static("authorization"), own)],
        };
        Asks::of(&head, &Full::<Bytes>::default()).alone
    }

    #[test]
    fn what_some_server_ends_a_connection_for_goes_alone() {
        for (expected, field, fields, own) in [
            (false, 1, 1, 100),
            (false, 4000, 1, 2000),
            (true, 4094, 1, 10),
            (false, 10, 1, 4000),
            (true, 10, 1, 4090),
            (false, 3000, 2, 1900),
            (true, 3000, 2, 2200),
            (true, 10, 200, 10),
        ] {
            assert_eq!(
                alone("/x", field, fields, own),
                expected,
                "{field} {fields} {own}"
            );
        }
        for (expected, target) in [
            (
                false,
                "/services/data/v61.0/query?q=SELECT%20Id%20FROM+Account",
            ),
            (false, "/a.b/.c/%41?x=1.2"),
            (true, "/files/100%"),
            (true, "/50%off"),
            (true, "/%4"),
            (true, "/a/../b"),
            (true, "/%41/.."),
            (true, "/%2e%2E/b"),
            (true, "/%00"),
        ] {
            assert_eq!(alone(target, 1, 1, 1), expected, "{target}");
        }
        let long = format!("/q?{}", "x".repeat(LONGEST_FIELD));
        assert!(alone(&long, 1, 1, 1));
    }

    #[test]
    fn a_body_in_pieces_of_its_senders_goes_alone() {
        let head = Head {
            method: &Method::POST,
            target: "/x",
            host: "localhost",
            fields: &HeaderMap::new(),
            own: &[],
        };
        // Of a body that is changed as it comes, the length is unknown.
        let pieces = Full::new(Bytes::from("x")).map_frame(|frame| frame);
        let rows = [
            (Asks::of(&head, &Full::new(Bytes::from("x"))), true, false),
            (Asks::of(&head, &Full::<Bytes>::default()), false, false),
            (Asks::of(&head, &pieces), true, true),
        ];
        for (asks, body, alone) in rows {
            assert_eq!(asks, Asks { body, alone });
        }
    }

    #[tokio::test]
    async fn who_did_not_say_that_it_speaks_http1_and_does_not_is_asked_no_more() {
        let origin = "https://api.example".parse().unwrap();
        let profile = Profile {
            id: 0,
            tls: Trust::new(&[]),
            proxy: None,
            connect_timeout: PATIENCE,
            connections: 9,
            http2: true,
            metrics: Metrics::new().upstream("api"),
        };
        let to = Destination {
            profile: &profile,
            origin: &origin,
            public_only: false,
            fresh: false,
        };
        let head = Head {
            method: &Method::GET,
            target: "/x",
            host: "localhost",
            fields: &HeaderMap::new(),
            own: &[],
        };
        let ok = &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..];
        // A frame of settings.
        let settings = &[0, 0, 0, 4, 0, 0, 0, 0, 0][..];
        let unknown = || Pool::<Full<Bytes>>::new(&Files::new(9)).place(to);
        let mut place = unknown();
        for (anew, guessed, answer, may_be) in [
            (false, false, settings, true),
            (false, true, settings, false),
            (true, true, ok, true),
            // It restarts, or something in front of it does.
            (false, true, settings, true),
        ] {
            if anew {
                place = unknown();
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let (stream, accepted) = tokio::join!(stream, listener.accept());
            accepted.unwrap().0.write_all(answer).await.unwrap();
            let open = Open::new(&profile.metrics, place.room().await.ok().unwrap());
            let mut line = Line::new(Stream::Left(stream.unwrap()), open);
            line.guessed = guessed;
            let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let mut connection = Connection::new(line, place.clone(), permit);
            let answered = connection.send(&head, Full::default(), PATIENCE).await;
            assert_eq!(answered.is_ok(), answer == ok);
            assert_eq!(place.lanes.may_speak_http1(), may_be, "{guessed}");
        }
    }
}
