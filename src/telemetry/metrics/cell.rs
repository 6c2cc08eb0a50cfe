//! The counts of one upstream in one place: atomics that are added to, never locked.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// With a credential.
    Done,
    /// The provider said no.
    Refused,
    /// Unreachable, slow, or nonsense.
    Unavailable,
}

/// What a store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreWork {
    /// Reads a record.
    Read,
    /// Writes a record.
    Write,
    /// Gives a lease.
    Lease,
}

/// Counts of one upstream, for one worker or shared by those who count seldom.
#[derive(Debug, Default)]
pub struct UpstreamMetrics {
    /// By class of status, from 1xx; the first is for answers without one (the caller went away).
    pub(super) requests: [AtomicU64; 6],
    pub(super) request_duration: Histogram,
    pub(super) overhead: Histogram,
    pub(super) in_flight: AtomicI64,
    pub(super) connections: AtomicI64,
    pub(super) replays: AtomicU64,
    pub(super) links_passed: AtomicU64,
    pub(super) refreshes: [AtomicU64; 3],
    pub(super) refresh_duration: Histogram,
    pub(super) replaced_unexpectedly: AtomicU64,
    pub(super) waiters: AtomicI64,
    /// Seconds since the epoch; 0: no expiry is known.
    pub(super) expiry: AtomicU64,
}

impl UpstreamMetrics {
    /// A request was admitted.
    pub fn request_began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// The body of its answer ended, or its caller went away (`status` 0).
    pub fn request_ended(&self, status: u16, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(class) = self.requests.get(usize::from(status / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.request_duration.observe(took);
    }

    /// The head of an answer was ready, and so much of the time until then was the proxy's own.
    pub fn own_time(&self, took: Duration) {
        self.overhead.observe(took);
    }

    /// A connection to the API was made.
    pub fn connection_opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection to the API ended.
    pub fn connection_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request was sent again after a dead session.
    pub fn replayed(&self) {
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    /// Links of an answer were not turned, because it came in a coding that was not asked for.
    pub fn links_passed(&self) {
        self.links_passed.fetch_add(1, Ordering::Relaxed);
    }

    /// A login ended.
    pub fn refreshed(&self, how: Refresh, took: Duration) {
        if let Some(count) = self.refreshes.get(how as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.refresh_duration.observe(took);
    }

    /// A login brought another refresh token, although the operator says that there is never one.
    pub fn replaced_unexpectedly(&self) {
        self.replaced_unexpectedly.fetch_add(1, Ordering::Relaxed);
    }

    /// A request began to wait for a token.
    pub fn waiter_came(&self) {
        self.waiters.fetch_add(1, Ordering::Relaxed);
    }

    /// A request no longer waits for a token.
    pub fn waiter_went(&self) {
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }

    /// The current token ends then (since the Unix epoch); `None`: there is none, or it names no end.
    pub fn expires_at(&self, wall: Option<Duration>) {
        let seconds = wall.map_or(0, |wall| wall.as_secs());
        self.expiry.store(seconds, Ordering::Relaxed);
    }

    /// Adds the counts of `other`.
    pub(super) fn absorb(&self, other: &Self) {
        absorb_all(&self.requests, &other.requests);
        absorb_all(&self.refreshes, &other.refreshes);
        self.request_duration.absorb(&other.request_duration);
        self.overhead.absorb(&other.overhead);
        self.refresh_duration.absorb(&other.refresh_duration);
        absorb_all(
            [
                &self.replays,
                &self.links_passed,
                &self.replaced_unexpectedly,
            ],
            [
                &other.replays,
                &other.links_passed,
                &other.replaced_unexpectedly,
            ],
        );
        let gauges = [
            (&self.in_flight, &other.in_flight),
            (&self.connections, &other.connections),
            (&self.waiters, &other.waiters),
        ];
        for (own, other) in gauges {
            own.fetch_add(other.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let expiry = other.expiry.load(Ordering::Relaxed);
        self.expiry.fetch_max(expiry, Ordering::Relaxed);
    }
}

/// How many took up to each of [`BOUNDS`], and longer.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn absorb(&self, other: &Self) {
        absorb_all(&self.buckets, &other.buckets);
        absorb_all([&self.nanos], [&other.nanos]);
    }

    /// Sum in seconds, count, and the buckets with their upper bounds.
    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.map(|nanos| Duration::from_nanos(nanos).as_secs_f64());
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds
            .into_iter()
            .chain([f64::INFINITY])
            .zip(counts)
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let nanos = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        (nanos.as_secs_f64(), count, buckets)
    }
}

fn absorb_all<'a>(
    own: impl IntoIterator<Item = &'a AtomicU64>,
    other: impl IntoIterator<Item = &'a AtomicU64>,
) {
    for (own, other) in own.into_iter().zip(other) {
        own.fetch_add(other.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// In nanoseconds: half a millisecond to a minute.
const BOUNDS: [u64; 15] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    15_000_000_000,
    60_000_000_000,
];
