//! A listener with bounds: so many connections, each for so long, and for a moment only if nothing is asked.
//!
//! axum's own accept loop has neither limit nor timeout, and `health_listen` may face a network. Whoever watches over the process
//! must get in while others fill it with connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::guests::{Guest, Guests};
use crate::server::{Acceptor, Stream};

pub(super) struct Bounded {
    listener: Acceptor,
    places: Arc<Semaphore>,
    guests: Guests,
}

impl Bounded {
    pub(super) fn new(listener: Acceptor) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            guests: Guests::default(),
        }
    }

    /// A place for who has come: somebody's who asks nothing, if all are taken.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        loop {
            self.guests.make_room();
            // Who is sent away leaves at the next turn; and if all had a request under way, some may be answered by then.
            if let Ok(place) = timeout(PAUSE, self.places.clone().acquire_owned()).await {
                // Never closed.
                return place.ok();
            }
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = Option<SocketAddr>;

    async fn accept(&mut self) -> (Connection, Option<SocketAddr>) {
        let (stream, peer) = loop {
            match self.listener.accept().await {
                Ok(accepted) => break accepted,
                // Out of files, most likely: connections that end will help.
                Err(_) => sleep(PAUSE).await,
            }
        };
        let place = self.place().await;
        let (guest, told_to_go) = self.guests.welcome();
        let connection = Connection {
            stream,
            guest,
            begun: Instant::now(),
            end: Box::pin(sleep(FIRST_HEAD)),
            told_to_go: Some(told_to_go),
            is_sent_away: false,
            _place: place,
        };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Ok(None)
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Guest {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().guest.clone()
    }
}

/// A connection that fails once its life is over, whoever waits for whom.
pub(super) struct Connection {
    stream: Stream,
    guest: Guest,
    begun: Instant,
    /// Of the time for the first head, and then of its life.
    end: Pin<Box<Sleep>>,
    /// `None`: it was, or it never will be.
    told_to_go: Option<oneshot::Receiver<()>>,
    is_sent_away: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(told) = &mut self.told_to_go
            && let Poll::Ready(word) = Pin::new(told).poll(cx)
        {
            self.told_to_go = None;
            // Without a word it is the listener that has ended: answers under way are finished.
            self.is_sent_away = word.is_ok();
        }
        if self.is_sent_away {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        while self.end.as_mut().poll(cx).is_ready() {
            let end = self.begun + LIFE;
            if !self.guest.has_asked() || end <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.end.as_mut().reset(end);
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Connections at once: `upauth` and its watchers need a handful. They are among the files that callers leave.
pub(super) const CONNECTIONS: usize = 64;
/// After an accept that failed, and between two looks for a place.
const PAUSE: Duration = Duration::from_secs(1);
/// From the connection to its first whole head.
const FIRST_HEAD: Duration = Duration::from_secs(5);
/// Longer than any renewal, so that only idle and stuck connections are cut.
const LIFE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn bounded() -> (Bounded, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        (Bounded::new(Acceptor::Tcp(listener)), addr)
    }

    /// Nobody sends anything, so the paused clock leaps to the end of the connection's time.
    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_with_its_time_and_gives_its_place_back() {
        for (asks, time) in [(false, FIRST_HEAD), (true, LIFE)] {
            let (mut bounded, addr) = bounded().await;
            let _caller = TcpStream::connect(addr).await.unwrap();
            let (mut connection, _) = bounded.accept().await;
            assert_eq!(bounded.places.available_permits(), CONNECTIONS - 1);
            if asks {
                drop(connection.guest.ask());
            }
            let begun = Instant::now();
            let read = connection.read(&mut [0; 1]).await.unwrap_err();
            let write = connection.write(&[0; 1]).await.unwrap_err();
            let kinds = (read.kind(), write.kind());
            assert_eq!(kinds, (io::ErrorKind::TimedOut, io::ErrorKind::TimedOut));
            let passed = begun.elapsed();
            assert!(passed >= time && passed < time * 2, "{passed:?}");
            drop(connection);
            assert_eq!(bounded.places.available_permits(), CONNECTIONS);
        }
    }
}
