//! One connection: TLS, which HTTP it speaks, and hyper until it ends, drains or is cut.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::stream::{Protocol, Watched};
use super::watch::{Entry, Tracked};
use super::{AnswerBody, Arrival, Floor, Serve};
use crate::tls::ServerConfig;

/// Runs one connection to its end. Never fails: what a caller does wrong ends its own connection.
pub(super) async fn run<S, B>(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    arrival: Arrival,
    service: S,
    floor: Floor,
    entry: Entry,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let cut = floor.cut.clone();
    let begin = async {
        match tls {
            None => plain(stream, service, floor, entry.clone()).await,
            Some(config) => secure(stream, config, service, floor, entry.clone()).await,
        }
    };
    tokio::select! {
        biased;
        () = begin => {}
        () = entry.cut() => tracing::debug!(peer = %arrival.peer, "the caller kept a connection waiting"),
        () = cut.cancelled() => {}
    }
}

async fn plain<S, B>(stream: TcpStream, service: S, floor: Floor, entry: Entry)
where
    S: Serve<B>,
    B: AnswerBody,
{
    let mut stream = Watched::new(stream, entry.clone());
    // The time for the first byte is the time for a head.
    let first = tokio::time::timeout(floor.limits.header_timeout, stream.protocol());
    let protocol = tokio::select! {
        protocol = first => Some(protocol),
        () = floor.drain.cancelled() => None,
    };
    let protocol = match protocol {
        Some(protocol) => protocol,
        // Its request may be on the way already: the drain loses none that was sent in time.
        None => tokio::time::timeout(LAST_CALL, stream.protocol()).await,
    };
    match protocol {
        Ok(Ok(Some(Protocol::Http1))) => http1(stream, service, floor, entry).await,
        Ok(Ok(Some(Protocol::Http2))) => http2(stream, service, floor, entry).await,
        Ok(Ok(None) | Err(_)) | Err(_) => {}
    }
}

async fn secure<S, B>(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    service: S,
    floor: Floor,
    entry: Entry,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let handshake = TlsAcceptor::from(config).accept(stream);
    let stream = tokio::select! {
        stream = tokio::time::timeout(floor.limits.header_timeout, handshake) => stream,
        () = floor.drain.cancelled() => return,
    };
    let Ok(Ok(stream)) = stream else { return };
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = Watched::new(stream, entry.clone());
    if h2 {
        http2(stream, service, floor, entry).await;
    } else {
        http1(stream, service, floor, entry).await;
    }
}

async fn http1<I, S, B>(stream: Watched<I>, service: S, floor: Floor, entry: Entry)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Serve<B>,
    B: AnswerBody,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The watch does this with one timer per worker, and tells an idle caller from a slow one.
        .header_read_timeout(None)
        .max_headers(floor.limits.header_fields)
        .max_header_size(floor.limits.header_bytes)
        .max_buf_size(floor.limits.header_bytes.max(64 * 1024))
        .serve_connection(TokioIo::new(stream), tracked(service, entry));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = floor.drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    ended(connection.await);
}

async fn http2<I, S, B>(stream: Watched<I>, service: S, floor: Floor, entry: Entry)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Serve<B>,
    B: AnswerBody,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(u32::try_from(floor.limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Some(floor.limits.idle_timeout))
        .keep_alive_timeout(floor.limits.header_timeout)
        .serve_connection(TokioIo::new(stream), tracked(service, entry));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = floor.drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    ended(connection.await);
}

/// The service, with each request counted until its answer's body ends.
fn tracked<S, B>(
    service: S,
    entry: Entry,
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
    service_fn(move |request| {
        let active = entry.request();
        let mut service = service.clone();
        async move {
            let response = service.call(request).await?;
            Ok(response.map(|body| Tracked::new(body, active)))
        }
    })
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a caller's connection ended early");
    }
}

/// How long a silent connection is waited for when the drain begins.
const LAST_CALL: Duration = Duration::from_millis(250);
