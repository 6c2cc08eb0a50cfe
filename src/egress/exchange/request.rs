//! Writes a request: its head into one buffer, its body as it comes (RFC 9112 sections 3, 6 and 7).

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method};
use tokio::io::AsyncWrite;

use super::fault::Fault;
use crate::egress::Outgoing;

/// The head of a request.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target in origin-form.
    pub target: &'a str,
    /// `Host`.
    pub host: &'a str,
    /// The fields that do not depend on where it goes. `Host` and what frames a message are not taken from here.
    pub fields: &'a HeaderMap,
    /// The fields that do: each replaces all of its name.
    pub own: &'a [(HeaderName, HeaderValue)],
}

/// A request on its way.
pub(super) struct Sending<B> {
    /// `None`: all of it was taken.
    body: Option<B>,
    coding: Coding,
    /// The head, the size of a chunk: what goes before the piece.
    lines: BytesMut,
    piece: Bytes,
    /// What goes behind it.
    tail: &'static [u8],
}

#[derive(Clone, Copy, Debug)]
enum Coding {
    /// So many bytes are to come.
    Length(u64),
    Chunked,
}

impl<B> Sending<B> {
    pub(super) fn nothing() -> Self {
        Self {
            body: None,
            coding: Coding::Length(0),
            lines: BytesMut::new(),
            piece: Bytes::new(),
            tail: b"",
        }
    }

    /// Whether every byte was written.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_none() && !self.has_bytes()
    }

    /// Forgets what was not written.
    pub(super) fn give_up(&mut self) {
        self.body = None;
        self.lines.clear();
        self.piece = Bytes::new();
        self.tail = b"";
    }

    fn has_bytes(&self) -> bool {
        !(self.lines.is_empty() && self.piece.is_empty() && self.tail.is_empty())
    }
}

impl<B: Outgoing> Sending<B> {
    /// Begins with `head`; nothing is written yet.
    pub(super) fn begin(&mut self, head: &Head<'_>, body: B) {
        write_head(&mut self.lines, head);
        let length = match body.is_end_stream() {
            true => Some(0),
            false => body.size_hint().exact(),
        };
        match length {
            Some(0) => {
                // Some servers answer 411 to a POST that says nothing of its length.
                if matches!(*head.method, Method::POST | Method::PUT | Method::PATCH) {
                    self.lines.put_slice(b"content-length: 0\r\n");
                }
            }
            Some(length) => {
                // Into memory: cannot fail.
                let _ = write!((&mut self.lines).writer(), "content-length: {length}\r\n");
            }
            None => self.lines.put_slice(b"transfer-encoding: chunked\r\n"),
        }
        self.lines.put_slice(b"\r\n");
        self.coding = length.map_or(Coding::Chunked, Coding::Length);
        self.body = (length != Some(0)).then_some(body);
    }

    /// Writes what can be written. `Ready`: that was all. Says by `moved` how many bytes went out.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<Result<(), Fault>> {
        loop {
            // Before the head is written, so that both leave in one write.
            let waits = self.tail.is_empty() && self.piece.is_empty() && !self.take(cx)?;
            while self.has_bytes() {
                let count = ready!(self.poll_write(stream, cx))?;
                if count == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                }
                *moved += count;
                self.written(count);
            }
            if self.body.is_none() || waits {
                // What TLS still holds back.
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                return match self.body {
                    None => Poll::Ready(Ok(())),
                    Some(_) => Poll::Pending,
                };
            }
        }
    }

    /// Takes the next piece of the body. `false`: it is not there yet.
    fn take(&mut self, cx: &mut Context<'_>) -> Result<bool, Fault> {
        while let Some(body) = &mut self.body {
            let frame = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(frame) => frame,
            };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers are not forwarded.
                    let bytes = frame.into_data().unwrap_or_default();
                    let last = body.is_end_stream();
                    if !bytes.is_empty() {
                        self.encode(bytes, last)?;
                        return Ok(true);
                    }
                }
                Some(Err(error)) => return Err(Fault::Body(error.into())),
                None => {
                    self.body = None;
                    match self.coding {
                        Coding::Chunked => self.tail = b"0\r\n\r\n",
                        Coding::Length(0) => {}
                        Coding::Length(_) => return Err(Fault::Body(WRONG_LENGTH.into())),
                    }
                }
            }
        }
        Ok(true)
    }

    fn encode(&mut self, bytes: Bytes, last: bool) -> Result<(), Fault> {
        match &mut self.coding {
            Coding::Length(left) => {
                let length = bytes.len() as u64;
                *left = left
                    .checked_sub(length)
                    .ok_or_else(|| Fault::Body(WRONG_LENGTH.into()))?;
                if *left == 0 {
                    self.body = None;
                } else if last {
                    return Err(Fault::Body(WRONG_LENGTH.into()));
                }
            }
            Coding::Chunked => {
                // Into memory: cannot fail.
                let _ = write!((&mut self.lines).writer(), "{:x}\r\n", bytes.len());
                self.tail = b"\r\n";
                if last {
                    self.body = None;
                    self.tail = b"\r\n0\r\n\r\n";
                }
            }
        }
        self.piece = bytes;
        Ok(())
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let parts: [&[u8]; 3] = [&self.lines, &self.piece, self.tail];
        let mut filled = parts.iter().filter(|part| !part.is_empty());
        let stream = Pin::new(stream);
        match (filled.next(), filled.next()) {
            (Some(one), None) => stream.poll_write(cx, one),
            _ => stream.poll_write_vectored(cx, &parts.map(IoSlice::new)),
        }
    }

    fn written(&mut self, mut count: usize) {
        let lines = count.min(self.lines.len());
        self.lines.advance(lines);
        count -= lines;
        let piece = count.min(self.piece.len());
        self.piece.advance(piece);
        count -= piece;
        self.tail = self.tail.get(count..).unwrap_or_default();
    }
}

fn write_head(lines: &mut BytesMut, head: &Head<'_>) {
    let target = if head.target.is_empty() {
        "/"
    } else {
        head.target
    };
    lines.reserve(HEAD);
    for part in [head.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        lines.put_slice(part.as_bytes());
    }
    write_field(lines, HOST.as_str(), head.host.as_bytes());
    for (name, value) in head.own {
        write_field(lines, name.as_str(), value.as_bytes());
    }
    for (name, value) in head.fields {
        let is_framing = matches!(*name, HOST | CONTENT_LENGTH | TRANSFER_ENCODING);
        if !is_framing && !head.own.iter().any(|(own, _)| own == name) {
            write_field(lines, name.as_str(), value.as_bytes());
        }
    }
}

fn write_field(lines: &mut BytesMut, name: &str, value: &[u8]) {
    lines.reserve(name.len() + value.len() + 4);
    lines.put_slice(name.as_bytes());
    lines.put_slice(b": ");
    lines.put_slice(value);
    lines.put_slice(b"\r\n");
}

/// Room for a usual head.
const HEAD: usize = 1024;
pub(in crate::egress) const WRONG_LENGTH: &str = "the body is not as long as it said";
