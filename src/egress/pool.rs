//! One worker's idle connections, newest first, and the cap on requests per origin.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::{self, Stream};
use super::failure::{Failure, Phase};
use super::hearing::Hearing;
use super::upload::Upload;
use super::{Destination, Outgoing};
use crate::message::Origin;
use crate::telemetry::UpstreamMetrics;

/// Idle connections and permits, by profile and origin.
pub(super) struct Pool<B: Outgoing> {
    places: Mutex<HashMap<Key, Place<B>>>,
}

/// Connections are never shared between upstreams or origins.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    profile: usize,
    origin: Origin,
    public_only: bool,
}

struct Place<B: Outgoing> {
    idle: Vec<Connection<B>>,
    permits: Arc<Semaphore>,
}

/// What [`Pool::checkout`] gives.
pub(super) enum Checkout<B: Outgoing> {
    /// A live connection.
    Idle(Connection<B>),
    /// The right to make one.
    Place(OwnedSemaphorePermit),
}

/// A connection that no task drives: whoever holds it polls it.
pub(super) struct Connection<B: Outgoing> {
    sender: http1::SendRequest<Upload<B>>,
    /// `None`: it has ended.
    driver: Option<Driver<B>>,
    key: Key,
    since: Instant,
    reused: bool,
    /// It serves no request more.
    last: bool,
    permit: Option<OwnedSemaphorePermit>,
    _open: Open,
}

type Driver<B> = Pin<Box<http1::Connection<TokioIo<Hearing<Stream>>, Upload<B>>>>;

/// An open connection, as the metrics count it.
struct Open(Arc<UpstreamMetrics>);

impl Open {
    fn new(metrics: &Arc<UpstreamMetrics>) -> Self {
        metrics.connection_opened();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

impl<B: Outgoing> Default for Pool<B> {
    fn default() -> Self {
        Self {
            places: Mutex::default(),
        }
    }
}

impl<B: Outgoing> Pool<B> {
    /// A place among the requests to this origin, waiting for one until `by`; then an idle connection if there
    /// is a live one.
    pub(super) async fn checkout(
        &self,
        to: Destination<'_>,
        by: Option<Instant>,
    ) -> Result<Checkout<B>, Failure<()>> {
        let key = Key::of(to);
        let permits = self.permits(&key, to.profile.connections);
        let permit = match permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let by = by.unwrap_or_else(|| Instant::now() + LONGEST_QUEUE);
                match tokio::time::timeout_at(by, permits.acquire_owned()).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) | Err(_) => {
                        return Err(Failure::new(
                            Phase::Queue,
                            "too many requests to this upstream",
                        )
                        .timed_out());
                    }
                }
            }
        };
        let now = Instant::now();
        while let Some(mut connection) = self.take(&key) {
            if !to.fresh
                && now.duration_since(connection.since) < LONGEST_IDLE
                && connection.is_live()
            {
                connection.permit = Some(permit);
                connection.reused = true;
                return Ok(Checkout::Idle(connection));
            }
        }
        Ok(Checkout::Place(permit))
    }

    /// A new connection.
    pub(super) async fn connect(
        &self,
        to: Destination<'_>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Connection<B>, Failure<B>> {
        let stream = connect::connect(to).await?;
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(Hearing::new(stream)))
            .await
            .map_err(|error| Failure::of(&error, None))?;
        Ok(Connection {
            sender,
            driver: Some(Box::pin(driver)),
            key: Key::of(to),
            since: Instant::now(),
            reused: false,
            last: false,
            permit: Some(permit),
            _open: Open::new(&to.profile.metrics),
        })
    }

    /// Takes a connection back whose answer has ended, if it can serve another request.
    pub(super) fn give_back(&self, mut connection: Connection<B>) {
        connection.permit = None;
        if connection.last || !connection.is_live() {
            return;
        }
        connection.since = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(&connection.key)
            && place.idle.len() < MOST_IDLE
        {
            place.idle.push(connection);
        }
    }

    /// Closes connections that are idle too long, or that the upstream has closed.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| {
            place
                .idle
                .retain_mut(|idle| now.duration_since(idle.since) < LONGEST_IDLE && idle.is_live());
            // Nobody waits for or holds a permit of a place that only the map knows.
            !(place.idle.is_empty() && Arc::strong_count(&place.permits) == 1)
        });
    }

    fn take(&self, key: &Key) -> Option<Connection<B>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get_mut(key)?.idle.pop()
    }

    fn permits(&self, key: &Key, connections: usize) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(key) {
            return place.permits.clone();
        }
        let permits = Arc::new(Semaphore::new(connections));
        let place = Place {
            idle: Vec::new(),
            permits: permits.clone(),
        };
        places.insert(key.clone(), place);
        permits
    }
}

impl Key {
    fn of(to: Destination<'_>) -> Self {
        Self {
            profile: to.profile.id,
            origin: to.origin.clone(),
            public_only: to.public_only,
        }
    }
}

impl<B: Outgoing> Connection<B> {
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Lets it serve the request that is on it, and no other.
    pub(super) fn end_after_this(&mut self) {
        self.last = true;
    }

    /// Sends a request and drives the connection until the head of the answer.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Upload<B>>,
    ) -> Result<Response<Incoming>, Failure<B>> {
        let interim = Arc::new(AtomicUsize::new(0));
        let count = interim.clone();
        hyper::ext::on_informational(&mut request, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut sent = std::pin::pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        std::future::poll_fn(move |cx| {
            // After its end the other side has an answer or an error.
            let _ = poll_driver(driver, cx);
            let answer = sent.as_mut().poll(cx);
            // hyper reads over them without end (RFC 9110 section 15.2).
            if interim.load(Ordering::Relaxed) > MOST_INTERIM {
                let failure = Failure::new(Phase::Head, "interim answers without end");
                return Poll::Ready(Err(failure));
            }
            answer.map_err(|mut error| {
                let not_sent = error
                    .take_message()
                    .map(|request| request.map(Upload::into_inner));
                Failure::of(error.error(), not_sent)
            })
        })
        .await
    }

    /// Drives the connection while an answer's body is read. `Ready`: it has ended.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_driver(&mut self.driver, cx)
    }

    /// Whether it can take a request now. Polls it once, which notices a close by the upstream.
    fn is_live(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.drive(&mut context).is_pending() && self.sender.is_ready()
    }
}

/// Drops a driver that has ended: what it has not sent goes back to the sender, which would wait for ever.
fn poll_driver<B: Outgoing>(driver: &mut Option<Driver<B>>, cx: &mut Context<'_>) -> Poll<()> {
    if let Some(running) = driver {
        // Why it ended is told to the other side.
        let _ = std::task::ready!(running.as_mut().poll(cx));
        *driver = None;
    }
    Poll::Ready(())
}

/// Interim answers to one request: many more than any upstream has reason for.
const MOST_INTERIM: usize = 100;
const MOST_IDLE: usize = 64;
/// Below the keep-alive time of common front ends (60 s), so that they rarely close first.
const LONGEST_IDLE: Duration = Duration::from_secs(30);
const LONGEST_QUEUE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use bytes::Bytes;
    use http_body::Body;
    use http_body_util::Full;

    use super::*;
    use crate::egress::Profile;

    #[tokio::test]
    async fn a_request_on_a_connection_that_has_just_died_is_given_back() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let profile = Profile {
            proxy: None,
            id: 0,
            tls: crate::tls::Trust::new(&[]),
            connect_timeout: Duration::from_secs(9),
            connections: 1,
            metrics: crate::telemetry::Metrics::new().upstream("api"),
        };
        let to = Destination {
            profile: &profile,
            origin: &origin.parse().unwrap(),
            public_only: false,
            fresh: false,
        };
        let pool = Pool::<Full<Bytes>>::default();
        let Ok(Checkout::Place(permit)) = pool.checkout(to, None).await else {
            panic!("there was a connection already");
        };
        let mut connection = pool.connect(to, permit).await.unwrap();
        let (mut upstream, _) = listener.accept().unwrap();
        let request = || {
            let request = Request::get("/").header("host", "localhost");
            let request = request.body(Full::default()).unwrap();
            request.map(|body| Upload::new(body, Instant::now()))
        };
        let answering = std::thread::spawn(move || {
            let _ = upstream.read(&mut [0; 1024]).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            upstream.write_all(answer).unwrap();
            upstream
        });
        let answer = connection.send(request()).await.unwrap();
        assert!(answer.into_body().is_end_stream());
        pool.give_back(connection);
        let mut connection = pool.take(&Key::of(to)).unwrap();
        drop(answering.join().unwrap());
        // Closed, and the runtime hears of it while it has nothing else to do.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sent = tokio::time::timeout(Duration::from_secs(9), connection.send(request()));
        let failure = sent.await.expect("it waits for ever").unwrap_err();
        assert!(failure.not_sent.is_some(), "{failure}");
    }
}
