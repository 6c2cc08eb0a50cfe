//! One worker's idle connections, newest first, and the cap on requests and connections per origin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::connect::Offer;
use super::connection::{Connection, Line, Open};
use super::failure::{Failure, Phase, chain};
use super::files::Files;
use super::http2::{Lanes, Session};
use super::names::Names;
use super::ways::{self, Asks};
use super::{Destination, Outgoing, Profile, connect};
use crate::message::Origin;
use crate::message::origin::Scheme;

/// The places where connections are kept, by profile. A profile has few origins, which are looked at one by one.
pub(super) struct Pool<B: Outgoing> {
    places: Mutex<BTreeMap<usize, Vec<Arc<Place<B>>>>>,
    names: Names,
    files: Arc<Files<B>>,
}

/// The connections of one profile to one origin: they are never shared with others.
pub(super) struct Place<B: Outgoing> {
    pub(super) profile: Profile,
    origin: Origin,
    public_only: bool,
    names: Names,
    pub(super) files: Arc<Files<B>>,
    idle: Mutex<Vec<Box<Line<B>>>>,
    pub(super) lanes: Lanes,
    pub(super) attempts: Attempts<B>,
    /// For requests at once.
    permits: Arc<Semaphore>,
    /// For open connections, idle ones among them, whatever is spoken on them: as many as there are permits. After a burst,
    /// the next one finds them.
    room: Arc<Semaphore>,
}

/// A new connection, in the version that the upstream chose.
pub(super) enum Made<B: Outgoing> {
    Http1(Box<Line<B>>),
    Http2(Session),
}

/// What each open connection has of those that there may be: to its origin, and of all.
pub(super) type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl<B: Outgoing> Pool<B> {
    /// One of those that share `files`.
    pub(super) fn new(files: &Arc<Files<B>>) -> Arc<Self> {
        let pool = Arc::new(Self {
            places: Mutex::default(),
            names: Names::default(),
            files: files.clone(),
        });
        files.add(&pool);
        pool
    }

    /// A connection, once there is a place among the requests to this origin (waiting for one until `by`): the newest
    /// idle one that lives, else a new one.
    pub(super) async fn checkout(
        &self,
        to: Destination<'_>,
        now: Instant,
        by: Option<Instant>,
        asks: Asks,
    ) -> Result<Connection<B>, Failure<B>> {
        let place = self.place(to);
        let permit = place.permit(by).await?;
        if to.profile.http2 && to.origin.scheme() == Scheme::Https {
            // Boxed for the same reason as below.
            return Box::pin(ways::checkout(to, asks, place, permit)).await;
        }
        if !to.fresh
            && let Some(line) = place.take_fit(now)
        {
            return Ok(Connection::reused(line, place, permit));
        }
        // Boxed: what it takes to connect would be part of every request.
        let line = Box::pin(async {
            let room = place.room().await?;
            let stream = connect::connect(to, &self.names, Offer::Nothing).await?;
            Ok(Line::new(stream, Open::new(&to.profile.metrics, room)))
        });
        let line = line.await?;
        Ok(Connection::new(line, place, permit))
    }

    /// Closes connections that are idle too long, or that the upstream has closed.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        lock(&self.places).retain(|_, places| {
            places.retain(|place| {
                let mut idle = lock(&place.idle);
                idle.retain_mut(|line| line.is_fit(now));
                place.lanes.sweep();
                // Nobody uses or waits for a place that only the pool knows. Connections that are ending still count, and what they
                // ended for is remembered.
                place.room.available_permits() < place.profile.connections
                    || Arc::strong_count(place) > 1
                    || place.lanes.is_wary()
            });
            !places.is_empty()
        });
    }

    /// Closes one connection that is idle, if there is one: of the place that has most of them.
    pub(super) fn close_idle(&self) -> bool {
        let places = lock(&self.places);
        let idle = |place: &&Arc<Place<B>>| lock(&place.idle).len();
        let most = places.values().flatten().max_by_key(idle);
        most.is_some_and(|place| place.close_idle())
            || places.values().flatten().any(|place| place.close_idle())
    }

    pub(super) fn place(&self, to: Destination<'_>) -> Arc<Place<B>> {
        let mut places = lock(&self.places);
        let places = places.entry(to.profile.id).or_default();
        let same = |place: &&Arc<Place<B>>| {
            place.public_only == to.public_only && place.origin == *to.origin
        };
        if let Some(place) = places.iter().find(same) {
            return place.clone();
        }
        let place = Arc::new(Place {
            profile: to.profile.clone(),
            origin: to.origin.clone(),
            public_only: to.public_only,
            names: self.names.clone(),
            files: self.files.clone(),
            idle: Mutex::default(),
            lanes: Lanes::new(to.origin),
            attempts: Attempts::default(),
            permits: Arc::new(Semaphore::new(to.profile.connections)),
            room: Arc::new(Semaphore::new(to.profile.connections)),
        });
        places.push(place.clone());
        place
    }
}

impl<B: Outgoing> Place<B> {
    async fn permit(&self, by: Option<Instant>) -> Result<OwnedSemaphorePermit, Failure<B>> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let by = by.unwrap_or_else(|| Instant::now() + LONGEST_QUEUE);
        match tokio::time::timeout_at(by, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                let failure = Failure::new(Phase::Queue, "too many requests to this upstream");
                Err(failure.timed_out())
            }
        }
    }

    /// The right to open a connection, once there is one.
    pub(super) async fn room(&self) -> Result<Room, Failure<B>> {
        let room = async { Some((self.own_room().await?, self.files.take().await?)) };
        match tokio::time::timeout(self.profile.connect_timeout, room).await {
            Ok(Some(room)) => Ok(room),
            Ok(None) | Err(_) => {
                let failure = Failure::new(Phase::Queue, "too many connections to upstreams");
                Err(failure.timed_out())
            }
        }
    }

    /// The right to one more to this origin. Who asks has a permit, and so has each request that a connection is in use for: if all
    /// that there may be are open, one is idle, or others are at their end. It is closed for this one, and there is room as soon as
    /// its task has noticed.
    async fn own_room(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = self.room.clone().try_acquire_owned() {
            return Some(room);
        }
        self.close_idle();
        self.room.clone().acquire_owned().await.ok()
    }

    /// A new connection to an origin that is offered this.
    pub(super) async fn connect(&self, room: Room, offer: Offer) -> Result<Made<B>, Failure<B>> {
        let to = Destination {
            profile: &self.profile,
            origin: &self.origin,
            public_only: self.public_only,
            fresh: true,
        };
        let made = async {
            let stream = connect::connect(to, &self.names, offer).await?;
            let open = Open::new(&self.profile.metrics, room);
            let chosen = connect::chosen(&stream);
            if chosen == Some(b"h2") {
                let session = Session::open(stream, open).await;
                let failure = |fault| Failure::new(Phase::Connect, chain(&fault));
                return session.map(Made::Http2).map_err(failure);
            }
            let guessed = offer == Offer::Http1 && chosen.is_none();
            if chosen.is_some() {
                self.lanes.speaks_http1();
            }
            let mut line = Line::new(stream, open);
            line.guessed = guessed;
            Ok(Made::Http1(line))
        };
        let made = tokio::time::timeout(self.profile.connect_timeout, made).await;
        made.unwrap_or_else(|_| Err(connect::late()))
    }

    /// Closes the oldest idle connection, if there is one.
    fn close_idle(&self) -> bool {
        let oldest = {
            let mut idle = lock(&self.idle);
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        oldest.is_some() || self.lanes.close_idle()
    }

    /// The newest idle connection that lives.
    pub(super) fn take_fit(&self, now: Instant) -> Option<Box<Line<B>>> {
        loop {
            let mut line = self.take()?;
            if line.is_fit(now) {
                return Some(line);
            }
        }
    }

    fn take(&self) -> Option<Box<Line<B>>> {
        lock(&self.idle).pop()
    }

    /// Keeps a connection for the next request, unless others wait for what it is of the open files.
    pub(super) fn keep(&self, line: Box<Line<B>>) {
        if !self.files.are_wanted() {
            lock(&self.idle).push(line);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LONGEST_QUEUE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::egress::{Client, Head, Profile};
    use crate::telemetry::Metrics;
    use crate::tls::Trust;

    #[tokio::test]
    async fn a_connection_that_is_to_be_new_takes_the_place_of_an_idle_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let origin: Origin = origin.parse().unwrap();
        let metrics = Metrics::new();
        let profile = Profile {
            id: 0,
            tls: Trust::new(&[]),
            proxy: None,
            connect_timeout: LONGEST_QUEUE,
            connections: 1,
            http2: false,
            metrics: metrics.upstream("api"),
        };
        let to = |fresh| Destination {
            profile: &profile,
            origin: &origin,
            public_only: false,
            fresh,
        };
        let client = Client::<Full<Bytes>>::default();
        let head = Head {
            method: &Method::GET,
            target: "/x",
            host: "localhost",
            fields: &HeaderMap::new(),
            own: &[],
        };
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream
        };
        let asked = client.send(to(false), &head, Full::default(), LONGEST_QUEUE);
        let (answer, mut first) = tokio::join!(asked, served);
        drop(answer.unwrap());
        let fresh = client
            .pool
            .checkout(to(true), Instant::now(), None, Asks::default())
            .await;
        assert!(fresh.is_ok());
        let open = "upauth_upstream_connections{upstream=\"api\"} 1";
        assert!(metrics.encode().contains(open));
        let end = tokio::time::timeout(LONGEST_QUEUE, first.read(&mut [0])).await;
        assert_eq!(end.unwrap().unwrap(), 0, "the idle one is open");
    }
}
