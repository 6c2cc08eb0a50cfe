//! What many upstreams cost: reading the file, starting, the memory of those that nobody uses, and a request among them.
//!
//! The memory is printed, not asserted: the growth of the process (VmRSS) by each upstream of a started proxy.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a bench"
)]

mod support;

use std::fmt::Write;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use upauth::app::App;
use upauth::telemetry::{AccessLog, Metrics};

use support::config;
use support::origin::{self, Caller, get};

/// A file with `count` accounts of one origin.
fn file(count: usize, origin: SocketAddr) -> String {
    let mut text =
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for n in 0..count {
        let _ = write!(
            text,
            "[upstream.api-{n}]\nprovider = \"zuora\"\nlogin_url = \"http://{origin}\"\n\
             client_id = \"id-{n}\"\nclient_secret = \"secret-{n}\"\n"
        );
    }
    text
}

fn start(text: &str) -> App {
    App::start(&config(text), &Metrics::new(), AccessLog::off()).unwrap()
}

/// Before anything else grows the process: 2,000 upstreams beside one.
fn memory(origin: SocketAddr) {
    let one = start(&file(1, origin));
    let before = resident();
    let many = start(&file(2000, origin));
    let grown = resident().saturating_sub(before);
    eprintln!(
        "memory of an upstream that nobody uses: {} KiB",
        grown / 2000
    );
    for app in [one, many] {
        app.stop(std::future::pending());
    }
}

fn scale(criterion: &mut Criterion) {
    let origin = origin::start();
    memory(origin);
    let counts = [1, 100, 2000];
    let mut group = criterion.benchmark_group("read");
    for count in counts {
        let text = file(count, origin);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(config(&text)));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("start_and_stop");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    for count in counts {
        let text = file(count, origin);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| start(&text).stop(std::future::pending()));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("get_1_kib_among");
    for count in counts {
        let app = start(&file(count, origin));
        let mut caller = Caller::connect(app.addrs().server[0]);
        let request = get(&format!("/api-{}/small", count - 1));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| caller.ask(&request));
        });
        drop(caller);
        app.stop(std::future::pending());
    }
    group.finish();
}

/// The process's resident memory in KiB, where the system tells.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse().ok())
        .unwrap_or_default()
}

criterion_group!(benches, scale);
criterion_main!(benches);
