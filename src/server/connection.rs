//! One connection: TLS, which HTTP it speaks, and hyper until it ends, drains or is cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::seldom::Seldom;
use super::stream::{Protocol, Unended, Watched, Wire};
use super::tracked::Tracked;
use super::watch::Entry;
use super::{AnswerBody, Arrival, Floor, Serve, Stream};
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
                Box::pin(speak_tls(stream, config, arrival, service, floor, &entry)).await
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
        Some(Ok(Some(Protocol::Http1))) => http1(stream, service, floor, entry).await,
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

async fn http1<I, S, B>(stream: Watched<I>, service: S, floor: Floor, entry: Entry)
where
    I: Wire,
    S: Serve<B>,
    B: AnswerBody,
{
    let unended = stream.unended();
    let mut builder = http1::Builder::new();
    if floor.limits.header_fields != HYPERS_FIELDS {
        // Said or not is the same, but said costs an allocation per request.
        builder.max_headers(floor.limits.header_fields);
    }
    let mut connection = builder
        .timer(TokioTimer::new())
        // The watch does this with one timer per worker, and tells an idle caller from a slow one.
        .header_read_timeout(None)
        // A caller that closes its writing side has left, and its request upstream ends: from here half a close
        // (RFC 9112 section 9.6) looks the same as a whole one, and hyper's `half_close` would notice neither.
        .half_close(false)
        .max_header_size(floor.limits.header_bytes)
        .max_buf_size(floor.limits.header_bytes.max(64 * 1024))
        .serve_connection(
            TokioIo::new(stream),
            tracked(
                service,
                entry.clone(),
                unended.clone(),
                floor.limits.header_fields,
            ),
        );
    to_the_end(
        &mut connection,
        |connection| Pin::new(&mut **connection.get_mut()).graceful_shutdown(),
        &floor,
        &entry,
    )
    .await;
    if !unended.is_under_way() {
        Box::pin(linger(connection.into_parts().io.into_inner(), &floor)).await;
    }
}

/// Takes for a moment what the caller still sends, and throws it away: a connection that is closed with bytes unread is
/// reset, and the caller would lose the last answer with it (RFC 9112 section 9.6).
async fn linger(mut stream: Watched<impl Wire>, floor: &Floor) {
    let rest = async {
        stream.shutdown().await?;
        // Not on the stack, where each connection would have room for it.
        let mut thrown_away = BytesMut::with_capacity(16 * 1024);
        let mut length = 0;
        while length < LINGER_BYTES {
            match stream.read_buf(&mut thrown_away).await? {
                0 => break,
                count => length += count,
            }
            thrown_away.clear();
        }
        io::Result::Ok(())
    };
    tokio::select! {
        _ = tokio::time::timeout(LINGER, rest) => {}
        () = floor.drain.cancelled() => {}
    }
}

async fn http2<I, S, B>(stream: Watched<I>, service: S, floor: Floor, entry: Entry)
where
    I: Wire,
    S: Serve<B>,
    B: AnswerBody,
{
    entry.speaks_frames();
    let unended = stream.unended();
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(u32::try_from(floor.limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Some(floor.limits.idle_timeout))
        .keep_alive_timeout(floor.limits.header_timeout)
        .serve_connection(
            TokioIo::new(stream),
            tracked(service, entry.clone(), unended, floor.limits.header_fields),
        );
    to_the_end(
        connection,
        |connection| connection.graceful_shutdown(),
        &floor,
        &entry,
    )
    .await;
}

/// Drives a connection until it ends, or the drain begins and it ends after that.
async fn to_the_end<C>(
    connection: C,
    good_bye: impl FnOnce(Pin<&mut C>),
    floor: &Floor,
    entry: &Entry,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // The connection first: told to shut down before it has read anything, hyper would drop a request that is here.
        biased;
        result = connection.as_mut() => return ended(result),
        () = Seldom::new(floor.drain.cancelled()) => good_bye(connection.as_mut()),
    }
    entry.told_to_go(floor.limits.header_timeout);
    ended(connection.await);
}

/// The service, with each request counted until its answer's body ends.
fn tracked<S, B>(
    service: S,
    entry: Entry,
    unended: Unended,
    most_fields: usize,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Tracked<B>>,
    Error = std::convert::Infallible,
    Future: Send,
>
where
    S: Serve<B>,
    B: AnswerBody,
{
    service_fn(move |request: Request<Incoming>| {
        let active = entry.request();
        // hyper counts fields on HTTP/1 alone; this is its answer there.
        let too_many = request.headers().len() > most_fields;
        let refused = match (entry.is_too_late(), too_many) {
            (true, _) => Some(StatusCode::SERVICE_UNAVAILABLE),
            (false, true) => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            (false, false) => None,
        };
        let is_old = request.version() == Version::HTTP_10;
        // Called here and not in the future, where each request would be moved once more.
        let answer = match refused {
            Some(status) => Err(status),
            None => Ok(service.clone().call(request)),
        };
        let unended = unended.clone();
        async move {
            let response = match answer {
                Ok(answer) => answer.await?,
                Err(status) => {
                    let mut response = Response::new(Tracked::empty(active));
                    *response.status_mut() = status;
                    return Ok(response);
                }
            };
            if is_old && response.body().size_hint().exact().is_none() {
                unended.begin();
            }
            Ok(response.map(|body| Tracked::new(body, active)))
        }
    })
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a caller's connection ended early");
    }
}

/// How long, and how much, is still taken of a caller whose last answer was sent.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 * 1024 * 1024;
/// The most fields that hyper takes when it is told nothing.
const HYPERS_FIELDS: usize = 100;
/// How long a connection without a request is waited for when the drain begins.
const LAST_CALL: Duration = Duration::from_millis(250);
