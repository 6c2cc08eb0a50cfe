//! One connection: TLS, which HTTP it speaks, and hyper until it ends, drains or is cut.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::seldom::Seldom;
use super::stream::{Protocol, Watched, Wire};
use super::tracked::tracked;
use super::watch::{self, Entry};
use super::{AnswerBody, Arrival, Floor, Serve, Stream, http1};
use crate::tls::{self, ServerConfig};

/// Runs one connection to its end. Never fails: what a caller does wrong ends its own connection.
pub(super) async fn run<S, B>(
    stream: Stream,
    tls: Option<Arc<ServerConfig>>,
    arrival: Arrival,
    service: impl FnOnce(Arrival) -> S,
    floor: Floor,
    entry: Entry,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let (cut, peer) = (floor.cut.clone(), arrival.peer.clone());
    let begin = async {
        match tls {
            None => speak(stream, service(arrival), floor, entry.clone()).await,
            // Boxed, as is whatever only some connections need: all would have room for it, for life.
            Some(config) => {
                Box::pin(speak_tls(stream, config, arrival, service, floor, &entry)).await;
            }
        }
    };
    let end = Seldom::new(async {
        tokio::select! {
            () = entry.cut() => tracing::debug!(?peer, "the caller kept a connection waiting"),
            () = cut.cancelled() => {}
        }
    });
    tokio::select! {
        biased;
        () = begin => {}
        () = end => {}
    }
}

async fn speak_tls<S, B>(
    stream: Stream,
    config: Arc<ServerConfig>,
    arrival: Arrival,
    service: impl FnOnce(Arrival) -> S,
    floor: Floor,
    entry: &Entry,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let secured = Box::pin(secure(stream, config, arrival, &floor)).await;
    if let Some((stream, arrival)) = secured {
        speak(stream, service(arrival), floor, entry.clone()).await;
    }
}

/// Waits for the first bytes, which tell what the caller speaks, and lets hyper go on.
async fn speak<I, S, B>(stream: I, service: S, floor: Floor, entry: Entry)
where
    I: Wire,
    S: Serve<B>,
    B: AnswerBody,
{
    let mut stream = Watched::new(stream, entry.clone());
    match in_time(&floor, stream.protocol()).await {
        Some(Ok(Some(Protocol::Http1))) => http1::serve(stream, service, &floor, &entry).await,
        Some(Ok(Some(Protocol::Http2))) => Box::pin(http2(stream, service, floor, entry)).await,
        Some(Ok(None) | Err(_)) | None => {}
    }
}

/// What a new connection owes before its first request has the time for a head. When the drain begins that request
/// may be on the way already: one that was sent in time is not lost.
async fn in_time<T>(floor: &Floor, first: impl Future<Output = T>) -> Option<T> {
    let mut first = std::pin::pin!(first);
    tokio::select! {
        first = tokio::time::timeout(floor.limits.header_timeout, first.as_mut()) => return first.ok(),
        () = floor.drain.cancelled() => {}
    }
    tokio::time::timeout(LAST_CALL, first).await.ok()
}

/// The handshake. `None`: it failed, or took too long.
async fn secure(
    stream: Stream,
    config: Arc<ServerConfig>,
    mut arrival: Arrival,
    floor: &Floor,
) -> Option<(TlsStream<Stream>, Arrival)> {
    let handshake = TlsAcceptor::from(config).accept(stream);
    match in_time(floor, handshake).await? {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let name = certificates.and_then(|chain| tls::caller_name(chain.first()?));
            arrival.client = name.map(Arc::from);
            Some((stream, arrival))
        }
        Err(error) => {
            let caller = arrival.peer.map(|peer| peer.to_string());
            let caller = caller.as_deref().unwrap_or("-");
            match tls::why_refused(&error) {
                // No access log has it.
                Some(why) => tracing::info!(caller, why, "a caller was refused in the handshake"),
                None => tracing::debug!(caller, %error, "a handshake failed"),
            }
            None
        }
    }
}

async fn http2<I, S, B>(stream: Watched<I>, service: S, floor: Floor, entry: Entry)
where
    I: Wire,
    S: Serve<B>,
    B: AnswerBody,
{
    entry.speaks_frames();
    let ending = stream.ending();
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        // Whatever window the caller opens: hyper would keep 400 KiB of each answer that nobody reads.
        .max_send_buf_size(64 * 1024)
        .max_header_list_size(u32::try_from(floor.limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Some(floor.limits.idle_timeout))
        // The answer to a ping stands behind all that the caller, or a slow way to it, has not taken yet.
        .keep_alive_timeout(watch::longest_stuck(floor.limits.idle_timeout))
        .serve_connection(
            TokioIo::new(stream),
            tracked(service, entry.clone(), ending, floor.limits.header_fields),
        );
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // The connection first: told to shut down before it has read anything, hyper would drop a request that is here.
        biased;
        result = connection.as_mut() => return ended(&result),
        () = Seldom::new(floor.drain.cancelled()) => connection.as_mut().graceful_shutdown(),
    }
    entry.told_to_go(floor.limits.header_timeout);
    ended(&connection.await);
}

/// Tells of a connection that did not end well.
pub(super) fn ended(result: &hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a caller's connection ended early");
    }
}

/// How long a connection without a request is waited for in a drain: before its first, and after its last.
pub(super) const LAST_CALL: Duration = Duration::from_millis(250);
