//! A token that outlives its process: what the next one makes of it.

mod shared;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Keeping, Kept};
use crate::clock::Clock;
use crate::provider::{Credential, Lifetime, LoginFailure};
use crate::secret::Secret;
use crate::token::script::{number, prints, seconds, token, transient};
use crate::token::store::{Kind, Lease, Memory, Name, Put, Record, Store, StoreError, StoreFuture};
use crate::token::{
    Answered, Exchange, ExchangeFuture, Exchanged, Handle, Issued, LineageFuture, Refusals,
    SecretsFuture, Settings, Unfinished,
};

/// What outlives a process: the store, the token endpoint, the wall clock.
struct World {
    store: Arc<Shelf>,
    wire: Arc<Wire>,
    name: Name,
}

/// A token endpoint; its answers are their numbers.
struct Wire {
    count: AtomicU64,
    lifetime: Mutex<Lifetime>,
    /// Today's mapping takes no answer.
    strict: AtomicBool,
    start: Instant,
    /// By how many seconds the wall clock is set back.
    back: AtomicU64,
}

/// A memory store that counts and can be broken.
#[derive(Default)]
struct Shelf {
    memory: Memory,
    gets: AtomicU64,
    broken: AtomicBool,
}

impl Shelf {
    fn fails(&self) -> Result<(), StoreError> {
        match self.broken.load(Ordering::SeqCst) {
            true => Err(StoreError::Busy("broken")),
            false => Ok(()),
        }
    }
}

impl Store for Shelf {
    fn get<'a>(&'a self, name: &'a Name) -> StoreFuture<'a, Option<Record>> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            self.fails()?;
            self.memory.get(name).await
        })
    }

    fn put<'a>(&'a self, name: &'a Name, known: u64, value: Vec<u8>) -> StoreFuture<'a, Put> {
        Box::pin(async move {
            self.fails()?;
            self.memory.put(name, known, value).await
        })
    }

    fn lease<'a>(&'a self, name: &'a Name, wait: Duration) -> StoreFuture<'a, Lease> {
        self.memory.lease(name, wait)
    }
}

impl Wire {
    fn wall(&self) -> Duration {
        let back = seconds(self.back.load(Ordering::SeqCst));
        seconds(1_700_000_000) + self.start.elapsed() - back
    }
}

impl Exchange for Arc<Wire> {
    fn exchange<'a>(&'a self, _: &'a [Secret]) -> ExchangeFuture<'a> {
        Box::pin(async {
            let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Exchanged {
                credential: token(number, *self.lifetime.lock().unwrap()),
                answer: Answered {
                    body: Bytes::from(number.to_string()),
                    sent: self.wall(),
                },
                successor: None,
            })
        })
    }

    fn read(&self, answered: &Answered) -> Result<Credential, LoginFailure> {
        if self.strict.load(Ordering::SeqCst) {
            return Err(transient(None));
        }
        let number = std::str::from_utf8(&answered.body).unwrap();
        Ok(token(
            number.parse().unwrap(),
            *self.lifetime.lock().unwrap(),
        ))
    }

    fn lineage(&self) -> LineageFuture<'_> {
        Box::pin(async { Err(transient(None)) })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        Box::pin(async { Ok(prints()) })
    }
}

impl World {
    fn new(lifetime: Lifetime) -> Self {
        let wire = Wire {
            count: AtomicU64::new(0),
            lifetime: Mutex::new(lifetime),
            strict: AtomicBool::new(false),
            start: Instant::now(),
            back: AtomicU64::new(0),
        };
        Self {
            store: Arc::default(),
            wire: Arc::new(wire),
            name: Name::of(Kind::Token, [b"crm".as_slice()]),
        }
    }

    fn clock(&self) -> Clock {
        let wire = Arc::clone(&self.wire);
        Clock::with_wall(move || wire.wall())
    }

    fn source(&self) -> (Kept<Arc<Wire>>, Unfinished) {
        let unfinished = Unfinished::new();
        let runtime = tokio::runtime::Handle::current();
        let keeping = Keeping {
            store: self.store.clone(),
            unfinished: unfinished.clone(),
            runtime,
        };
        let keeping = Some((keeping, self.name.clone()));
        let source = Kept::new(Arc::clone(&self.wire), "crm", self.clock(), keeping);
        (source, unfinished)
    }

    /// What a process has of the account; the one before has ended.
    fn process(&self) -> (Handle, Unfinished) {
        let (source, unfinished) = self.source();
        let (source, clock) = (Arc::new(source), self.clock());
        let (settings, refusals) = (Settings::default(), Refusals::new());
        let runtime = tokio::runtime::Handle::current();
        let handle = Handle::spawn("crm".into(), source, clock, settings, refusals, &runtime);
        (handle, unfinished)
    }

    fn logins(&self) -> u64 {
        self.wire.count.load(Ordering::SeqCst)
    }
}

/// The number of the token that a caller gets; what there is to be stored is stored then.
async fn get((handle, unfinished): &(Handle, Unfinished)) -> (Issued, u64) {
    let now = Instant::now();
    let issued = match handle.current(now) {
        Some(issued) => issued,
        None => handle.obtain(now + seconds(20)).await.unwrap(),
    };
    assert!(unfinished.settle(seconds(1)).await);
    let number = number(&issued.credential);
    (issued, number)
}

const HOUR: Lifetime = Lifetime::For(seconds(3600));
const NO_EXPIRY: Lifetime = Lifetime::UntilUnusedFor(seconds(7200));

#[tokio::test(start_paused = true)]
async fn a_restart_costs_no_login_while_the_token_lives() {
    let world = World::new(HOUR);
    assert_eq!(get(&world.process()).await.1, 1);
    for _ in 0..3 {
        sleep(seconds(1000)).await;
        assert_eq!(get(&world.process()).await.1, 1);
    }
    assert_eq!(world.logins(), 1);
    sleep(seconds(600)).await;
    assert_eq!(get(&world.process()).await.1, 2);
}

#[tokio::test(start_paused = true)]
async fn many_cold_callers_cost_one_look_and_nobody_looks_without_need() {
    let world = World::new(HOUR);
    get(&world.process()).await;
    let looked = world.store.gets.load(Ordering::SeqCst);
    let unused = world.process();
    sleep(seconds(100)).await;
    unused.0.status();
    assert_eq!(world.store.gets.load(Ordering::SeqCst), looked);
    let (handle, _) = world.process();
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let handle = handle.clone();
        callers.spawn(async move { handle.obtain(Instant::now() + seconds(20)).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.store.gets.load(Ordering::SeqCst), looked + 1);
    assert_eq!(world.logins(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_rejected_is_not_served_after_a_restart() {
    let world = World::new(HOUR);
    let process = world.process();
    let (issued, _) = get(&process).await;
    process.0.reject(&issued);
    assert!(process.1.settle(seconds(1)).await);
    assert_eq!(get(&world.process()).await.1, 2);
    // One that was restored is no better.
    let process = world.process();
    let (issued, number) = get(&process).await;
    assert_eq!(number, 2);
    process.0.reject(&issued);
    assert!(process.1.settle(seconds(1)).await);
    assert_eq!(get(&world.process()).await.1, 3);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_that_the_next_login_brings_again_is_not_served_after_a_restart() {
    let world = World::new(HOUR);
    let process = world.process();
    let (issued, _) = get(&process).await;
    world.wire.count.store(0, Ordering::SeqCst);
    process.0.reject(&issued);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.logins(), 1, "it came again");
    assert!(process.1.settle(seconds(1)).await);
    drop(process);
    assert_eq!(get(&world.process()).await.1, 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_expiry_outlives_a_restart_for_as_long_as_it_was_used() {
    let world = World::new(NO_EXPIRY);
    let process = world.process();
    for _ in 0..3 * 3600 {
        get(&process).await;
        sleep(seconds(1)).await;
    }
    drop(process);
    sleep(seconds(3000)).await;
    assert_eq!(get(&world.process()).await.1, 1);
    assert_eq!(world.logins(), 1);
    sleep(seconds(3600)).await;
    assert_eq!(get(&world.process()).await.1, 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_read_by_todays_mapping_and_one_from_the_future_not_at_all() {
    let world = World::new(HOUR);
    get(&world.process()).await;
    world.wire.strict.store(true, Ordering::SeqCst);
    assert_eq!(get(&world.process()).await.1, 2);
    world.wire.strict.store(false, Ordering::SeqCst);
    *world.wire.lifetime.lock().unwrap() = Lifetime::For(seconds(100));
    sleep(seconds(101)).await;
    assert_eq!(get(&world.process()).await.1, 3);
    world.wire.back.store(3000, Ordering::SeqCst);
    assert_eq!(get(&world.process()).await.1, 4);
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_costs_logins_and_no_request() {
    let world = World::new(HOUR);
    world.store.broken.store(true, Ordering::SeqCst);
    let process = world.process();
    let (issued, number) = get(&process).await;
    assert_eq!(number, 1);
    process.0.reject(&issued);
    assert_eq!(get(&process).await.1, 2);
    assert_eq!(get(&world.process()).await.1, 3);
    world.store.broken.store(false, Ordering::SeqCst);
    let process = world.process();
    assert_eq!(get(&process).await.1, 4, "nothing was stored");
    assert_eq!(get(&world.process()).await.1, 4);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_holds_shows_no_token_in_debug() {
    let answered = Answered {
        body: Bytes::from_static(b"hunter2"),
        sent: Duration::ZERO,
    };
    assert!(!format!("{answered:?}").contains("hunter2"));
    let record = Record {
        version: 1,
        value: b"hunter2".to_vec(),
    };
    let shown = format!("{record:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("104, 117"),
        "{shown}"
    );
}
