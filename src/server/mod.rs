//! Callers in, any service behind: listeners, connections, their limits, and the drain.
//!
//! This room has never heard of tokens. It is told a service factory and calls it once per connection with an
//! [`Arrival`]. Nothing here outlives the worker's runtime.

mod connection;
mod listener;
mod stream;
mod watch;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

pub use hyper::Error as IncomingError;
pub use hyper::body::Incoming;

pub use self::listener::{Bound, bind};
use crate::config::server::Limits;
use crate::tls::ServerConfig;

/// How a connection came to be: what the proxy may know about its caller.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Which listener: the index that was given to [`bind`].
    pub listener: usize,
    /// The caller's address.
    pub peer: SocketAddr,
    /// Whether the caller speaks TLS.
    pub tls: bool,
}

/// One listener of one worker, ready to be served.
pub struct Door {
    /// Handed on in [`Arrival`].
    pub listener: usize,
    /// The worker's own socket.
    pub socket: std::net::TcpListener,
    /// TLS, if any.
    pub tls: Option<Arc<ServerConfig>>,
}

/// What all connections of the process share.
#[derive(Clone)]
pub struct Floor {
    /// `[server.limits]`.
    pub limits: Limits,
    /// One permit per connection.
    pub connections: Arc<Semaphore>,
    /// Cancelled when the drain begins: no new connections, idle ones close.
    pub drain: CancellationToken,
    /// Cancelled at the drain deadline: everything ends.
    pub cut: CancellationToken,
}

impl Floor {
    /// A floor with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            limits,
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }
}

/// What an answer's body must be.
pub trait AnswerBody:
    Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Unpin
    + 'static
{
}

impl<B> AnswerBody for B where
    B: Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static
{
}

/// What a connection's service must be.
pub trait Serve<B>:
    Service<
        Request<Incoming>,
        Response = Response<B>,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<B, S> Serve<B> for S where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// Serves `doors` on the current runtime until the floor drains; returns when the last connection has ended
/// or was cut.
pub async fn serve<S, B>(
    doors: Vec<Door>,
    floor: Floor,
    service: impl Fn(Arrival) -> S + Clone + Send + Sync + 'static,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let connections = TaskTracker::new();
    let watch = watch::Watch::new(&floor.limits);
    let sweep = watch.sweep();
    let acceptors = TaskTracker::new();
    for door in doors {
        let (floor, service) = (floor.clone(), service.clone());
        let (connections, watch) = (connections.clone(), watch.clone());
        acceptors.spawn(async move {
            listener::accept(&door, &floor, |stream, arrival, permit| {
                let service = service(arrival.clone());
                let connection = connection::run(
                    stream,
                    door.tls.clone(),
                    arrival,
                    service,
                    floor.clone(),
                    watch.enter(),
                );
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            })
            .await;
        });
    }
    acceptors.close();
    connections.close();
    let all = async {
        acceptors.wait().await;
        connections.wait().await;
    };
    tokio::select! {
        () = all => {}
        () = sweep => {}
    }
}

/// Drains: waits for `asked`, keeps accepting for `delay`, then gives requests in flight `timeout`. Says whether
/// everything ended by itself before the deadline, as `ended` tells.
pub async fn drain(
    floor: &Floor,
    delay: Duration,
    timeout: Duration,
    ended: impl Future<Output = ()>,
) -> bool {
    tokio::pin!(ended);
    if tokio::time::timeout(delay, &mut ended).await.is_ok() {
        return true;
    }
    floor.drain.cancel();
    if tokio::time::timeout(timeout, &mut ended).await.is_ok() {
        return true;
    }
    floor.cut.cancel();
    // Cut connections end at their next poll; the bound is for a runtime that is stuck.
    let _ = tokio::time::timeout(Duration::from_secs(1), &mut ended).await;
    false
}
