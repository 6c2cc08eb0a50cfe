//! Callers in, any service behind: listeners, connections, their limits, and the drain.
//!
//! This room has never heard of tokens. It is told a service factory and calls it once per connection with an
//! [`Arrival`]. Nothing here outlives the worker's runtime.

mod accept;
mod connection;
mod door;
mod ending;
mod files;
mod folder;
mod http1;
mod listener;
mod seldom;
mod socket;
mod stream;
mod tracked;
mod untaken;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

pub use hyper::Error as IncomingError;
pub use hyper::body::Incoming;

pub use self::door::{Door, Hall, Passage};
pub use self::files::fitted;
pub use self::listener::{Bound, Ours, bind};
pub use self::socket::{Acceptor, Socket, SocketFile, Stream};
use crate::config::server::Limits;

/// How a connection came to be: what the proxy may know about its caller.
#[derive(Clone)]
pub struct Arrival {
    /// Which listener: as its [`Hall`] says.
    pub listener: usize,
    /// The caller's address, as text, since that is what is wanted of it with each request; none on a unix socket.
    pub peer: Option<Arc<str>>,
    /// Whether the caller speaks TLS.
    pub tls: bool,
    /// The name in the caller's certificate, if the listener asks for one.
    pub client: Option<Arc<str>>,
}

/// What all connections of the process share.
#[derive(Clone)]
pub struct Floor {
    /// `[server.limits]`.
    pub limits: Limits,
    /// One permit per connection.
    pub connections: Arc<Semaphore>,
    /// Cancelled when the wish to stop is heard: nobody should send requests any more, but who does is served.
    pub leaving: CancellationToken,
    /// Cancelled when the drain begins: no new connections, idle ones close. What a connection sees is its hall's, which may
    /// begin before the floor's.
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
            leaving: CancellationToken::new(),
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }
}

/// What an answer's body must be.
pub trait AnswerBody:
    Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + Unpin + 'static
{
}

impl<B> AnswerBody for B where
    B: Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + Unpin + 'static
{
}

/// Any error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a connection's service must be.
pub trait Serve<B>:
    Service<
        Request<Incoming>,
        Response = Response<B>,
        Error = std::convert::Infallible,
        Future: Send + Unpin,
    > + Clone
    + Send
    + Unpin
    + 'static
{
}

impl<B, S> Serve<B> for S where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = std::convert::Infallible,
            Future: Send + Unpin,
        > + Clone
        + Send
        + Unpin
        + 'static
{
}

/// Serves the doors that come through `doors` on the current runtime, each until its own end or the floor's drain;
/// returns when the floor has drained and the last connection has ended or was cut.
pub async fn serve<S, B>(
    mut doors: UnboundedReceiver<Door>,
    floor: Floor,
    service: impl Fn(Arrival) -> S + Clone + Send + Sync + 'static,
) where
    S: Serve<B>,
    B: AnswerBody,
{
    let connections = TaskTracker::new();
    let watch = watch::Watch::new(&floor.limits);
    let sweep = watch.sweep(&floor.drain);
    let acceptors = TaskTracker::new();
    let open = |door: Door| {
        let (service, connections, watch) = (service.clone(), connections.clone(), watch.clone());
        let floor = floor.clone();
        acceptors.spawn(async move {
            let Door {
                socket,
                passage,
                closing,
            } = door;
            accept::accept(
                socket,
                &closing,
                &floor.connections,
                |stream, peer, permit| {
                    let hall = passage.hall(&stream);
                    let tls = hall.tls();
                    let arrival = Arrival {
                        listener: hall.listener,
                        peer: peer.map(|peer| peer.to_string().into()),
                        tls: tls.is_some(),
                        client: None,
                    };
                    let floor = Floor {
                        drain: hall.drain.clone(),
                        ..floor.clone()
                    };
                    let (service, entry) = (service.clone(), watch.enter(hall.barred()));
                    // Boxed: it is moved ten times before it is a task.
                    connections.spawn(Box::pin(async move {
                        // Made here and not before: the task would have room for it twice.
                        connection::run(stream, tls, arrival, service, floor, entry).await;
                        drop((permit, hall));
                    }));
                },
            )
            .await;
        });
    };
    let all = async {
        loop {
            tokio::select! {
                biased;
                Some(door) = doors.recv() => open(door),
                () = floor.drain.cancelled() => break,
            }
        }
        acceptors.close();
        acceptors.wait().await;
        connections.close();
        connections.wait().await;
    };
    tokio::select! {
        () = all => {}
        () = sweep => {}
    }
}

/// Drains: keeps accepting for `delay`, then gives requests in flight `timeout`, then cuts them. Says whether
/// everything ended by itself before the deadline, as `ended` tells.
pub async fn drain(
    floor: &Floor,
    delay: Duration,
    timeout: Duration,
    ended: impl Future<Output = ()>,
) -> bool {
    tokio::pin!(ended);
    floor.leaving.cancel();
    if tokio::time::timeout(delay, &mut ended).await.is_ok() {
        return true;
    }
    floor.drain.cancel();
    if tokio::time::timeout(timeout, &mut ended).await.is_ok() {
        return true;
    }
    floor.cut.cancel();
    let _ = tokio::time::timeout(CUT, &mut ended).await;
    false
}

/// How long to wait for connections that were cut: they end at their next poll, so the bound is for a runtime that is
/// stuck.
pub const CUT: Duration = Duration::from_secs(1);
