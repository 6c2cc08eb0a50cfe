//! Workers and the control runtime on threads of their own, in real time: what one worker rejected, it is not given
//! again, and wakes cross from runtime to runtime.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::{Handle, Settings};
use crate::clock::Clock;
use crate::provider::Lifetime;
use crate::token::script::{Act, Script, seconds};
use crate::token::{Refusals, Rejected};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_worker_is_not_given_again_what_it_rejected() {
    let source = Script::new(
        Duration::from_millis(1),
        [Act::Fresh(Lifetime::UntilUnusedFor(seconds(7200)))],
    );
    let control = runtime();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let handle = Handle::spawn(
        "crm".to_owned(),
        Arc::clone(&source) as _,
        Clock::system(),
        Settings::default(),
        Refusals::new(),
        control.handle(),
    );
    let control = thread::spawn(move || control.block_on(stopped));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let handle = handle.clone();
            thread::spawn(move || runtime().block_on(work(&handle)))
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    stop.send(()).unwrap();
    control.join().unwrap().unwrap();
    assert!(!source.overlapped.load(Ordering::SeqCst));
    assert_eq!(source.count() as u64, handle.status().logins);
}

#[tokio::test(start_paused = true)]
async fn a_current_token_is_read_as_it_is_while_the_lock_is_held() {
    let source = Script::new(seconds(1), [Act::Fresh(Lifetime::For(seconds(3600)))]);
    let handle = Handle::spawn(
        "crm".to_owned(),
        source,
        Clock::system(),
        Settings::default(),
        Refusals::new(),
        &tokio::runtime::Handle::current(),
    );
    let issued = handle.obtain(Instant::now() + seconds(20)).await.unwrap();
    let now = Instant::now();
    // The first use in a second is told to the life, the others are not.
    assert!(handle.current(now).is_some());
    let held = handle.account().lock();
    let (read, reading) = mpsc::channel();
    let worker = thread::spawn({
        let handle = handle.clone();
        move || read.send(handle.current(now))
    });
    let current = reading.recv_timeout(seconds(30));
    drop(held);
    worker.join().unwrap().unwrap();
    let current = current.expect("it waits for the lock").unwrap();
    // The header values are made once, at the login.
    assert!(Arc::ptr_eq(&current.credential, &issued.credential));
}

async fn work(handle: &Handle) {
    let mut dead = 0;
    for round in 0..5000 {
        let now = Instant::now();
        let issued = match handle.current(now) {
            Some(issued) => issued,
            None => handle.obtain(now + seconds(20)).await.unwrap(),
        };
        assert!(issued.generation() > dead, "given again");
        handle.confirm(&issued);
        if round % 100 == 0 && handle.reject(&issued) == Rejected::Renewing {
            dead = issued.generation();
        }
    }
}
