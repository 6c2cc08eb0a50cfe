//! [`Process`]: what one process does in the [`World`], step by step, until it is killed.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{LIFE, Way, World, lineage_of};
use crate::provider::{Credential, LoginFailure, Refused};
use crate::secret::Secret;
use crate::token::script::{prints, refused, token, transient};
use crate::token::store::{
    Grant, Held, Lease, Name, Put, Record, Store, StoreError, StoreFuture, decode,
};
use crate::token::{
    Answered, Exchange, ExchangeFuture, Exchanged, Lineage, LineageFuture, NotExchanged, Presented,
    SecretsFuture, Unfinished,
};

/// A process: what it has of the world, until it is killed.
pub(super) struct Process {
    pub(super) world: Arc<World>,
    pub(super) id: usize,
    /// Steps until it is killed; never, if negative.
    pub(super) fuse: AtomicI64,
    pub(super) dead: AtomicBool,
    pub(super) leases: Mutex<Vec<Arc<Mutex<Option<Lease>>>>>,
    pub(super) seed: Mutex<Option<&'static str>>,
    pub(super) unfinished: Unfinished,
}

impl Process {
    /// One step: time passes, others have their turn, and the process may be killed.
    pub(super) async fn step(&self) {
        let world = &self.world;
        match world.below(3) {
            0 => sleep(Duration::from_millis(world.below(400))).await,
            1 => tokio::task::yield_now().await,
            _ => {}
        }
        if self.fuse.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.kill();
        }
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    /// What the system does for a process that ends: its locks are given back. Nothing else is.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        for lease in self.leases.lock().unwrap().drain(..) {
            lease.lock().unwrap().take();
        }
        let mut books = self.world.provider.lock().unwrap();
        books.under_way.take_if(|id| *id == self.id);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

/// An exchange that failed for a while.
pub(super) fn lost(presented: Presented) -> NotExchanged {
    NotExchanged {
        failure: transient(None),
        presented,
    }
}

impl Exchange for Arc<Process> {
    fn exchange<'a>(&'a self, refresh: &'a [Secret]) -> ExchangeFuture<'a> {
        Box::pin(async move {
            let world = &self.world;
            world.note("exchange");
            self.step().await;
            if let Some(failed) = world.next.lock().unwrap().take() {
                return Err(failed);
            }
            if world.goes_wrong() {
                let said = [Presented::Never, Presented::InVain];
                return Err(lost(said[world.below(2) as usize].clone()));
            }
            let meanwhile = world.meanwhile.lock().unwrap().take();
            if let Some(grant) = meanwhile {
                world.write(&grant).await;
            }
            let given = refresh.first().map(Secret::expose);
            let sent = world.wall();
            let redeemed = {
                let mut books = world.provider.lock().unwrap();
                let other = books.under_way.replace(self.id);
                assert_eq!(other, None, "two at once");
                let known = given.and_then(|given| books.tokens.get(given));
                let spent = known.is_some_and(Option::is_some);
                let out_of_reach = world.is_out_of_reach(&books);
                assert!(
                    !spent || out_of_reach || world.kind == Way::Grace,
                    "an old one"
                );
                books.redeem(world.kind, given)
            };
            self.step().await;
            world.provider.lock().unwrap().under_way = None;
            let mut losing = world.lose.lock().unwrap();
            if redeemed.is_some() && (*losing > 0 || world.goes_wrong()) {
                *losing = losing.saturating_sub(1);
                return Err(lost(Presented::Perhaps));
            }
            drop(losing);
            let Some((number, successor)) = redeemed else {
                return Err(NotExchanged {
                    failure: refused(Refused::Client),
                    presented: Presented::Denied,
                });
            };
            let word = world.word.lock().unwrap().take();
            Ok(Exchanged {
                credential: token(number, LIFE),
                answer: Answered {
                    body: Bytes::from(number.to_string()),
                    sent,
                },
                successor: word.map(str::to_owned).or(successor).map(Secret::new),
            })
        })
    }

    fn read(&self, answered: &Answered) -> Result<Credential, LoginFailure> {
        let number = std::str::from_utf8(&answered.body).unwrap();
        Ok(token(number.parse().unwrap(), LIFE))
    }

    fn lineage(&self) -> LineageFuture<'_> {
        let seed = *self.seed.lock().unwrap();
        Box::pin(async move {
            Ok(Lineage {
                name: lineage_of(seed),
                seed: seed.map(Secret::new),
            })
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        Box::pin(async { Ok(prints()) })
    }
}

/// The store, as one process has it.
pub(super) struct Shelf(pub(super) Arc<Process>);

impl Store for Shelf {
    fn get<'a>(&'a self, name: &'a Name) -> StoreFuture<'a, Option<Record>> {
        Box::pin(async {
            self.0.world.note("get");
            self.0.step().await;
            let blind = self.0.world.blind.load(Ordering::SeqCst);
            if blind || self.0.world.goes_wrong() {
                return Err(StoreError::Busy("trouble"));
            }
            self.0.world.memory.get(name).await
        })
    }

    fn put<'a>(&'a self, name: &'a Name, known: u64, value: Vec<u8>) -> StoreFuture<'a, Put> {
        Box::pin(async move {
            let world = &self.0.world;
            let (version, copy) = (known + 1, value.clone());
            let record = Record {
                version,
                value: copy,
            };
            let grant: Grant = decode(&record).unwrap();
            world.note(match grant.intent {
                Some(_) => "put intent",
                None => "put",
            });
            self.0.step().await;
            let (fails, all_the_same) = (world.goes_wrong(), world.below(2) == 0);
            if world.full.load(Ordering::SeqCst) || (fails && !all_the_same) {
                return Err(StoreError::Busy("full"));
            }
            if grant.intent.is_some() && world.full_after_intent.load(Ordering::SeqCst) {
                world.full.store(true, Ordering::SeqCst);
            }
            let put = world.memory.put(name, known, value).await?;
            if put != Put::Conflict {
                world.stored.lock().unwrap().extend(grant.refresh_token);
            }
            self.0.step().await;
            match fails {
                true => Err(StoreError::Busy("slow")),
                false => Ok(put),
            }
        })
    }

    fn lease<'a>(&'a self, name: &'a Name, wait: Duration) -> StoreFuture<'a, Lease> {
        Box::pin(async move {
            self.0.world.note("lease");
            self.0.step().await;
            let lease = self.0.world.memory.lease(name, wait).await?;
            // Who was killed while it waited gets none.
            let lease = Some(lease).filter(|_| !self.0.is_dead());
            let lease = Arc::new(Mutex::new(lease));
            self.0.leases.lock().unwrap().push(Arc::clone(&lease));
            self.0.step().await;
            Ok(Box::new(Leased(Arc::clone(&self.0), lease)) as Lease)
        })
    }
}

struct Leased(Arc<Process>, Arc<Mutex<Option<Lease>>>);

impl Held for Leased {
    fn holds(&self) -> StoreFuture<'_, bool> {
        Box::pin(async {
            self.0.world.note("holds");
            self.0.step().await;
            Ok(self.1.lock().unwrap().is_some())
        })
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.1.lock().unwrap().take();
    }
}
