//! The API: sends one request to one origin and gives the answer back as it comes.
//!
//! [`Client::send`] is the whole seam. A client belongs to one worker; its HTTP/1.1 connections live in the futures and
//! bodies that use them, never in a task of their own, so dropping a request closes its connection and the caller's
//! disconnect reaches the upstream. A connection of HTTP/2 is shared by many requests and has a task of its own, as has the
//! attempt to make one; dropping a request resets its stream.

mod address;
mod answer;
mod attempts;
mod connect;
mod connection;
mod exchange;
mod failure;
mod files;
mod http2;
mod names;
mod pool;
mod proxy;
mod silence;
mod socket;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::time::Instant;

pub use self::answer::{AnswerBody, Broken};
#[cfg(any(test, fuzzing))]
pub(crate) use self::exchange::reference;
pub use self::exchange::{Fault, Head};
pub use self::failure::{Failure, Phase};
pub use self::files::Files;
use self::pool::Pool;
pub use self::proxy::Proxy;
pub use self::socket::over_socket;
use self::ways::Asks;
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
    /// Most requests at once to one origin, per worker, and most connections. Over HTTP/1.1 each request has one of its own.
    pub connections: usize,
    /// HTTP/2 is offered to https targets.
    pub http2: bool,
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

/// As many connections as the system lets it have.
impl<B: Outgoing> Default for Client<B> {
    fn default() -> Self {
        Self::new(&Files::new(usize::MAX))
    }
}

impl<B: Outgoing> Client<B> {
    /// One of those that share `files`.
    pub fn new(files: &Arc<Files<B>>) -> Self {
        Self {
            pool: Pool::new(files),
        }
    }

    /// Sends a request and waits for the head of the answer. `silence` bounds the wait for the head and then every wait for
    /// more of the body, both counted from when the request's own body last moved; zero means no bound.
    ///
    /// Cancel-safe: dropping the future closes the connection, or resets the stream.
    pub async fn send(
        &self,
        to: Destination<'_>,
        head: &Head<'_>,
        body: B,
        silence: Duration,
    ) -> Result<Response<AnswerBody<B>>, Failure<B>> {
        let now = Instant::now();
        let by = (!silence.is_zero()).then(|| now + silence);
        let asks = match to.profile.http2 {
            true => Asks::of(head, &body),
            false => Asks::default(),
        };
        let checkout = self.pool.checkout(to, now, by, asks);
        let mut connection = match checkout.await {
            Ok(connection) => connection,
            Err(failure) => return Err(failure.at(to.origin).untouched(body)),
        };
        let answer = connection.send(head, body, silence).await;
        let answer = answer.map_err(|failure| failure.at(to.origin))?;
        Ok(answer.map(|()| AnswerBody::new(connection, silence)))
    }

    /// Closes connections that have been idle too long; called now and then by the worker.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}
