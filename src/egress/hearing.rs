//! [`Hearing`]: a stream that is read to its end although the other side takes nothing any more.
//!
//! An upstream that answers before it has read an upload (401, 413), and closes, resets the connection. Its answer has
//! arrived by then, but hyper ends an exchange at the first failed write and never reads it. So a write that fails
//! after others of the same request have gone through succeeds here, into the void: what can be read decides.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream.
pub(super) struct Hearing<S> {
    stream: S,
    /// Something was written since something was read: a failed write is not the first of a request. (That one must
    /// fail, because nothing of the request has gone out.)
    wrote: bool,
    /// The other side takes nothing any more.
    deaf: bool,
}

impl<S> Hearing<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            wrote: false,
            deaf: false,
        }
    }

    /// What a write to the stream means; `length` is what goes into the void.
    fn heard(&mut self, written: io::Result<usize>, length: usize) -> io::Result<usize> {
        match written {
            Ok(count) => {
                self.wrote |= count > 0;
                Ok(count)
            }
            Err(error) => self.forgive(error).map(|()| length),
        }
    }

    fn forgive(&mut self, error: io::Error) -> io::Result<()> {
        self.deaf |= self.wrote && is_gone(&error);
        match self.deaf {
            true => Ok(()),
            false => Err(error),
        }
    }
}

/// Whether the other side has closed or reset the connection.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for Hearing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        // Of an answer; the next request begins after it.
        self.wrote &= buf.filled().len() == before;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hearing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        Poll::Ready(self.heard(written, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(length));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        Poll::Ready(self.heard(written, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(flushed.or_else(|error| self.forgive(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_test::io::Builder;

    use super::*;

    const GONE: [ErrorKind; 3] = [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
    ];

    #[tokio::test]
    async fn an_answer_is_read_although_the_rest_of_the_request_is_taken_no_more() {
        for kind in GONE {
            let stream = Builder::new()
                .write(b"head")
                .write_error(kind.into())
                .read(b"answer")
                .read_error(ErrorKind::ConnectionReset.into())
                .build();
            let mut stream = Hearing::new(stream);
            stream.write_all(b"head").await.unwrap();
            stream.write_all(b"body").await.unwrap();
            stream.write_all(b"more").await.unwrap();
            stream.flush().await.unwrap();
            let mut answer = [0; 6];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"answer");
            assert!(stream.read(&mut answer).await.is_err(), "then it has ended");
        }
    }

    #[tokio::test]
    async fn a_request_of_which_nothing_went_out_fails() {
        for kind in GONE {
            let stream = Builder::new()
                .write(b"first")
                .read(b"answer")
                .write_error(kind.into())
                .build();
            let mut stream = Hearing::new(stream);
            stream.write_all(b"first").await.unwrap();
            stream.read_exact(&mut [0; 6]).await.unwrap();
            let failed = stream.write_all(b"second").await.unwrap_err();
            assert_eq!(failed.kind(), kind);
        }
    }
}
