//! [`Watched`]: the stream of a connection, whose bytes are counted as they pass, and whose frames are seen.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;
use super::pulse::Pulse;

/// A stream whose bytes are counted as they pass, and whose frames are seen.
pub(super) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
    frames: Frames,
    /// What there was no room for.
    no_room: Option<Act>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Write,
    Flush,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, pulse: &Arc<Pulse>) -> Self {
        Self {
            stream,
            pulse: pulse.clone(),
            frames: Frames::default(),
            no_room: None,
        }
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            self.pulse.write(*count);
        }
        self.acted(Act::Write, written.is_pending());
    }

    /// TLS takes some bytes although the socket has no room: it has some again when that is done for which there was none.
    fn acted(&mut self, act: Act, pending: bool) {
        if pending {
            self.no_room = Some(act);
            self.pulse.has_room(false);
        } else if self.no_room == Some(act) {
            self.no_room = None;
            self.pulse.has_room(true);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pulse.is_begun() {
            // The task comes again at once.
            return Poll::Pending;
        }
        if self.pulse.is_full() {
            // The task gathers them before it is polled again.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let (_, bytes) = buf.filled_mut().split_at_mut(before);
        let (count, small) = (bytes.len(), self.frames.pass(bytes));
        self.pulse.hear(count, small);
        if self.frames.blames() {
            self.pulse.blame();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.acted(Act::Flush, flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;

    /// Has room for so much, and a buffer of its own of which more is taken than of room: as TLS.
    struct Narrow {
        room: usize,
        buffered: usize,
    }

    const BUFFER: usize = 10;

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let _ = self.as_mut().poll_flush(cx);
            let taken = buf.len().min(BUFFER - self.buffered);
            self.buffered += taken;
            let _ = self.poll_flush(cx);
            match taken {
                0 => Poll::Pending,
                taken => Poll::Ready(Ok(taken)),
            }
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            let moved = self.room.min(self.buffered);
            self.room -= moved;
            self.buffered -= moved;
            match self.buffered {
                0 => Poll::Ready(Ok(())),
                _ => Poll::Pending,
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_has_room_again_only_when_it_takes_what_it_had_none_for() {
        let pulse = Arc::<Pulse>::default();
        let (room, buffered) = (5, 0);
        let mut stream = Watched::new(Narrow { room, buffered }, &pulse);
        let mut cx = Context::from_waker(Waker::noop());
        // More room, what is written, and how often there was some again; whether something is left.
        for (room, written, freed, blocked) in [
            (0, 5, 0, false),
            // In the buffer: the socket takes none of it.
            (0, 4, 0, true),
            (0, 4, 0, true),
            (0, 4, 0, true),
            (0, 4, 0, true),
            (3, 4, 1, true),
            (3, 0, 1, true),
            (99, 0, 2, false),
            (0, 4, 2, false),
        ] {
            stream.stream.room += room;
            let mut left = vec![b'x'; written];
            while !left.is_empty()
                && let Poll::Ready(taken) = Pin::new(&mut stream).poll_write(&mut cx, &left)
            {
                left.drain(..taken.unwrap());
            }
            if left.is_empty() {
                let _ = Pin::new(&mut stream).poll_flush(&mut cx);
            }
            pulse.end_turn();
            tokio::time::advance(Duration::from_secs(1)).await;
            let told = (pulse.freed(), pulse.is_blocked());
            assert_eq!(told, (freed, blocked), "{room} {written}");
        }
    }
}
