//! What is known of a request when it is over: one access-log line and the metrics, whatever way it ended.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::upstream::Upstream;
use crate::code::{self, Code};
use crate::egress::Broken;
use crate::telemetry::{AccessLog, Entry, Id, UpstreamMetrics};

/// The record of one request, filled in as it goes. Written when it is dropped, which is when the answer's body
/// ends, breaks off, or its caller leaves.
pub(super) struct Finish {
    pub(super) id: Id,
    pub(super) arrived: Instant,
    pub(super) time: Duration,
    pub(super) method: Method,
    pub(super) target: Bytes,
    pub(super) caller: SocketAddr,
    pub(super) upstream: Arc<str>,
    pub(super) surface: &'static str,
    pub(super) status: StatusCode,
    pub(super) code: Option<&'static Code>,
    pub(super) upstream_time: Option<Duration>,
    pub(super) replayed: bool,
    pub(super) metrics: Option<Arc<UpstreamMetrics>>,
    pub(super) log: AccessLog,
    /// The place among the requests in flight: given back with the record.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

/// What is known of a request when it arrives.
pub(super) struct Begin {
    pub(super) id: Id,
    pub(super) arrived: Instant,
    pub(super) time: Duration,
    pub(super) method: Method,
    pub(super) target: Bytes,
    pub(super) caller: SocketAddr,
    pub(super) log: AccessLog,
}

impl Finish {
    pub(super) fn new(begin: Begin) -> Self {
        Self {
            id: begin.id,
            arrived: begin.arrived,
            time: begin.time,
            method: begin.method,
            target: begin.target,
            caller: begin.caller,
            log: begin.log,
            permit: None,
            upstream: Arc::from(""),
            surface: "",
            status: caller_left(),
            code: None,
            upstream_time: None,
            replayed: false,
            metrics: None,
            bytes: 0,
        }
    }

    /// The upstream is known.
    pub(super) fn of(&mut self, upstream: &Upstream) {
        self.upstream = upstream.name.clone();
        upstream.metrics.request_began();
        self.metrics = Some(upstream.metrics.clone());
    }

    /// The upstream took this long to begin an answer.
    pub(super) fn waited(&mut self, time: Duration) {
        self.upstream_time = Some(self.upstream_time.unwrap_or_default() + time);
    }

    /// The request is sent again with a new credential.
    pub(super) fn replay(&mut self) {
        self.replayed = true;
        if let Some(metrics) = &self.metrics {
            metrics.replayed();
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn broke(&self, broken: &Broken) {
        tracing::warn!(id = %self.id, upstream = %self.upstream, error = %broken, "an answer broke off");
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.status = StatusCode::INTERNAL_SERVER_ERROR;
            self.code = Some(&code::INTERNAL);
        }
        let duration = self.arrived.elapsed();
        if let Some(metrics) = &self.metrics {
            metrics.request_ended(self.status.as_u16(), duration);
        }
        if !self.log.is_on() {
            return;
        }
        self.log.write(Entry {
            time: self.time,
            id: Some(self.id),
            upstream: self.upstream.clone(),
            surface: Cow::Borrowed(self.surface),
            method: self.method.clone(),
            target: self.target.clone(),
            status: self.status,
            bytes: self.bytes,
            duration,
            upstream_time: self.upstream_time,
            replayed: self.replayed,
            code: self.code.map(|code| code.id),
            caller: Some(self.caller),
        });
    }
}

/// 499, as other proxies log a caller who left before the answer; never sent.
fn caller_left() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
