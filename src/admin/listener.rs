//! A listener with bounds: so many connections, each for so long.
//!
//! axum's own accept loop has neither limit nor timeout, and `health_listen` may face a network.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::server::{Acceptor, Stream};

pub(super) struct Bounded {
    listener: Acceptor,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub(super) fn new(listener: Acceptor) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = Option<SocketAddr>;

    async fn accept(&mut self) -> (Connection, Option<SocketAddr>) {
        // Never closed, so there is always a permit to wait for.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = loop {
            match self.listener.accept().await {
                Ok(accepted) => break accepted,
                // Out of files, most likely: connections that end will help.
                Err(_) => sleep(PAUSE).await,
            }
        };
        let connection = Connection {
            stream,
            end: Box::pin(sleep(LIFE)),
            _place: place,
        };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Ok(None)
    }
}

/// A connection that fails once its life is over, whoever waits for whom.
pub(super) struct Connection {
    stream: Stream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
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

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
/// After an accept that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Longer than any renewal, so that only idle and stuck connections are cut.
const LIFE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Nobody sends anything, so the paused clock leaps to the end of the connection's life.
    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_with_its_life_and_gives_its_place_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut bounded = Bounded::new(Acceptor::Tcp(listener));
        let _caller = TcpStream::connect(addr).await.unwrap();
        let (mut connection, _) = bounded.accept().await;
        assert_eq!(bounded.places.available_permits(), CONNECTIONS - 1);
        let read = connection.read(&mut [0; 1]).await.unwrap_err();
        let write = connection.write(&[0; 1]).await.unwrap_err();
        let kinds = (read.kind(), write.kind());
        assert_eq!(kinds, (io::ErrorKind::TimedOut, io::ErrorKind::TimedOut));
        drop(connection);
        assert_eq!(bounded.places.available_permits(), CONNECTIONS);
    }
}
