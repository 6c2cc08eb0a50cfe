//! A world for refresh tokens: a store and a provider that outlive processes, and processes that are killed between any
//! two of their steps.

mod claims;
mod crashes;
mod predecessors;
mod process;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use self::process::{Process, Shelf};
use super::{Redeeming, Rotating};
use crate::clock::Clock;
use crate::provider::{Lifetime, Rotation};
use crate::token::script::{Chance, seconds};
use crate::token::store::{Grant, Kind, Memory, Name, Store, decode, encode};
use crate::token::{Keeping, NotExchanged, Unfinished};

/// How the provider goes about refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// It never replaces one.
    Keeps,
    /// A spent one is good for five minutes more.
    Grace,
    /// A spent one ends everything.
    Strict,
}

/// What outlives processes.
struct World {
    kind: Way,
    start: Instant,
    memory: Memory,
    /// Every refresh token that was ever stored.
    stored: Mutex<HashSet<String>>,
    provider: Mutex<Books>,
    /// What store and network do wrong, in percent of all that is asked of them.
    trouble: AtomicU64,
    chance: Mutex<Chance>,
    /// Nothing can be written.
    full: AtomicBool,
    /// The same, once an intent was.
    full_after_intent: AtomicBool,
    /// Nothing can be read.
    blind: AtomicBool,
    /// What becomes of the next exchange, which does not reach the provider.
    next: Mutex<Option<NotExchanged>>,
    /// What somebody without a lease writes during the next exchange.
    meanwhile: Mutex<Option<Grant>>,
    /// How many of the next answers are lost.
    lose: Mutex<u64>,
    /// What stands in the place of the next refresh token, for once.
    word: Mutex<Option<&'static str>>,
    /// What happened, in order.
    trace: Mutex<Vec<String>>,
}

/// The provider's books.
struct Books {
    /// When each refresh token was spent first.
    tokens: HashMap<String, Option<Instant>>,
    issued: u64,
    revoked: bool,
    /// Exchanges that were good.
    exchanges: u64,
    /// The process whose exchange is under way.
    under_way: Option<usize>,
    /// The refresh token that came with each access token.
    beside: HashMap<u64, String>,
}

impl World {
    fn new(kind: Way, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            kind,
            start: Instant::now(),
            memory: Memory::default(),
            stored: Mutex::default(),
            provider: Mutex::new(Books {
                tokens: HashMap::from([("seed".to_owned(), None)]),
                issued: 0,
                revoked: false,
                exchanges: 0,
                under_way: None,
                beside: HashMap::new(),
            }),
            trouble: AtomicU64::new(0),
            chance: Mutex::new(Chance(seed)),
            full: AtomicBool::new(false),
            full_after_intent: AtomicBool::new(false),
            blind: AtomicBool::new(false),
            next: Mutex::default(),
            meanwhile: Mutex::default(),
            lose: Mutex::default(),
            word: Mutex::default(),
            trace: Mutex::default(),
        })
    }

    fn below(&self, bound: u64) -> u64 {
        self.chance.lock().unwrap().below(bound)
    }

    fn goes_wrong(&self) -> bool {
        self.below(100) < self.trouble.load(Ordering::SeqCst)
    }

    fn wall(&self) -> Duration {
        seconds(1_700_000_000) + self.start.elapsed()
    }

    fn rotation(&self) -> Rotation {
        match self.kind {
            Way::Grace => Rotation::OnceWithGrace(GRACE),
            Way::Keeps | Way::Strict => Rotation::UnlessGiven,
        }
    }

    /// A process that is killed after `fuse` steps, if that is not negative, and its source.
    fn process(self: &Arc<Self>, id: usize, fuse: i64) -> (Arc<Process>, Rotating<Arc<Process>>) {
        self.process_with(id, fuse, self.rotation())
    }

    fn process_with(
        self: &Arc<Self>,
        id: usize,
        fuse: i64,
        rotation: Rotation,
    ) -> (Arc<Process>, Rotating<Arc<Process>>) {
        self.process_as("api", id, fuse, rotation)
    }

    /// A process that asks for another access token with the same refresh token.
    fn process_asking(
        self: &Arc<Self>,
        asks: &str,
        id: usize,
    ) -> (Arc<Process>, Rotating<Arc<Process>>) {
        self.process_as(asks, id, -1, self.rotation())
    }

    fn process_as(
        self: &Arc<Self>,
        asks: &str,
        id: usize,
        fuse: i64,
        rotation: Rotation,
    ) -> (Arc<Process>, Rotating<Arc<Process>>) {
        let process = Arc::new(Process {
            world: Arc::clone(self),
            id,
            fuse: AtomicI64::new(fuse),
            dead: AtomicBool::new(false),
            leases: Mutex::default(),
            seed: Mutex::new(Some("seed")),
            unfinished: Unfinished::new(),
        });
        let world = Arc::clone(self);
        let keeping = Keeping {
            store: Arc::new(Shelf(Arc::clone(&process))),
            unfinished: process.unfinished.clone(),
            runtime: tokio::runtime::Handle::current(),
        };
        let settings = Redeeming {
            account: format!("process {id}"),
            asks: asks.to_owned(),
            rotation,
            token_timeout: seconds(15),
        };
        let clock = Clock::with_wall(move || world.wall());
        let source = Rotating::new(Arc::clone(&process), clock, keeping, settings);
        (process, source)
    }

    /// Whether the only refresh token that is good for something was never stored: its answer was lost on the way, or
    /// with the process that heard it.
    fn is_out_of_reach(&self, books: &Books) -> bool {
        let latest = books.beside.get(&books.issued);
        self.kind == Way::Strict
            && latest.is_some_and(|token| !self.stored.lock().unwrap().contains(token))
    }

    async fn grant(&self) -> Option<Grant> {
        let record = self.memory.get(&lineage_of(Some("seed"))).await.unwrap()?;
        Some(decode(&record).unwrap())
    }

    async fn write(&self, grant: &Grant) {
        let name = lineage_of(Some("seed"));
        let version = self.memory.get(&name).await.unwrap();
        let version = version.map_or(0, |record| record.version);
        self.memory
            .put(&name, version, encode(grant))
            .await
            .unwrap();
    }

    fn exchanges(&self) -> u64 {
        self.provider.lock().unwrap().exchanges
    }

    fn note(&self, what: impl Into<String>) {
        self.trace.lock().unwrap().push(what.into());
    }
}

impl Books {
    /// The provider takes a refresh token: the number of an access token, and the next refresh token.
    fn redeem(&mut self, kind: Way, given: Option<&str>) -> Option<(u64, Option<String>)> {
        if self.revoked {
            return None;
        }
        if let Some(given) = given {
            let spent = self.tokens.get_mut(given)?;
            match (kind, *spent) {
                (Way::Strict, Some(_)) => {
                    self.revoked = true;
                    return None;
                }
                (Way::Grace, Some(at)) if at.elapsed() >= seconds(300) => return None,
                _ => {}
            }
            if kind != Way::Keeps {
                spent.get_or_insert(Instant::now());
            }
        }
        self.exchanges += 1;
        self.issued += 1;
        let number = self.issued;
        let successor = (kind != Way::Keeps).then(|| format!("r{number}"));
        if let Some(successor) = &successor {
            self.tokens.insert(successor.clone(), None);
            self.beside.insert(number, successor.clone());
        }
        Some((number, successor))
    }
}

fn lineage_of(seed: Option<&str>) -> Name {
    Name::of(Kind::Grant, [seed.unwrap_or_default().as_bytes()])
}

const LIFE: Lifetime = Lifetime::For(seconds(3600));
const GRACE: Duration = seconds(290);
