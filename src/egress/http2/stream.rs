//! [`Exchange`]: one request on a connection that others share, driven by whoever waits for its answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use http::Response;
use http_body::SizeHint;

use super::answer;
use super::incoming::Incoming;
use super::pulse::Seat;
use super::request::{self, Sending};
use crate::egress::Outgoing;
use crate::egress::exchange::{Fault, Head, MOST_INTERIM};

/// A request and its answer. Dropped before its end, it resets its stream.
pub(in crate::egress) struct Exchange<B> {
    sender: SendRequest<Bytes>,
    sending: Option<Sending<B>>,
    receiving: Receiving,
    /// What had gone out on the connection when the request began.
    written: u64,
    refused: bool,
    /// The upstream has reset its stream.
    reset: bool,
    // Last: there is room for another when the stream is closed.
    seat: Seat,
}

enum Receiving {
    /// The head, after so many interim answers.
    Head {
        answer: ResponseFuture,
        bodiless: bool,
        interim: usize,
    },
    Body(Arc<Mutex<Incoming>>),
    /// Nothing more.
    Over,
}

impl<B: Outgoing> Exchange<B> {
    /// Begins a request. It goes out with the next turn of the connection's task, its body when the answer is waited for.
    /// `Err` has the untouched body.
    pub(in crate::egress) fn begin(&mut self, head: &Head<'_>, body: B) -> Result<(), (Fault, B)> {
        if self.seat.is_beyond(self.sender.current_max_send_streams()) {
            self.refused = true;
            return Err((Fault::Framing("the upstream takes fewer requests"), body));
        }
        let length = request::length_of(&body);
        self.seat.pulse.begin();
        self.written = self.seat.pulse.written();
        let sent = request::head(head, length).and_then(|request| {
            let sent = self.sender.send_request(request, length == Some(0));
            sent.map_err(|error| self.fault(error))
        });
        let (answer, stream) = match sent {
            Ok(sent) => sent,
            Err(fault) => return Err((fault, body)),
        };
        self.sending =
            (length != Some(0)).then(|| Sending::new(stream, body, length, &self.seat.pulse));
        self.receiving = Receiving::Head {
            answer,
            bodiless: *head.method == http::Method::HEAD,
            interim: 0,
        };
        Ok(())
    }

    /// Sends, and waits for the head of the answer. `moved` counts the bytes that go out.
    pub(in crate::egress) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<Response<()>, Fault>> {
        self.send(cx, moved)?;
        let Receiving::Head {
            answer,
            bodiless,
            interim,
        } = &mut self.receiving
        else {
            return Poll::Ready(Err(Fault::Ended));
        };
        let bodiless = *bodiless;
        while let Poll::Ready(Some(Ok(_))) = answer.poll_informational(cx) {
            // Read over (RFC 9110 section 15.2), but not without end.
            *interim += 1;
            if *interim > MOST_INTERIM {
                return Poll::Ready(Err(Fault::Framing("interim answers without end")));
            }
        }
        let answer = ready!(Pin::new(answer).poll(cx)).map_err(|error| self.fault(error))?;
        let (head, stream) = answer.into_parts();
        self.seat.answer();
        let (head, left) = answer::take(head)?;
        self.receiving = if stream.is_end_stream() {
            Receiving::Over
        } else if answer::is_bodiless(&head, bodiless) {
            // Whatever comes is not waited for.
            self.seat.pulse.reset();
            Receiving::Over
        } else {
            let body = Incoming::shared(stream, left);
            self.seat.pulse.receive(&body);
            Receiving::Body(body)
        };
        Poll::Ready(Ok(head))
    }

    /// The next piece of the answer's body, and the rest of the request's.
    pub(in crate::egress) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        self.send(cx, moved)?;
        let Receiving::Body(body) = &self.receiving else {
            return Poll::Ready(None);
        };
        let mut body = Incoming::lock(body);
        let piece = ready!(body.poll(cx));
        let over = body.is_over();
        drop(body);
        match piece {
            Ok(piece) => {
                if over || piece.is_none() {
                    self.receiving = Receiving::Over;
                }
                Poll::Ready(piece.map(Ok))
            }
            Err(error) => Poll::Ready(Some(Err(self.fault(error)))),
        }
    }

    /// Sends what there is room for.
    fn send(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Result<(), Fault> {
        let Some(sending) = &mut self.sending else {
            return Ok(());
        };
        let before = *moved;
        let sent = sending.poll(cx, moved);
        self.seat.send(*moved - before);
        if let Poll::Ready(sent) = sent {
            self.sending = None;
            sent?;
        }
        Ok(())
    }
}

impl<B> Exchange<B> {
    pub(super) fn new(sender: SendRequest<Bytes>, seat: Seat) -> Self {
        Self {
            sender,
            sending: None,
            receiving: Receiving::Over,
            written: 0,
            refused: false,
            reset: false,
            seat,
        }
    }

    /// It took too long. If the upstream took no more of the body, or has all of it, the connection may be to blame: its window
    /// may be used up for good, or whoever serves it be stuck, however well it answers pings.
    pub(in crate::egress) fn doubt(&self) {
        if self.sending.as_ref().is_none_or(Sending::is_starved) {
            self.seat.pulse.doubt();
        }
    }

    /// Whether the connection had a request before this.
    pub(in crate::egress) fn is_reused(&self) -> bool {
        self.seat.reused
    }

    /// Whether the upstream cannot have acted on the request.
    pub(in crate::egress) fn is_unsent(&self) -> bool {
        // Whatever went out may have been its head.
        self.refused || self.seat.pulse.written() == self.written
    }

    /// Whether the upstream said that it took no notice of the request.
    pub(in crate::egress) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether nothing more will come of the answer.
    pub(in crate::egress) fn is_over(&self) -> bool {
        matches!(self.receiving, Receiving::Over)
    }

    /// How much of the answer's body is still to come.
    pub(in crate::egress) fn size_hint(&self) -> SizeHint {
        let left = match &self.receiving {
            Receiving::Body(body) => Incoming::lock(body).left(),
            Receiving::Over => Some(0),
            Receiving::Head { .. } => None,
        };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    fn fault(&mut self, error: h2::Error) -> Fault {
        // Of the streams that a good-bye ends, h2 tells so only those that the upstream did not look at: others end as
        // they would without it (RFC 9113 section 6.8).
        self.reset |= error.is_reset() && error.is_remote();
        let refused = error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away();
        if refused && error.is_remote() {
            self.refused = true;
            self.seat.pulse.retire();
        }
        Fault::of_frames(error)
    }
}

impl<B> Drop for Exchange<B> {
    fn drop(&mut self) {
        // Its caller has left, who may have had less patience than `response_timeout`.
        let sending = self.sending.as_ref();
        if sending.is_some_and(|sending| sending.is_starved_for(LONG)) {
            self.seat.pulse.doubt();
        }
        if !self.reset && (sending.is_some() || !self.is_over()) {
            self.seat.pulse.reset();
        }
    }
}

/// An upstream that takes nothing of a body for so long may not do so on this connection any more.
const LONG: Duration = Duration::from_secs(5);
