//! What is known of a request when it is over: one access-log line and the metrics, whatever way it ended.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::in_flight::Taken;
use super::upstream::Upstream;
use crate::code;
use crate::egress::Broken;
use crate::provider::Surface;
use crate::server::Arrival;
use crate::telemetry::{AccessLog, Entry, Id, ShownPath, UpstreamMetrics};

/// The record of one request, filled in as it goes. Written when it is dropped, which is when the answer's body
/// ends, breaks off, or its caller leaves.
pub(super) struct Finish {
    pub(super) id: Id,
    pub(super) entry: Entry,
    arrived: Instant,
    /// When the upstream last began an answer.
    answered: Instant,
    log: AccessLog,
    metrics: Option<Arc<UpstreamMetrics>>,
    /// The place among the requests in flight: given back with the record.
    pub(super) place: Option<Taken>,
}

impl Finish {
    /// The record of a request that has just arrived.
    pub(super) fn new(id: Id, entry: Entry, arrived: Instant, log: AccessLog) -> Box<Self> {
        Box::new(Self {
            id,
            entry: Entry {
                id: Some(id),
                status: caller_left(),
                ..entry
            },
            arrived,
            answered: arrived,
            log,
            metrics: None,
            place: None,
        })
    }

    /// The upstream and its API family are known.
    pub(super) fn of(&mut self, upstream: &Upstream, surface: &Surface) {
        self.entry.surface = surface.name;
        self.entry.upstream = Some(upstream.name.clone());
        upstream.metrics.request_began();
        self.metrics = Some(upstream.metrics.clone());
    }

    /// What was sent at this time was answered, or failed, now.
    pub(super) fn waited(&mut self, since: Instant) {
        self.answered = Instant::now();
        let time = self.answered.saturating_duration_since(since);
        self.entry.upstream_time = Some(self.entry.upstream_time.unwrap_or_default() + time);
    }

    /// The head of the upstream's answer is ready; `token_time` of the time until then was spent waiting for tokens.
    pub(super) fn headed(&self, token_time: Duration) {
        if let Some(metrics) = &self.metrics {
            let others = self.entry.upstream_time.unwrap_or_default() + token_time;
            let all = self.answered.saturating_duration_since(self.arrived);
            metrics.own_time(all.saturating_sub(others));
        }
    }

    /// The request is sent again with a new credential.
    pub(super) fn replay(&mut self) {
        self.entry.replayed = true;
        if let Some(metrics) = &self.metrics {
            metrics.replayed();
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.entry.bytes += bytes as u64;
    }

    pub(super) fn broke(&self, broken: &Broken) {
        let upstream = self.entry.upstream();
        tracing::warn!(id = %self.id, upstream, error = %broken, "an answer broke off");
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.entry.status = StatusCode::INTERNAL_SERVER_ERROR;
            self.entry.code = Some(code::INTERNAL.id);
        }
        self.entry.duration = self.arrived.elapsed();
        if let Some(metrics) = &self.metrics {
            let answered = self.entry.status != caller_left();
            let status = if answered {
                self.entry.status.as_u16()
            } else {
                0
            };
            metrics.request_ended(status, self.entry.duration);
        }
        self.log.write(&self.entry);
    }
}

/// The beginning of a request's record.
pub(super) fn entry(arrival: &Arrival, method: Method) -> Entry {
    Entry {
        time: Duration::ZERO,
        id: None,
        upstream: None,
        surface: "",
        method,
        path: ShownPath::default(),
        status: StatusCode::OK,
        bytes: 0,
        duration: Duration::ZERO,
        upstream_time: None,
        replayed: false,
        code: None,
        key: None,
        client: arrival.client.clone(),
        caller: arrival.peer.clone(),
    }
}

/// 499, as other proxies log a caller who left before the answer; never sent.
fn caller_left() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
