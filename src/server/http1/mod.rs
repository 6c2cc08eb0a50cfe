//! A connection that speaks HTTP/1: hyper while something happens on it, the bare stream while nothing does.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connection::{LAST_CALL, ended};
use super::seldom::Seldom;
use super::stream::{Watched, Wire};
use super::tracked::tracked;
use super::watch::Entry;
use super::{AnswerBody, Floor, Serve};
use crate::config::server::Limits;

/// What a connection is told while it runs.
enum Call {
    /// The drain has begun.
    Leave,
    /// It has been idle for a while.
    Rest,
}

/// Serves a connection until it ends. Between requests that are far apart it rests: hyper and its buffers are given up, and
/// begun again when the caller says something.
pub(super) async fn serve<I, S, B>(mut stream: Watched<I>, service: S, floor: &Floor, entry: &Entry)
where
    I: Wire,
    S: Serve<B>,
    B: AnswerBody,
{
    let ending = stream.ending();
    loop {
        let service = tracked(
            service.clone(),
            entry.clone(),
            ending.clone(),
            floor.limits.header_fields,
        );
        let io = TokioIo::new(stream);
        let mut connection = builder(&floor.limits).serve_connection(io, service);
        let mut rests = false;
        let result = loop {
            let call = tokio::select! {
                // The connection first: told to shut down before it has read anything, hyper would drop a request that is here.
                biased;
                result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
                call = Seldom::new(called(floor, entry)) => call,
            };
            match call {
                Call::Leave => {
                    entry.told_to_go(floor.limits.header_timeout);
                    // The runtime looks at its sockets: a request that was sent before is not lost.
                    tokio::task::yield_now().await;
                    let turn = poll_fn(|cx| Poll::Ready(connection.poll_without_shutdown(cx)));
                    if let Poll::Ready(result) = turn.await {
                        break result;
                    }
                }
                Call::Rest if entry.is_idle() => rests = true,
                Call::Rest => continue,
            }
            // An idle one is over at once; another would tell its caller that it closes, and must.
            Pin::new(&mut connection).graceful_shutdown();
            let turn = poll_fn(|cx| Poll::Ready(connection.poll_without_shutdown(cx)));
            if let Poll::Ready(result) = turn.await {
                break result;
            }
            rests = false;
            break poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
        };
        ended(&result);
        let parts = connection.into_parts();
        stream = parts.io.into_inner();
        stream.put_back(parts.read_buf);
        match result {
            // Dropped here, it ends badly.
            Err(_) if ending.is_unended() => return,
            Err(_) => break,
            Ok(()) if rests => {
                if !rest(&stream, floor).await {
                    break;
                }
            }
            Ok(()) if stream.may_end().await => return stream.end(),
            Ok(()) => break,
        }
    }
    Box::pin(linger(stream, floor)).await;
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    if limits.header_fields != HYPERS_FIELDS {
        // Said or not is the same, but said costs an allocation per request.
        builder.max_headers(limits.header_fields);
    }
    builder
        // The watch does this with one timer per worker, and tells an idle caller from a slow one.
        .header_read_timeout(None)
        // A caller that closes its writing side has left, and its request upstream ends: from here half a close
        // (RFC 9112 section 9.6) looks the same as a whole one, and hyper's `half_close` would notice neither.
        .half_close(false)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(READ));
    builder
}

async fn called(floor: &Floor, entry: &Entry) -> Call {
    tokio::select! {
        () = floor.drain.cancelled() => Call::Leave,
        () = entry.rests() => Call::Rest,
    }
}

/// Waits for the caller to say something, or to leave. `false`: the drain has begun, and it had said nothing.
async fn rest(stream: &Watched<impl Wire>, floor: &Floor) -> bool {
    tokio::select! {
        () = poll_fn(|cx| stream.poll_readable(cx)) => return true,
        () = floor.drain.cancelled() => {}
    }
    // The runtime looks at its sockets, as when hyper has the connection.
    tokio::task::yield_now().await;
    poll_fn(|cx| Poll::Ready(stream.poll_readable(cx).is_ready())).await
}

/// Says that nothing more comes, and takes for a moment what the caller still sends, and throws it away: a connection that
/// is closed with bytes unread is reset, and the caller would lose the last answer with it (RFC 9112 section 9.6).
async fn linger(mut stream: Watched<impl Wire>, floor: &Floor) {
    if !matches!(
        tokio::time::timeout(LINGER, stream.shutdown()).await,
        Ok(Ok(()))
    ) {
        return;
    }
    let rest = async {
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
    let mut rest = pin!(tokio::time::timeout(LINGER, rest));
    tokio::select! {
        _ = rest.as_mut() => return,
        () = floor.drain.cancelled() => {}
    }
    // Whose answer was the last for the drain could not know it, and may have sent its next request.
    let _ = tokio::time::timeout(LAST_CALL, rest).await;
}

/// How long, and how much, is still taken of a caller whose last answer was sent.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 * 1024 * 1024;
/// What hyper reads at most in one go. Written in one go it fills segments of 64 KiB, the largest of loopback, with little left
/// over: with 64 KiB itself, each is followed by one of some bytes, which costs as much.
const READ: usize = 120 * 1024;
/// The most fields that hyper takes when it is told nothing.
const HYPERS_FIELDS: usize = 100;

#[cfg(test)]
mod tests;
