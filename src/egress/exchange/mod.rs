//! One HTTP/1.1 connection to an upstream, driven by whoever waits for its answer: no task, no channel.
//!
//! The head of a request is written into one buffer and leaves with the beginning of its body; what one read brings leaves as one
//! piece. hyper's client does the same work in more steps; it is the reference (`reference`, a test) that every change
//! here is held to.

mod answer;
mod chunked;
mod fault;
#[cfg(any(test, fuzzing))]
pub(crate) mod reference;
mod request;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response};
use http_body::SizeHint;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

pub(super) use self::answer::MOST_FIELDS;
use self::answer::{Framing, Reader};
use self::chunked::Chunked;
pub use self::fault::Fault;
pub use self::request::Head;
use self::request::Sending;
pub(super) use self::request::WRONG_LENGTH;
use super::Outgoing;

/// A connection, between requests or within one.
pub(super) struct Exchange<S, B> {
    stream: S,
    sending: Sending<B>,
    /// What was read and not given out yet.
    input: BytesMut,
    reader: Reader,
    /// How much is read at once where nobody has said how much comes: little while answers are small, also those before.
    room: usize,
    receiving: Receiving,
    /// Something of the request was written.
    began: bool,
    /// It may serve another request.
    keep: bool,
}

enum Receiving {
    /// The head, after so many interim answers.
    Head {
        bodiless: bool,
        interim: usize,
        /// How much of the input was looked at already.
        looked: usize,
    },
    Length(u64),
    Chunked(Chunked),
    Close,
    /// Nothing more: between two requests.
    Over,
}

impl<S, B> Exchange<S, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: Outgoing,
{
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            sending: Sending::nothing(),
            input: BytesMut::new(),
            reader: Reader::default(),
            room: LITTLE,
            receiving: Receiving::Over,
            began: false,
            keep: true,
        }
    }

    /// Whether it can take a request now. Notices that the upstream has closed it, or has said something unasked.
    pub(super) fn is_live(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        // Not into the input: an idle connection that is looked after would get its room back.
        let mut byte = [0];
        let mut unasked = ReadBuf::new(&mut byte);
        let at_rest = self.is_over() && self.keep && self.input.is_empty();
        let stream = Pin::new(&mut self.stream);
        at_rest && stream.poll_read(&mut cx, &mut unasked).is_pending()
    }

    /// Begins a request; it goes out when the answer is waited for.
    pub(super) fn begin(&mut self, head: &Head<'_>, body: B) {
        self.sending.begin(head, body);
        self.began = false;
        self.receiving = Receiving::Head {
            bodiless: *head.method == Method::HEAD,
            interim: 0,
            looked: 0,
        };
    }

    /// Whether not a byte of the request was written.
    pub(super) fn is_unsent(&self) -> bool {
        !self.began
    }

    /// Whether nothing more will come of the answer.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.receiving, Receiving::Over)
    }

    /// Rests until the next request, with little memory. `false`: none may follow, since something of this one is still to
    /// come or to go.
    pub(super) fn rest(&mut self) -> bool {
        if self.input.capacity() > 2 * LITTLE {
            self.input = BytesMut::new();
        }
        self.keep && self.is_over() && self.sending.is_over() && self.input.is_empty()
    }

    /// Takes the map of a request that was answered, as room for the fields of the next answer.
    pub(super) fn reuse(&mut self, fields: HeaderMap) {
        self.reader.reuse(fields);
    }

    /// How much of the answer's body is still to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.receiving {
            Receiving::Length(left) => SizeHint::with_exact(left),
            Receiving::Over => SizeHint::with_exact(0),
            Receiving::Head { .. } | Receiving::Chunked(_) | Receiving::Close => {
                SizeHint::default()
            }
        }
    }

    /// Sends, and waits for the head of the answer. `moved` counts the bytes that go out.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<Response<()>, Fault>> {
        self.send(cx, moved)?;
        loop {
            if let Some(head) = self.take_head()? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(Fault::Ended));
            }
        }
    }

    /// The next piece of the answer's body, and the rest of the request's.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            if self.is_over() {
                return Poll::Ready(None);
            }
            let bytes = self.take_body()?;
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.is_over() {
                return Poll::Ready(None);
            }
            self.send(cx, moved)?;
            if ready!(self.poll_fill(cx))? == 0 {
                if !matches!(self.receiving, Receiving::Close) {
                    return Poll::Ready(Some(Err(Fault::Ended)));
                }
                self.receiving = Receiving::Over;
            }
        }
    }

    /// Writes what can be written.
    fn send(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Result<(), Fault> {
        if self.sending.is_over() {
            return Ok(());
        }
        let before = *moved;
        let sent = self.sending.poll(&mut self.stream, cx, moved);
        self.began |= *moved > before;
        match sent {
            // An upstream that answers before it has read an upload (401, 413), and closes, resets the connection: its
            // answer has arrived by then. What can be read decides.
            Poll::Ready(Err(Fault::Io(error))) if self.began && is_gone(&error) => {
                self.sending.give_up();
                self.keep = false;
                Ok(())
            }
            Poll::Ready(Err(fault)) => Err(fault),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn take_head(&mut self) -> Result<Option<Response<()>>, Fault> {
        let Receiving::Head {
            bodiless,
            interim,
            looked,
        } = &mut self.receiving
        else {
            return Ok(None);
        };
        while !self.input.is_empty() {
            // Read from its beginning again only when it may be whole, or has grown by a good part: who sends one byte at
            // a time costs no more than others.
            let fresh = self
                .input
                .get(looked.saturating_sub(3)..)
                .unwrap_or_default();
            if *looked > 0 && !has_end(fresh) && self.input.len() < *looked + *looked / 4 {
                return Ok(None);
            }
            *looked = self.input.len();
            let Some(head) = self.reader.take(&mut self.input, *bodiless)? else {
                return Ok(None);
            };
            if head.status.is_informational() {
                // Read over (RFC 9110 section 15.2), but not without end.
                *interim += 1;
                *looked = 0;
                if *interim > MOST_INTERIM {
                    return Err(Fault::Framing("interim answers without end"));
                }
                continue;
            }
            self.keep &= head.keep;
            self.receiving = match head.framing {
                Framing::Length(0) => Receiving::Over,
                Framing::Length(length) => Receiving::Length(length),
                Framing::Chunked => Receiving::Chunked(Chunked::new()),
                Framing::Close => Receiving::Close,
            };
            let mut response = Response::new(());
            *response.status_mut() = head.status;
            *response.headers_mut() = head.fields;
            return Ok(Some(response));
        }
        Ok(None)
    }

    /// What is at hand of the body.
    fn take_body(&mut self) -> Result<Bytes, Fault> {
        match &mut self.receiving {
            Receiving::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let bytes = self.input.split_to(self.input.len().min(most)).freeze();
                *left -= bytes.len() as u64;
                if *left == 0 {
                    self.receiving = Receiving::Over;
                }
                Ok(bytes)
            }
            Receiving::Chunked(chunked) => {
                let bytes = chunked.decode(&mut self.input)?;
                if chunked.is_over() {
                    self.receiving = Receiving::Over;
                }
                Ok(bytes)
            }
            Receiving::Close => Ok(self.input.split().freeze()),
            Receiving::Head { .. } | Receiving::Over => Ok(Bytes::new()),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let known = match self.receiving {
            // With a byte more: only who reads less than there was room for knows that nothing is left to be read.
            Receiving::Length(left) => {
                Some(usize::try_from(left).map_or(MUCH, |left| left.saturating_add(1)))
            }
            _ => None,
        };
        self.input
            .reserve(known.unwrap_or(self.room).clamp(LITTLE, MUCH));
        let space = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        if known.is_none() {
            if count == space {
                self.room = (self.room * 2).min(MUCH);
            } else if count < self.room / 4 {
                self.room = (self.room / 2).max(LITTLE);
            }
        }
        Poll::Ready(Ok(count))
    }
}

/// Whether the other side has closed or reset the connection.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionReset | ConnectionAborted
    )
}

/// Whether an empty line stands somewhere in `bytes`.
fn has_end(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..])
    })
}

/// Interim answers to one request: many more than any upstream has reason for.
pub(super) const MOST_INTERIM: usize = 100;
/// What is read in one go, at first and at most. The most is a little less than a segment holds that the system sends in one go
/// (64 KiB with its headers): a piece of 64 KiB would be sent as one segment and one of some bytes, which costs as much.
const LITTLE: usize = 8 * 1024;
const MUCH: usize = 60 * 1024;
