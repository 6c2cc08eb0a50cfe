//! The API: sends one request to one origin and gives the answer back as it comes.
//!
//! [`Client::send`] is the whole seam. A client belongs to one worker; its connections live in the futures and
//! bodies that use them, never in a task of their own, so dropping a request closes its connection and the caller's
//! disconnect reaches the upstream.

mod answer;
mod connect;
mod failure;
mod hearing;
mod pool;
mod proxy;
mod socket;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;
use tokio::time::Instant;

pub use self::answer::{AnswerBody, Broken};
pub use self::failure::{Failure, Phase};
use self::pool::{Checkout, Pool};
pub use self::proxy::Proxy;
pub use self::socket::over_socket;
use self::upload::{Moved, Upload};
use crate::message::Origin;
use crate::telemetry::UpstreamMetrics;
use crate::tls::Trust;

/// What a request's body must be.
pub trait Outgoing:
    Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> Outgoing for B where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static
{
}

/// How one upstream's API is reached.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Connections are shared within a profile, never between two.
    pub id: usize,
    /// TLS for https targets.
    pub tls: Trust,
    /// The proxy on the way to https targets.
    pub proxy: Option<Arc<Proxy>>,
    /// Name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Most requests at once to one origin, per worker.
    pub connections: usize,
    /// Told of every connection.
    pub metrics: Arc<UpstreamMetrics>,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// How.
    pub profile: &'a Profile,
    /// To whom.
    pub origin: &'a Origin,
    /// Only to public addresses, checked on the address that is connected to.
    pub public_only: bool,
    /// Not on a connection that has served before.
    pub fresh: bool,
}

/// One worker's connections to the upstreams.
pub struct Client<B: Outgoing> {
    pool: Arc<Pool<B>>,
}

impl<B: Outgoing> Clone for Client<B> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
        }
    }
}

impl<B: Outgoing> Default for Client<B> {
    fn default() -> Self {
        Self {
            pool: Arc::default(),
        }
    }
}

impl<B: Outgoing> Client<B> {
    /// Sends `request` (origin-form target, `Host` set) and waits for the head of the answer. `silence` bounds the
    /// wait for the head and then every wait for more of the body, both counted from when the request's own body last
    /// moved; zero means no bound.
    ///
    /// Cancel-safe: dropping the future closes the connection.
    pub async fn send(
        &self,
        to: Destination<'_>,
        request: Request<B>,
        silence: Duration,
    ) -> Result<Response<AnswerBody<B>>, Failure<B>> {
        let head_by = (!silence.is_zero()).then(|| Instant::now() + silence);
        let mut connection = match self.pool.checkout(to, head_by).await {
            Ok(Checkout::Idle(connection)) => connection,
            Ok(Checkout::Place(permit)) => match self.pool.connect(to, permit).await {
                Ok(connection) => connection,
                Err(failure) => return Err(failure.not_sent(request)),
            },
            Err(failure) => return Err(failure.not_sent(request)),
        };
        let request = request.map(|body| Upload::new(body, Instant::now()));
        let moved = request.body().moved();
        let sent = connection.send(request);
        let answer = match head_by {
            None => sent.await,
            Some(by) => in_time(sent, by, silence, moved.as_ref()).await?,
        };
        let mut answer = answer.map_err(|failure| failure.on(connection.is_reused()))?;
        acceptable(&answer)?;
        plain_length(answer.headers_mut())?;
        let has = |name| answer.headers().contains_key(name);
        if has(header::TRANSFER_ENCODING) && has(header::CONTENT_LENGTH) {
            // Whoever wrote it may take another byte for its end (RFC 9112 section 6.3).
            connection.end_after_this();
        }
        let (parts, body) = answer.into_parts();
        let body = AnswerBody::new(body, connection, self.pool.clone(), silence, moved);
        Ok(Response::from_parts(parts, body))
    }

    /// Closes connections that have been idle too long; called now and then by the worker.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}

/// Waits until `by`, and on while the request's body moves.
async fn in_time<B, T>(
    sent: impl Future<Output = T>,
    mut by: Instant,
    silence: Duration,
    moved: Option<&Moved>,
) -> Result<T, Failure<B>> {
    let mut sent = std::pin::pin!(sent);
    loop {
        if let Ok(answer) = tokio::time::timeout_at(by, &mut sent).await {
            return Ok(answer);
        }
        match moved.map(|moved| moved.at() + silence) {
            Some(later) if later > by => by = later,
            Some(_) | None => {
                return Err(Failure::new(Phase::Head, "no answer in time").timed_out());
            }
        }
    }
}

/// Refuses answers that cannot be passed on truthfully.
fn acceptable<B, T>(answer: &Response<T>) -> Result<(), Failure<B>> {
    let status = answer.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(Phase::Head, "it switched protocols unasked"));
    }
    if status.as_u16() > 599 {
        return Err(Failure::new(Phase::Head, "its status is not one of HTTP's"));
    }
    // A transfer coding that is not undone here would be lost with the header (RFC 9112 section 6.1).
    let mut codings = answer.headers().get_all(header::TRANSFER_ENCODING).iter();
    let plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if plain {
        Ok(())
    } else {
        Err(Failure::new(Phase::Head, "its transfer coding is unknown"))
    }
}

/// Makes one number of the lengths of an answer: where there is no body hyper looks at none, and they would be passed on
/// (RFC 9110 section 8.6).
fn plain_length<B>(headers: &mut HeaderMap) -> Result<(), Failure<B>> {
    let odd = || Failure::new(Phase::Head, "its length is not a number");
    let mut length: Option<u64> = None;
    for line in headers.get_all(header::CONTENT_LENGTH) {
        for part in line.as_bytes().split(|byte| *byte == b',') {
            let digits = str::from_utf8(part.trim_ascii()).map_err(|_| odd())?;
            let one = digits.parse().map_err(|_| odd())?;
            if digits.starts_with('+') || length.is_some_and(|length| length != one) {
                return Err(odd());
            }
            length = Some(one);
        }
    }
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(())
}
