//! One worker's idle connections, newest first, and the cap on requests per origin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connection::{Connection, Line};
use super::failure::{Failure, Phase};
use super::{Destination, Outgoing, connect};
use crate::message::Origin;

/// The places where connections are kept, by profile. A profile has few origins, which are looked at one by one.
pub(super) struct Pool<B: Outgoing> {
    places: Mutex<BTreeMap<usize, Vec<Arc<Place<B>>>>>,
}

/// The connections of one profile to one origin: they are never shared with others.
pub(super) struct Place<B: Outgoing> {
    origin: Origin,
    public_only: bool,
    idle: Mutex<Vec<Box<Line<B>>>>,
    permits: Arc<Semaphore>,
}

impl<B: Outgoing> Default for Pool<B> {
    fn default() -> Self {
        Self {
            places: Mutex::default(),
        }
    }
}

impl<B: Outgoing> Pool<B> {
    /// A connection, once there is a place among the requests to this origin (waiting for one until `by`): the newest
    /// idle one that lives, else a new one.
    pub(super) async fn checkout(
        &self,
        to: Destination<'_>,
        by: Option<Instant>,
    ) -> Result<Connection<B>, Failure<B>> {
        let place = self.place(to);
        let permit = place.permit(by).await?;
        if !to.fresh {
            let now = Instant::now();
            while let Some(mut line) = place.take() {
                if line.is_fit(now) {
                    return Ok(Connection::reused(line, place, permit));
                }
            }
        }
        // Boxed: what it takes to connect would be part of every request.
        let stream = Box::pin(connect::connect(to)).await?;
        let line = Line::new(stream, &to.profile.metrics);
        Ok(Connection::new(line, place, permit))
    }

    /// Closes connections that are idle too long, or that the upstream has closed.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        lock(&self.places).retain(|_, places| {
            places.retain(|place| {
                let mut idle = lock(&place.idle);
                idle.retain_mut(|line| line.is_fit(now));
                // Nobody uses or waits for a place that only the pool knows.
                !(idle.is_empty() && Arc::strong_count(place) == 1)
            });
            !places.is_empty()
        });
    }

    fn place(&self, to: Destination<'_>) -> Arc<Place<B>> {
        let mut places = lock(&self.places);
        let places = places.entry(to.profile.id).or_default();
        let same = |place: &&Arc<Place<B>>| {
            place.public_only == to.public_only && place.origin == *to.origin
        };
        if let Some(place) = places.iter().find(same) {
            return place.clone();
        }
        let place = Arc::new(Place {
            origin: to.origin.clone(),
            public_only: to.public_only,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(to.profile.connections)),
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

    fn take(&self) -> Option<Box<Line<B>>> {
        lock(&self.idle).pop()
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, line: Box<Line<B>>) {
        let mut idle = lock(&self.idle);
        if idle.len() < MOST_IDLE {
            idle.push(line);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_IDLE: usize = 64;
const LONGEST_QUEUE: Duration = Duration::from_secs(60);
