//! What reading the current credential costs: alone, by several threads at once, and while a renewal is under way.
//!
//! A thread's figure is the wall time of a read while all the others read as well.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

mod support;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::time::Instant;
use upauth::clock::Clock;
use upauth::token::Handle;

use support::{Source, account, control};

/// The wall time of `count` reads on each of `threads` threads; each read has an instant of its own, as a request has.
fn together(handle: &Handle, threads: usize, count: u64) -> Duration {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let start = Instant::now();
                    for _ in 0..count {
                        black_box(handle.current(Instant::now())).unwrap();
                    }
                    start.elapsed()
                })
            })
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .max()
            .unwrap()
    })
}

fn current(criterion: &mut Criterion) {
    let control = control();
    let handle = account(Source::Ready, Clock::system(), &control);
    let mut group = criterion.benchmark_group("current");
    group.bench_function("instant_alone", |bencher| bencher.iter(Instant::now));
    let now = Instant::now();
    group.bench_function("read_alone", |bencher| {
        bencher.iter(|| handle.current(black_box(now)));
    });
    for threads in [1, 2, 4] {
        group.bench_function(format!("threads_{threads}"), |bencher| {
            bencher.iter_custom(|count| together(&handle, threads, count));
        });
    }
    group.finish();
}

fn current_while_renewing(criterion: &mut Criterion) {
    let control = control();
    let source = Source::Once(AtomicBool::new(false));
    let handle = account(source, Clock::system(), &control);
    let renewing = handle.clone();
    control.spawn(async move {
        renewing
            .renew(Instant::now() + Duration::from_secs(3600))
            .await
    });
    let mut group = criterion.benchmark_group("current_while_renewing");
    for threads in [1, 2] {
        group.bench_function(format!("threads_{threads}"), |bencher| {
            bencher.iter_custom(|count| together(&handle, threads, count));
        });
    }
    group.finish();
    control.shutdown_background();
}

criterion_group!(benches, current, current_while_renewing);
criterion_main!(benches);
