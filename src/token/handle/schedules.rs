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
use crate::token::{Issued, Refusals, Rejected, Unavailable};

/// What callers of one schedule share.
#[derive(Clone)]
struct Stage {
    seed: u64,
    handle: Handle,
    source: Arc<Script>,
    /// Generations whose rejection was accepted.
    dead: Arc<Mutex<HashSet<u64>>>,
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
            wall,
        }
    }

    /// Invariant: what is handed out is neither rejected nor expired.
    fn judge(&self, issued: &Issued) {
        let seed = self.seed;
        let dead = self.dead.lock().unwrap();
        assert!(!dead.contains(&issued.generation()), "rejected: {seed}");
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
        for _ in 0..2 {
            let issued = match self.handle.current(Instant::now()) {
                Some(issued) => Some(issued),
                None => self.obtain(&mut chance).await,
            };
            let Some(issued) = issued else { continue };
            self.judge(&issued);
            sleep(Duration::from_millis(chance.below(500))).await;
            match chance.below(3) {
                0 => self.handle.confirm(&issued),
                1 => self.reject(&issued),
                _ => {}
            }
        }
        if chance.below(8) == 0 {
            self.wall
                .fetch_add(chance.below(4000) as i64 - 2000, Ordering::Relaxed);
        }
    }

    /// Invariant: whoever waits has an answer by the deadline.
    async fn obtain(&self, chance: &mut Chance) -> Option<Issued> {
        let patience = Duration::from_millis(chance.below(25_000));
        let deadline = Instant::now() + patience;
        let waiting = self.handle.obtain(deadline);
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

    fn reject(&self, issued: &Issued) {
        let verdict = self.handle.reject(issued);
        match verdict {
            Rejected::Renewing => {
                self.dead.lock().unwrap().insert(issued.generation());
                let current = self.handle.current(Instant::now());
                let gone = current.is_none_or(|now| now.generation() > issued.generation());
                assert!(gone, "still served: {}", self.seed);
            }
            Rejected::Replaced => {
                let current = self.handle.current(Instant::now()).unwrap();
                assert!(current.generation() > issued.generation());
            }
            Rejected::Settling | Rejected::Exhausted => {}
        }
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
