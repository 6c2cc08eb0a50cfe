//! The bytes of a connection: the first ones looked at, the rest watched.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Stream;
use super::ending::Ending;
use super::watch::Entry;

/// What a connection speaks, as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// What a connection's bytes go over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Has the connection end, when it is dropped, in a way that nobody takes for a good one.
    fn end_badly(&self);

    /// Whether its end has to be said, since the end of the socket alone could be anybody's (RFC 8446 section 6.1).
    fn says_its_end(&self) -> bool {
        false
    }

    /// Whether there is something to read, or the end.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Wire for TcpStream {
    fn end_badly(&self) {
        // Without it, it ends well.
        let _ = self.set_zero_linger();
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is read as well.
        self.poll_read_ready(cx).map(|_| ())
    }
}

#[cfg(unix)]
impl Wire for Stream {
    fn end_badly(&self) {
        match self {
            Self::Left(tcp) => tcp.end_badly(),
            // Has no other end than a good one.
            Self::Right(_) => {}
        }
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Left(tcp) => tcp.poll_readable(cx),
            Self::Right(unix) => unix.poll_read_ready(cx).map(|_| ()),
        }
    }
}

impl Wire for TlsStream<Stream> {
    fn end_badly(&self) {
        self.get_ref().0.end_badly();
    }

    fn says_its_end(&self) -> bool {
        true
    }

    /// Right only where all that has come was read: TLS may have more to give than the socket.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.get_ref().0.poll_readable(cx)
    }
}

/// A stream whose first bytes were read already, and whose reads are seen by the watch. Dropped within an answer that
/// its end would end, it ends badly.
pub(super) struct Watched<S: Wire> {
    stream: S,
    first: BytesMut,
    entry: Entry,
    ending: Ending,
}

impl<S: Wire> Watched<S> {
    pub(super) fn new(stream: S, entry: Entry) -> Self {
        Self {
            stream,
            first: BytesMut::new(),
            entry,
            ending: Ending::default(),
        }
    }

    /// To be told what the end has to heed.
    pub(super) fn ending(&self) -> Ending {
        self.ending.clone()
    }

    /// Whether it can end here and now: the caller sends nothing more that would meet a closed socket, and nothing has to be
    /// said to it.
    pub(super) async fn may_end(&self) -> bool {
        if self.stream.says_its_end() {
            return false;
        }
        self.ending.has_left()
            || self.ending.is_last()
                && poll_fn(|cx| Poll::Ready(self.poll_readable(cx).is_pending())).await
    }

    /// Ends, with everything written.
    pub(super) fn end(self) {
        self.ending.end_unended();
    }

    /// Whether something can be read.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.first.is_empty() {
            true => self.stream.poll_readable(cx),
            false => Poll::Ready(()),
        }
    }

    /// Has `bytes`, which were read, be read again.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.first = BytesMut::from(bytes);
        }
    }

    /// Reads until it is clear whether the caller speaks HTTP/2 by prior knowledge (RFC 9113 section 3.3). The bytes
    /// are not lost. `None`: the caller said nothing and left.
    pub(super) async fn protocol(&mut self) -> io::Result<Option<Protocol>> {
        loop {
            let known = self.first.len().min(PREFACE.len());
            if self.first.get(..known) != PREFACE.get(..known) {
                return Ok(Some(Protocol::Http1));
            }
            if known == PREFACE.len() {
                return Ok(Some(Protocol::Http2));
            }
            // Most heads fit in: hyper reads one that it has a part of with twice the memory.
            self.first.reserve(FIRST);
            if self.stream.read_buf(&mut self.first).await? == 0 {
                return Ok((known > 0).then_some(Protocol::Http1));
            }
        }
    }
}

impl<S: Wire> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            if buf.filled().len() > before {
                self.entry.bytes_came();
            } else if matches!(read, Poll::Ready(Ok(()))) && buf.remaining() > 0 {
                self.ending.leaves();
            }
            return read;
        }
        self.entry.bytes_came();
        let count = self.first.len().min(buf.remaining());
        if let Some(bytes) = self.first.get(..count) {
            buf.put_slice(bytes);
        }
        self.first.advance(count);
        if self.first.is_empty() {
            self.first = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Wire> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.entry.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let length: usize = bufs.iter().map(|piece| piece.len()).sum();
        let written = if length <= SMALL {
            // The kernel gathers pieces for more than it costs to copy small ones here.
            let mut together = SmallVec::<[u8; SMALL]>::new();
            for piece in bufs {
                together.extend_from_slice(piece);
            }
            stream.poll_write(cx, &together)
        } else {
            stream.poll_write_vectored(cx, bufs)
        };
        self.entry.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.entry.wrote(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper shuts down what it has written to the end, and drops what broke off.
        self.ending.end_unended();
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Wire> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.ending.is_unended() {
            self.stream.end_badly();
        }
    }
}

/// Room for what a caller says first.
const FIRST: usize = 2048;
/// An answer with its head that is written in one piece.
const SMALL: usize = 2048;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::server::watch::Watch;

    impl Wire for tokio::io::DuplexStream {
        fn end_badly(&self) {}

        fn poll_readable(&self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    async fn told(parts: &[&[u8]]) -> (Option<Protocol>, Vec<u8>) {
        let (mut caller, ours) = tokio::io::duplex(64);
        let watch = Watch::with(Duration::from_secs(9), Duration::from_secs(9));
        let mut stream = Watched::new(ours, watch.enter(Arc::default()));
        let write = async {
            for part in parts {
                caller.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(caller);
        };
        let (protocol, ()) = tokio::join!(async { stream.protocol().await.unwrap() }, write);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        (protocol, all)
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_protocol_and_are_kept() {
        let rows: &[(&[&[u8]], Option<Protocol>)] = &[
            (&[b"GET / HTTP/1.1\r\n"], Some(Protocol::Http1)),
            (&[b"P", b"OST / HTTP/1.1\r\n"], Some(Protocol::Http1)),
            (
                &[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\nxyz"],
                Some(Protocol::Http2),
            ),
            (&[b"PRI * HTTP/1.1\r\n\r\n"], Some(Protocol::Http1)),
            (&[b"PRI"], Some(Protocol::Http1)),
            (&[], None),
        ];
        for (parts, expected) in rows {
            let (protocol, bytes) = told(parts).await;
            assert_eq!(protocol, *expected, "{parts:?}");
            assert_eq!(bytes, parts.concat());
        }
    }
}
