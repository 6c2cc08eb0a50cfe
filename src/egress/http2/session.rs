//! [`Session`]: one connection as the pool sees it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::task::AbortHandle;

use super::drive::Driver;
use super::pulse::{Pulse, Seat};
use super::stream::Exchange;
use super::watched::Watched;
use crate::egress::connect::{Stream, keep_unsent_short};
use crate::egress::connection::Open;
use crate::egress::exchange::Fault;

/// A connection.
pub(in crate::egress) struct Session {
    /// `None`: it gets no more requests, and ends by itself after those that are on it.
    sender: Option<SendRequest<Bytes>>,
    pulse: Arc<Pulse>,
    task: AbortHandle,
}

impl Session {
    /// Makes a connection ready, and has it driven. It is ready when the upstream has said how many requests it takes at
    /// once: who began with more would be refused.
    pub(in crate::egress) async fn open(stream: Stream, open: Open) -> Result<Self, Fault> {
        keep_unsent_short(&stream);
        let pulse = Arc::new(Pulse::default());
        let stream = Watched::new(stream, &pulse);
        let shaken = builder().handshake(stream).await;
        let (sender, mut connection) = shaken.map_err(Fault::of_frames)?;
        std::future::poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(Fault::Ended)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Fault::of_frames(error))),
            Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "belongs to the worker whose requests are on the connection, and ends with it: a while after the last \
                      request, or when nothing comes any more"
        )]
        let task = tokio::task::spawn(Driver::new(connection, pulse.clone(), open));
        Ok(Self {
            sender: Some(sender),
            pulse,
            task: task.abort_handle(),
        })
    }

    /// Whether there still is a connection. One that gets no more requests is told so.
    pub(in crate::egress) fn is_open(&mut self) -> bool {
        if self.pulse.is_retired() || self.pulse.is_doubted() && self.is_idle() {
            self.sender = None;
        }
        !self.task.is_finished()
    }

    /// Whether the upstream ends it for what was sent on it.
    pub(in crate::egress) fn is_blamed(&self) -> bool {
        self.pulse.is_blamed()
    }

    /// Whether no request is on it.
    pub(in crate::egress) fn is_idle(&self) -> bool {
        !self.pulse.is_busy()
    }

    /// Whether it gets no more requests.
    pub(in crate::egress) fn is_ending(&self) -> bool {
        self.sender.is_none()
    }

    /// It is used on, whatever was thought of it.
    pub(in crate::egress) fn trust(&self) {
        self.pulse.trust();
    }

    /// Ends it at once, although the upstream may not take its good-bye.
    pub(in crate::egress) fn close(self) {
        self.task.abort();
    }

    /// How many requests it takes at once.
    pub(in crate::egress) fn size(&self) -> usize {
        let sender = self.sender.as_ref();
        sender.map_or(0, |sender| {
            sender.current_max_send_streams().min(MOST_STREAMS)
        })
    }

    /// Whether a request, with a `body` or without, had better not go elsewhere.
    pub(in crate::egress) fn is_well(&self, body: bool) -> bool {
        !self.pulse.is_doubted() && !self.pulse.is_stalled(body)
    }

    /// A place for one more request, if there is one now.
    pub(in crate::egress) fn room<B>(&mut self) -> Option<Box<Exchange<B>>> {
        let mut sender = self.sender.clone()?;
        let mut cx = Context::from_waker(Waker::noop());
        // The upstream may have said good-bye, or that it takes nothing any more.
        let is_gone = matches!(sender.poll_ready(&mut cx), Poll::Ready(Err(_)));
        let is_useless = self.size() == 0 && self.is_idle();
        if self.pulse.is_retired() || is_gone || is_useless {
            self.sender = None;
            return None;
        }
        let seat = Seat::take(&self.pulse, self.size())?;
        Some(Box::new(Exchange::new(sender, seat)))
    }
}

/// What a connection may cost: see each constant.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        // Until the upstream has said how many.
        .initial_max_send_streams(0)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(MOST_STREAMS as u32 * WINDOW)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(WINDOW as usize)
        .max_concurrent_reset_streams(2 * MOST_STREAMS)
        // Small pieces that come for a caller who has left use it up for good, and with it the connection. They are kept nowhere,
        // and those that are kept are counted by the pulse.
        .data_frame_budget(usize::MAX);
    builder
}

/// Requests on one connection at once, although the upstream may take more: what most servers take.
pub(super) const MOST_STREAMS: usize = 100;
/// How much of an answer may come before its caller has taken it. The connection has room for as many answers as there
/// can be: a caller that takes nothing is in nobody's way. Nor is it with an answer in small pieces, which would cost far more
/// than what is in them: they are [gathered](Pulse::gather), so that an answer holds a window and one [piece](super::incoming)
/// at most, and a connection [so many](super::pulse) small ones besides.
const WINDOW: u32 = 256 * 1024;
/// The head of an answer, as in HTTP/1.1.
const HEAD: u32 = 256 * 1024;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use http_body_util::Full;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;
    use crate::egress::exchange::Head;
    use crate::telemetry::Metrics;

    /// A frame of settings, empty.
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    #[tokio::test(start_paused = true)]
    async fn a_request_on_a_connection_that_died_silently_ends_within_half_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, accepted) = tokio::join!(stream, listener.accept());
        let (mut silent, _) = accepted.unwrap();
        silent.write_all(&SETTINGS).await.unwrap();
        let metrics = Metrics::new();
        let room = || Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let open = Open::new(&metrics.upstream("api"), (room(), room()));
        let session = Session::open(Stream::Left(stream.unwrap()), open).await;
        let mut session = session.unwrap();
        let exchange = session.room::<Full<Bytes>>();
        let mut exchange = exchange.expect("no room on a new connection");
        let head = Head {
            method: &Method::GET,
            target: "/x",
            host: "localhost",
            fields: &HeaderMap::new(),
            own: &[],
        };
        assert!(exchange.begin(&head, Full::default()).is_ok());
        assert!(exchange.is_unsent(), "nothing could be written yet");
        let began = Instant::now();
        let answer = std::future::poll_fn(|cx| exchange.poll_head(cx, &mut 0)).await;
        assert!(matches!(answer, Err(Fault::Io(_))), "{answer:?}");
        assert!(began.elapsed().as_secs() <= 30, "{:?}", began.elapsed());
        assert!(!exchange.is_unsent() && !exchange.is_refused());
        assert!(session.room::<Full<Bytes>>().is_none() && !session.is_open());
        let closed = "upauth_upstream_connections{upstream=\"api\"} 0";
        assert!(metrics.encode().contains(closed));
    }
}
