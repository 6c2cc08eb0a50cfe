//! A round trip over loopback with the connection kept alive: direct to a tiny origin, and through the real `App`. The
//! difference is what the proxy adds.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use upauth::app::App;
use upauth::telemetry::{AccessLog, Metrics};

use support::config;
use support::origin::{self, Caller, get};

fn round_trip(criterion: &mut Criterion) {
    let origin = origin::start();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [upstream.api]\nprovider = \"zuora\"\nlogin_url = \"http://{origin}\"\nclient_id = \"i\"\nclient_secret = \"s\"\n"
    );
    let app = App::start(&config(&text), &Metrics::new(), AccessLog::off()).unwrap();
    let proxy = app.addrs().server[0];
    for (kind, path, bytes) in [
        ("get_1_kib", "/small", 1024),
        ("chunked_32x512", "/chunked", 16384),
    ] {
        let mut group = criterion.benchmark_group(kind);
        group.throughput(Throughput::Bytes(bytes));
        for (way, addr, path) in [
            ("direct", origin, path.to_owned()),
            ("proxy", proxy, format!("/api{path}")),
        ] {
            let (mut caller, request) = (Caller::connect(addr), get(&path));
            group.bench_function(way, |bencher| bencher.iter(|| caller.ask(&request)));
        }
        group.finish();
    }
    app.stop(std::future::pending());
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
