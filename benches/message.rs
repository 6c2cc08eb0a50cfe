//! What the rules of forwarding cost a request, without sockets: refusing, reading the path, finding the surface, making
//! ready, putting the credential on.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use upauth::clock::Clock;
use upauth::config::Config;
use upauth::egress::Profile;
use upauth::message::twins::Names;
use upauth::message::{Guard, Own, Readings, Target, check, forwarding};
use upauth::provider::Provider;
use upauth::proxy::{Making, Prepared, Upstream};
use upauth::telemetry::{Ids, Metrics};
use upauth::token::Handle;

use support::{Source, account, config, control, credential, upstream};

/// A path of each provider's REST surface.
const PATHS: [(&str, &str); 3] = [
    (
        "salesforce",
        "/services/data/v60.0/sobjects/Account/001D000000IqhSL?fields=Name",
    ),
    ("zilliant", "/api/v1/prices?product=17"),
    ("zuora", "/v1/accounts/A00000001/summary"),
];

/// What a talkative client sends beside `Host`.
const RICH: [(&str, &str); 18] = [
    ("accept", "application/json, text/plain, */*"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("authorization", "Bearer not-the-token"),
    ("cache-control", "no-cache"),
    ("connection", "keep-alive, x-internal"),
    ("content-type", "application/json; charset=utf-8"),
    ("cookie", "a=1; sid=00D5g!AQ; b=2; BrowserId=XYZ"),
    ("forwarded", "for=192.0.2.1;proto=https"),
    (
        "if-none-match",
        "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
    ),
    ("keep-alive", "timeout=5"),
    ("sforce-call-options", "client=bench"),
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    ),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-internal", "1"),
    ("x-request-id", "7b1c7cbd-6c1f-4ea6-b1ad-3b4c7d1c2f55"),
];

fn parts(path: &str, fields: &[(&'static str, &'static str)]) -> Parts {
    let mut request = Request::get(path).header("host", "localhost:7717");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn made(config: &Config, name: &str, tokens: &Handle) -> Upstream {
    let config = upstream(config, name);
    let metrics = Metrics::new().upstream(name);
    let removed = config.remove_headers.iter();
    Upstream {
        local_login: true,
        name: Arc::from(name),
        label: HeaderValue::from_str(name).unwrap(),
        provider: Arc::new(Provider::of(config)),
        policies: vec![config.policy.clone()],
        set_headers: config.set_headers.clone(),
        remove_headers: Names::of(removed.map(HeaderName::as_str)),
        token_wait: config.token_wait,
        response_timeout: config.response_timeout,
        profile: Profile {
            id: 0,
            tls: upauth::tls::Trust::new(&[]),
            connect_timeout: Duration::from_secs(5),
            proxy: None,
            connections: config.connections,
            http2: false,
            metrics: metrics.clone(),
        },
        tokens: tokens.clone(),
        metrics,
    }
}

fn prepare_and_attempt(criterion: &mut Criterion) {
    let control = control();
    let tokens = account(Source::Ready, Clock::system(), &control);
    let config = config(support::PROVIDERS);
    let (credential, ids, via) = (
        credential(),
        Ids::new(),
        forwarding::via("0123456789abcdef"),
    );
    let mut group = criterion.benchmark_group("prepare_and_attempt");
    for (name, path) in PATHS {
        let upstream = made(&config, name, &tokens);
        let surface = &upstream.provider.rest;
        let base = upstream.provider.target(surface, &credential).unwrap();
        for (kind, fields) in [("small", RICH.get(..1)), ("rich", Some(&RICH[..]))] {
            let parts = parts(path, fields.unwrap());
            group.bench_function(format!("{name}/{kind}"), |bencher| {
                bencher.iter_batched(
                    || parts.clone(),
                    |parts| {
                        let target = Target::of(&parts.uri).unwrap();
                        let making = Making {
                            upstream: &upstream,
                            surface,
                            id: ids.next(),
                            via: &via,
                            readable: false,
                        };
                        let prepared = Prepared::new(parts, &target, &making).unwrap();
                        let attempt = prepared.attempt(surface, &credential, base);
                        let _ = black_box(attempt.unwrap().head());
                        prepared
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn readings_and_surface(criterion: &mut Criterion) {
    let config = config(support::PROVIDERS);
    let mut group = criterion.benchmark_group("readings_and_surface");
    for (name, path) in PATHS {
        let provider = Provider::of(upstream(&config, name));
        let target = Target::of(&path.parse().unwrap()).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let readings = Readings::of(black_box(target.path()));
                provider.surface(&readings).name
            });
        });
    }
    group.finish();
}

fn refusals(criterion: &mut Criterion) {
    let own = Own::new(["proxy.example".to_owned()], Vec::new(), None);
    let guard = Guard::new(own, Vec::new());
    for (kind, fields) in [("small", RICH.get(..1)), ("rich", Some(&RICH[..]))] {
        let parts = parts("/crm/services/data", fields.unwrap());
        criterion.bench_function(&format!("check/{kind}"), |bencher| {
            bencher.iter(|| check::check(black_box(&parts)));
        });
        criterion.bench_function(&format!("guard/{kind}"), |bencher| {
            bencher.iter(|| guard.check(black_box(&parts)));
        });
    }
}

criterion_group!(benches, prepare_and_attempt, readings_and_surface, refusals);
criterion_main!(benches);
