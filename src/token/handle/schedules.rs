//! Random schedules through the real handle, flight and timer: callers come, hang up at any await, use, confirm and
//! reject, while logins succeed, fail, panic and hang.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Handle, Settings};
use crate::clock::Clock;
use crate::provider::{Lifetime, Refused};
use crate::token::script::{Act, Chance, Script, number, refused, seconds, transient, unreadable};
use crate::token::{Issued, Refusals, Rejected, State, Unavailable};

/// What callers of one schedule share.
#[derive(Clone)]
struct Stage {
    seed: u64,
    handle: Handle,
    source: Arc<Script>,
    /// Generations whose rejection was accepted.
    dead: Arc<Mutex<HashSet<u64>>>,
    /// Generations that served well.
    proven: Arc<Mutex<HashSet<u64>>>,
    wall: Arc<AtomicI64>,
}

impl Stage {
    fn new(seed: u64, chance: &mut Chance) -> Self {
        let takes = Duration::from_millis(chance.below(4000));
        let mut acts: Vec<Act> = (0..chance.below(5)).map(|_| act(chance)).collect();
        acts.push(Act::Fresh(Lifetime::For(seconds(3600))));
        let source = Script::new(takes, acts);
        let wall = Arc::new(AtomicI64::new(1_700_000_000));
        let read = Arc::clone(&wall);
        let clock = Clock::with_wall(move || seconds(read.load(Ordering::Relaxed).unsigned_abs()));
        let handle = Handle::spawn(
            seed.to_string(),
            Arc::clone(&source) as Arc<dyn crate::token::TokenSource>,
            clock,
            Settings::default(),
            Refusals::new(),
            &tokio::runtime::Handle::current(),
        );
        Self {
            seed,
            handle,
            source,
            dead: Arc::default(),
            proven: Arc::default(),
            wall,
        }
    }

    /// Invariant: what is handed out is neither rejected nor expired, unless it had served well and no login succeeds.
    fn judge(&self, issued: &Issued) {
        let seed = self.seed;
        let dead = self.dead.lock().unwrap();
        let good = self.proven.lock().unwrap().contains(&issued.generation());
        let resort = good && self.handle.status().state != State::Valid;
        let alive = !dead.contains(&issued.generation());
        assert!(alive || resort, "rejected: {seed}");
        let Lifetime::For(life) = issued.credential.lifetime() else {
            return;
        };
        let number = number(&issued.credential) as usize;
        if number > 1000 {
            let sent = self.source.logins.lock().unwrap()[number - 1001];
            assert!(sent.elapsed() < life, "expired: {seed}");
        }
    }

    async fn caller(self, mut chance: Chance) {
        sleep(Duration::from_millis(chance.below(20_000))).await;
        let mut rejected = 0;
        for _ in 0..2 {
            let issued = match self.handle.current(Instant::now()) {
                Some(issued) if rejected == 0 => Some(issued),
                _ => self.obtain(&mut chance, rejected).await,
            };
            let Some(issued) = issued else { continue };
            assert!(issued.generation() > rejected, "again: {}", self.seed);
            self.judge(&issued);
            sleep(Duration::from_millis(chance.below(500))).await;
            match chance.below(3) {
                0 => {
                    self.proven.lock().unwrap().insert(issued.generation());
                    self.handle.confirm(&issued);
                }
                1 if self.reject(&issued) => rejected = issued.generation(),
                _ => {}
            }
        }
        if chance.below(8) == 0 {
            self.wall
                .fetch_add(chance.below(4000) as i64 - 2000, Ordering::Relaxed);
        }
    }

    /// Invariant: whoever waits has an answer by the deadline.
    async fn obtain(&self, chance: &mut Chance, rejected: u64) -> Option<Issued> {
        let patience = Duration::from_millis(chance.below(25_000));
        let deadline = Instant::now() + patience;
        let waiting = self.handle.obtain_after(rejected, deadline);
        let answer = if chance.below(3) == 0 {
            let hangs_up = Duration::from_millis(chance.below(5000));
            timeout(hangs_up, waiting).await.ok()?
        } else {
            waiting.await
        };
        let late = Instant::now().saturating_duration_since(deadline);
        assert!(late <= Duration::from_millis(2), "late: {}", self.seed);
        if let Err(Unavailable::Transient { retry_after, .. }) = &answer {
            let kept = Instant::now() + *retry_after >= deadline;
            assert!(kept, "sent away too early: {}", self.seed);
        }
        answer.ok()
    }

    /// Says whether another is worth a wait.
    fn reject(&self, issued: &Issued) -> bool {
        let verdict = self.handle.reject(issued);
        match verdict {
            Rejected::Renewing => {
                self.dead.lock().unwrap().insert(issued.generation());
                if let Some(current) = self.handle.current(Instant::now()) {
                    self.judge(&current);
                }
            }
            Rejected::Replaced => {
                let current = self.handle.current(Instant::now()).unwrap();
                assert!(current.generation() > issued.generation());
            }
            Rejected::Settling | Rejected::Exhausted | Rejected::Contradicted => return false,
        }
        true
    }
}

fn act(chance: &mut Chance) -> Act {
    let life = Lifetime::For(seconds(chance.below(60)));
    match chance.below(10) {
        0 => Act::Fresh(life),
        1 => Act::Fresh(Lifetime::UntilUnusedFor(seconds(chance.below(60)))),
        2 | 3 => Act::Token(chance.below(2), Lifetime::For(seconds(900))),
        4 => Act::Fail(transient(None)),
        5 => Act::Fail(transient(Some(seconds(chance.below(30))))),
        6 => Act::Fail(refused(Refused::Password)),
        7 => Act::Panic,
        8 => Act::Fail(unreadable()),
        _ => Act::Hang,
    }
}

async fn play(seed: u64) {
    let mut chance = Chance(seed);
    let stage = Stage::new(seed, &mut chance);
    let mut callers = JoinSet::new();
    for _ in 0..6 {
        let chance = Chance(chance.next());
        callers.spawn(stage.clone().caller(chance));
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    assert!(!stage.source.overlapped.load(Ordering::SeqCst), "{seed}");
    let mut tries = 0;
    while stage
        .handle
        .renew(Instant::now() + seconds(60))
        .await
        .is_err()
    {
        tries += 1;
        assert!(tries < 20, "stuck: {seed}");
    }
    let account = Arc::downgrade(stage.handle.account());
    drop(stage);
    sleep(seconds(60)).await;
    assert_eq!(account.strong_count(), 0, "left running: {seed}");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_schedules_keep_every_promise() {
    for seed in 0..10_000 {
        play(seed).await;
    }
}
