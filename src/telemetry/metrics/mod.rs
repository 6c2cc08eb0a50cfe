//! Metrics in the OpenMetrics format, summed when they are asked for.
//!
//! The request path holds one [`UpstreamMetrics`] per worker and upstream: plain atomic counts that no
//! other core writes. Labels are names of upstreams and closed words, never a path or anything else
//! that a caller chooses.

mod cell;
mod page;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

pub use self::cell::{Refresh, StoreWork, UpstreamMetrics};

/// All metrics of this process. Clones are the same.
#[derive(Clone)]
pub struct Metrics {
    all: Arc<All>,
    registry: Arc<Registry>,
}

#[derive(Debug, Default)]
struct All {
    upstreams: Mutex<BTreeMap<String, Vec<Arc<UpstreamMetrics>>>>,
    dropped: Mutex<Vec<(Log, Arc<AtomicU64>)>>,
    /// In the order of [`StoreWork`].
    store_failures: [AtomicU64; 3],
    keys: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// Whether the configuration was taken when it was last read, and when one was taken last.
    reload: Mutex<Option<(bool, Duration)>>,
}

impl Metrics {
    /// No upstream yet.
    pub fn new() -> Self {
        let all = Arc::new(All::default());
        let mut registry = Registry::with_prefix("upauth");
        registry.register_collector(Box::new(page::Page(Arc::clone(&all))));
        Self {
            all,
            registry: Arc::new(registry),
        }
    }

    /// The cell of `upstream` that is shared: for what happens seldom (logins, expiry).
    pub fn upstream(&self, upstream: &str) -> Arc<UpstreamMetrics> {
        let mut upstreams = self.all.upstreams();
        let cells = upstreams.entry(upstream.to_owned()).or_default();
        if cells.is_empty() {
            cells.push(Arc::default());
        }
        cells.first().cloned().unwrap_or_default()
    }

    /// A new cell of `upstream` for one worker. When the worker lets go of it, its counts stay.
    pub fn for_worker(&self, upstream: &str) -> Arc<UpstreamMetrics> {
        let shared = self.upstream(upstream);
        let cell = Arc::<UpstreamMetrics>::default();
        let mut upstreams = self.all.upstreams();
        let cells = upstreams.entry(upstream.to_owned()).or_default();
        // Cells that no worker holds any more, after a reload, are folded into the shared one.
        cells.retain(|old| {
            let kept = Arc::ptr_eq(old, &shared) || Arc::strong_count(old) > 1;
            if !kept {
                shared.absorb(old);
            }
            kept
        });
        cells.push(Arc::clone(&cell));
        cell
    }

    /// The count of the requests with the key of this name: one for all workers.
    pub fn key(&self, name: &str) -> Arc<AtomicU64> {
        let mut keys = self.all.keys();
        keys.entry(name.to_owned()).or_default().clone()
    }

    /// Forgets an upstream that a reload took away.
    pub fn forget(&self, upstream: &str) {
        self.all.upstreams().remove(upstream);
    }

    /// The store could not do its work.
    pub fn store_failed(&self, work: StoreWork) {
        if let Some(count) = self.all.store_failures.get(work as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a log's count of dropped lines, see [`super::AccessLog::dropped`] and [`super::log::Rest::lost`].
    pub fn count_dropped(&self, log: Log, dropped: Arc<AtomicU64>) {
        let logs = self.all.dropped.lock();
        logs.unwrap_or_else(PoisonError::into_inner)
            .push((log, dropped));
    }

    /// The configuration was read: it was taken at this time since the Unix epoch, or not at all.
    pub fn reloaded(&self, taken: Option<Duration>) {
        let mut reload = self
            .all
            .reload
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = reload.map(|(_, at)| at).unwrap_or_default();
        *reload = Some((taken.is_some(), taken.unwrap_or(before)));
    }

    /// The page for `/metrics`, to be sent as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail, and `Page` has no failure of its own.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl All {
    /// Invariant: nothing panics while it is locked, so a poisoned lock holds whole values.
    fn upstreams(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Arc<UpstreamMetrics>>>> {
        self.upstreams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Arc<AtomicU64>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each upstream with the sum of its cells.
    fn sums(&self) -> Vec<(String, UpstreamMetrics)> {
        let upstreams = self.upstreams();
        let sum = |cells: &Vec<Arc<UpstreamMetrics>>| {
            let sum = UpstreamMetrics::default();
            cells.iter().for_each(|cell| sum.absorb(cell));
            sum
        };
        upstreams
            .iter()
            .map(|(name, cells)| (name.clone(), sum(cells)))
            .collect()
    }

    fn reload(&self) -> Option<(bool, Duration)> {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self, log: Log) -> u64 {
        let logs = self.dropped.lock();
        let logs = logs.unwrap_or_else(PoisonError::into_inner);
        let logs = logs.iter().filter(|(of, _)| *of == log);
        logs.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
    }
}

/// Which log lines were dropped of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// One line for each request.
    Access,
    /// Standard error.
    Diagnostics,
}

/// What Prometheus 3 wants to be told; without it the page is refused.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn has(page: &str, line: &str) {
        assert!(page.lines().any(|l| l == line), "{line}\nnot in\n{page}");
    }

    #[test]
    fn cells_of_all_workers_are_summed() {
        let metrics = Metrics::new();
        for status in [200, 204, 503] {
            let worker = metrics.for_worker("crm");
            worker.request_began();
            worker.own_time(Duration::from_micros(50));
            worker.request_ended(status, Duration::from_millis(3));
            worker.request_began();
        }
        let page = metrics.encode();
        has(
            &page,
            r#"upauth_requests_total{upstream="crm",code_class="2xx"} 2"#,
        );
        has(
            &page,
            r#"upauth_requests_total{upstream="crm",code_class="5xx"} 1"#,
        );
        has(&page, r#"upauth_requests_in_flight{upstream="crm"} 3"#);
        has(
            &page,
            r#"upauth_request_duration_seconds_count{upstream="crm"} 3"#,
        );
        has(
            &page,
            r#"upauth_proxy_overhead_seconds_count{upstream="crm"} 3"#,
        );
        let bucket = r#"upauth_request_duration_seconds_bucket{le="#;
        has(&page, &format!(r#"{bucket}"0.0025",upstream="crm"}} 0"#));
        has(&page, &format!(r#"{bucket}"0.005",upstream="crm"}} 3"#));
        has(&page, &format!(r#"{bucket}"+Inf",upstream="crm"}} 3"#));
    }

    #[test]
    fn counts_stay_when_workers_let_go_and_cells_do_not_pile_up() {
        let metrics = Metrics::new();
        for _ in 0..1000 {
            metrics.for_worker("crm").replayed();
        }
        let line = r#"upauth_unauthorized_replays_total{upstream="crm"} 1000"#;
        has(&metrics.encode(), line);
        assert!(metrics.all.upstreams()["crm"].len() <= 3);
        metrics.forget("crm");
        assert!(!metrics.encode().contains("crm"));
    }

    #[test]
    fn logins_are_counted_by_result() {
        let metrics = Metrics::new();
        let crm = metrics.upstream("crm");
        crm.refreshed(Refresh::Done, Duration::from_millis(300));
        crm.refreshed(Refresh::Refused, Duration::from_secs(1));
        crm.expires_at(Some(Duration::from_secs(1_795_440_000)));
        metrics.upstream("erp").waiter_came();
        metrics.upstream("crm").waiter_came();
        let page = metrics.encode();
        let total = "upauth_token_refresh_total";
        has(
            &page,
            &format!(r#"{total}{{upstream="crm",result="done"}} 1"#),
        );
        has(
            &page,
            &format!(r#"{total}{{upstream="crm",result="refused"}} 1"#),
        );
        has(&page, "upauth_token_refresh_duration_seconds_count 2");
        has(&page, "upauth_token_waiters 2");
        has(
            &page,
            r#"upauth_token_expiry_timestamp_seconds{upstream="crm"} 1795440000"#,
        );
        crm.expires_at(None);
        assert!(!metrics.encode().contains("expiry_timestamp_seconds{"));
    }

    #[test]
    fn failures_of_the_store_are_counted_by_what_it_was_to_do() {
        let metrics = Metrics::new();
        metrics.store_failed(StoreWork::Write);
        let page = metrics.encode();
        has(&page, r#"upauth_store_failures_total{operation="read"} 0"#);
        has(&page, r#"upauth_store_failures_total{operation="write"} 1"#);
    }

    #[test]
    fn requests_are_counted_by_the_name_of_their_key() {
        let metrics = Metrics::new();
        for _ in 0..2 {
            metrics.key("etl").fetch_add(1, Ordering::Relaxed);
        }
        let page = metrics.encode();
        has(&page, r#"upauth_key_requests_total{key="etl"} 2"#);
    }

    #[test]
    fn a_refused_reload_leaves_the_time_of_the_last_good_one() {
        let metrics = Metrics::new();
        assert!(!metrics.encode().contains("config_last_reload"));
        metrics.reloaded(Some(Duration::from_secs(1_795_440_000)));
        let time = "upauth_config_last_reload_success_timestamp_seconds 1795440000";
        for (taken, successful) in [(None, 0), (Some(Duration::from_secs(1_795_440_000)), 1)] {
            metrics.reloaded(taken);
            let page = metrics.encode();
            has(
                &page,
                &format!("upauth_config_last_reload_successful {successful}"),
            );
            has(&page, time);
        }
    }

    #[test]
    fn the_page_is_open_metrics() {
        let metrics = Metrics::new();
        metrics.count_dropped(Log::Access, Arc::new(AtomicU64::new(7)));
        metrics.count_dropped(Log::Diagnostics, Arc::new(AtomicU64::new(8)));
        let page = metrics.encode();
        has(&page, "upauth_access_log_dropped_total 7");
        has(&page, "upauth_log_dropped_total 8");
        has(
            &page,
            concat!(
                "upauth_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
        );
        has(&page, "# UNIT upauth_request_duration_seconds seconds");
        assert!(page.ends_with("# EOF\n"), "{page}");
    }
}
