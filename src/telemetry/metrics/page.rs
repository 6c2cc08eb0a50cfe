//! What stands on the page: each family with its help text, from the sums of all cells.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::cell::{Histogram, UpstreamMetrics};
use super::{All, Log};

/// Reads the cells at each scrape.
#[derive(Debug)]
pub(super) struct Page(pub(super) Arc<All>);

type Sums = [(String, UpstreamMetrics)];

impl Collector for Page {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let sums = self.0.sums();
        requests(&mut to, &sums)?;
        gauge(&mut to, &sums, IN_FLIGHT, |sum| &sum.in_flight)?;
        gauge(&mut to, &sums, CONNECTIONS, |sum| &sum.connections)?;
        tokens(&mut to, &sums)?;
        counts(&mut to, &sums, REPLAYS, |sum| &sum.replays)?;
        counts(&mut to, &sums, LINKS_PASSED, |sum| &sum.links_passed)?;
        counts(&mut to, &sums, REPLACED, |sum| &sum.replaced_unexpectedly)?;
        let mut family = counter(&mut to, KEYS)?;
        for (name, count) in self.0.keys().iter() {
            let labels = [("key", name.as_str())];
            write_counter(family.encode_family(&labels)?, count)?;
        }
        let mut family = counter(&mut to, STORE)?;
        for (operation, count) in OPERATIONS.iter().zip(&self.0.store_failures) {
            write_counter(family.encode_family(&[("operation", *operation)])?, count)?;
        }
        for (log, family) in DROPPED {
            let dropped = AtomicU64::new(self.0.dropped(log));
            write_counter(counter(&mut to, family)?, &dropped)?;
        }
        if let Some((taken, at)) = self.0.reload() {
            reload(&mut to, taken, at)?;
        }
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        to.encode_descriptor("build", "The running program", None, MetricType::Info)?
            .encode_info(&version)
    }
}

/// A family's name, without unit and `_total`, and its help text.
type Family = (&'static str, &'static str);

const REQUESTS: Family = (
    "requests",
    "Requests whose answer ended, by class of status",
);
const IN_FLIGHT: Family = ("requests_in_flight", "Requests whose answer has not ended");
const CONNECTIONS: Family = ("upstream_connections", "Open connections to the API");
const REPLAYS: Family = (
    "unauthorized_replays",
    "Requests sent again after a dead session",
);
const LINKS_PASSED: Family = (
    "links_passed",
    "Answers whose links were not turned, because they came compressed although that was not asked for",
);
const REPLACED: Family = (
    "refresh_tokens_replaced_unexpectedly",
    "Refresh tokens that were replaced although rotates = \"never\": unless they are stored, they end with the process",
);
const REFRESHES: Family = ("token_refresh", "Logins, by result");
const WAITERS: Family = ("token_waiters", "Requests that wait for a token");
const STORE: Family = (
    "store_failures",
    "What the store could not do, by what it was to do",
);
const KEYS: Family = ("key_requests", "Requests with a caller's key, by its name");
const DROPPED: [(Log, Family); 2] = [
    (
        Log::Access,
        (
            "access_log_dropped",
            "Lines of the access log that were not written",
        ),
    ),
    (
        Log::Diagnostics,
        (
            "log_dropped",
            "Lines to standard error that were not written",
        ),
    ),
];

fn requests(to: &mut DescriptorEncoder<'_>, sums: &Sums) -> fmt::Result {
    let mut family = counter(to, REQUESTS)?;
    for (name, sum) in sums {
        for (class, count) in CLASSES.iter().zip(&sum.requests) {
            if count.load(Ordering::Relaxed) > 0 {
                let labels = [("upstream", name.as_str()), ("code_class", class)];
                write_counter(family.encode_family(&labels)?, count)?;
            }
        }
    }
    let help = "From a request's arrival to the end of its answer";
    let mut family = seconds(to, "request_duration", help, MetricType::Histogram)?;
    for (name, sum) in sums {
        let labels = [("upstream", name.as_str())];
        write_histogram(family.encode_family(&labels)?, &sum.request_duration)?;
    }
    let help = "Of the time to the head of an answer what was the proxy's own: without the upstream and the wait for a token";
    let mut family = seconds(to, "proxy_overhead", help, MetricType::Histogram)?;
    for (name, sum) in sums {
        let labels = [("upstream", name.as_str())];
        write_histogram(family.encode_family(&labels)?, &sum.overhead)?;
    }
    Ok(())
}

fn tokens(to: &mut DescriptorEncoder<'_>, sums: &Sums) -> fmt::Result {
    let mut family = counter(to, REFRESHES)?;
    for (name, sum) in sums {
        for (result, count) in RESULTS.iter().zip(&sum.refreshes) {
            let labels = [("upstream", name.as_str()), ("result", result)];
            write_counter(family.encode_family(&labels)?, count)?;
        }
    }
    let all = Histogram::default();
    sums.iter()
        .for_each(|(_, sum)| all.absorb(&sum.refresh_duration));
    let help = "How long logins took";
    let family = seconds(to, "token_refresh_duration", help, MetricType::Histogram)?;
    write_histogram(family, &all)?;

    let waiters = sums
        .iter()
        .map(|(_, sum)| sum.waiters.load(Ordering::Relaxed));
    ConstGauge::new(waiters.sum::<i64>()).encode(to.encode_descriptor(
        WAITERS.0,
        WAITERS.1,
        None,
        MetricType::Gauge,
    )?)?;

    let help = "When the current token ends";
    let mut family = seconds(to, "token_expiry_timestamp", help, MetricType::Gauge)?;
    for (name, sum) in sums {
        let expiry = sum.expiry.load(Ordering::Relaxed);
        if expiry > 0 {
            let labels = [("upstream", name.as_str())];
            ConstGauge::new(expiry).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn reload(to: &mut DescriptorEncoder<'_>, taken: bool, at: Duration) -> fmt::Result {
    let help = "Whether the configuration was taken when it was last read";
    let name = "config_last_reload_successful";
    ConstGauge::new(i64::from(taken)).encode(to.encode_descriptor(
        name,
        help,
        None,
        MetricType::Gauge,
    )?)?;
    let help = "When a configuration was taken last";
    let name = "config_last_reload_success_timestamp";
    let seconds = seconds(to, name, help, MetricType::Gauge)?;
    ConstGauge::new(at.as_secs()).encode(seconds)
}

fn gauge(
    to: &mut DescriptorEncoder<'_>,
    sums: &Sums,
    (name, help): Family,
    read: impl Fn(&UpstreamMetrics) -> &AtomicI64,
) -> fmt::Result {
    let mut family = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (name, sum) in sums {
        let labels = [("upstream", name.as_str())];
        let value = read(sum).load(Ordering::Relaxed);
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counts(
    to: &mut DescriptorEncoder<'_>,
    sums: &Sums,
    family: Family,
    read: impl Fn(&UpstreamMetrics) -> &AtomicU64,
) -> fmt::Result {
    let mut family = counter(to, family)?;
    for (name, sum) in sums {
        let labels = [("upstream", name.as_str())];
        write_counter(family.encode_family(&labels)?, read(sum))?;
    }
    Ok(())
}

fn counter<'a>(
    to: &'a mut DescriptorEncoder<'_>,
    (name, help): Family,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    to.encode_descriptor(name, help, None, MetricType::Counter)
}

fn seconds<'a>(
    to: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    to.encode_descriptor(name, help, Some(&Unit::Seconds), kind)
}

fn write_counter(to: MetricEncoder<'_>, count: &AtomicU64) -> fmt::Result {
    ConstCounter::new(count.load(Ordering::Relaxed)).encode(to)
}

fn write_histogram(mut to: MetricEncoder<'_>, histogram: &Histogram) -> fmt::Result {
    let (sum, count, buckets) = histogram.read();
    to.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
}

/// By the first digit of the status.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// In the order of `StoreWork`.
const OPERATIONS: [&str; 3] = ["read", "write", "lease"];
/// In the order of `Refresh`.
const RESULTS: [&str; 3] = ["done", "refused", "unavailable"];
