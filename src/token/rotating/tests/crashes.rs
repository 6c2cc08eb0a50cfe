//! Processes that are killed between any two steps, stores that fail, answers that get lost: the grant is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::{Chance, LIFE, Process, Way, World};
use crate::token::rotating::Rotating;
use crate::token::script::{number, seconds, token};
use crate::token::{Obtained, TokenSource};

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// What comes of `work`, unless the process is killed before.
async fn unless_killed<T>(process: &Process, work: impl Future<Output = T>) -> Option<T> {
    let killed = async {
        while !process.is_dead() {
            sleep(seconds(1)).await;
        }
    };
    // In this order, so that a seed is the same schedule each time.
    tokio::select! {
        biased;
        done = timeout(seconds(60), work) => Some(done.expect("it never ends")),
        () = killed => None,
    }
}

/// Logs in, unless the process is killed; judges what is handed out.
async fn log_in(process: &Process, source: &Rotating<Arc<Process>>) -> Option<u64> {
    let login = unless_killed(process, source.login()).await?;
    let Obtained { credential, .. } = login.ok()?;
    let (world, number) = (&process.world, number(&credential));
    let beside = world.provider.lock().unwrap().beside.get(&number).cloned();
    if let Some(successor) = beside {
        let stored = world.stored.lock().unwrap();
        assert!(stored.contains(&successor), "handed out before its time");
    }
    Some(number)
}

/// Whether a process that nothing happens to can still log in.
async fn goes_on(world: &Arc<World>) -> bool {
    world.trouble.store(0, Ordering::SeqCst);
    let (process, source) = world.process(99, -1);
    // What it finds is as good as run out: it is the refresh token that has to be good.
    unless_killed(&process, source.restore()).await;
    for _ in 0..3 {
        if log_in(&process, &source).await.is_some() {
            return true;
        }
    }
    false
}

#[test]
fn killed_at_each_step_it_goes_on() {
    for (way, before) in [
        (Way::Keeps, 0),
        (Way::Keeps, 1),
        (Way::Grace, 0),
        (Way::Grace, 2),
        (Way::Strict, 0),
        (Way::Strict, 2),
    ] {
        let mut lost = Vec::new();
        for fuse in 0..20 {
            runtime().block_on(async {
                let world = World::new(way, fuse);
                for id in 0..before {
                    let (process, source) = world.process(id, -1);
                    // As if every access token had just run out.
                    process.unfinished.settle(seconds(1)).await;
                    unless_killed(&process, source.restore()).await;
                    assert!(log_in(&process, &source).await.is_some());
                }
                let (process, source) = world.process(50, fuse as i64);
                unless_killed(&process, source.restore()).await;
                log_in(&process, &source).await;
                let excused = world.is_out_of_reach(&world.provider.lock().unwrap());
                let alive = goes_on(&world).await;
                assert!(alive || excused, "{way:?} {fuse}");
                if !alive {
                    lost.push(fuse);
                }
            });
        }
        match way {
            // The answer, and with it the only token that is good, is gone with the process that heard it.
            Way::Strict => assert!((1..=3).contains(&lost.len()), "{lost:?}"),
            _ => assert!(lost.is_empty(), "{way:?} {lost:?}"),
        }
    }
}

/// Two processes over one store, both killed and started again at random, over a store and a network that fail.
fn play(way: Way, seed: u64) -> bool {
    let runtime = runtime();
    runtime.block_on(async {
        let world = World::new(way, seed);
        let mut chance = Chance(seed ^ 0x5eed);
        world.trouble.store(chance.below(30), Ordering::SeqCst);
        let (one, two) = (Chance(chance.next()), Chance(chance.next()));
        tokio::join!(lives(&world, 0, one), lives(&world, 10, two));
        // A grace that is over excuses everybody; these schedules are to be shorter.
        let in_time = world.start.elapsed() < seconds(280);
        let revoked = world.provider.lock().unwrap().revoked;
        let excused = revoked || world.is_out_of_reach(&world.provider.lock().unwrap());
        let alive = goes_on(&world).await;
        if in_time || way == Way::Keeps {
            assert!(alive || excused, "lost: {way:?} {seed}");
        }
        alive
    })
}

/// Three processes, one after the other: each logs in a few times, and is killed at some time.
async fn lives(world: &Arc<World>, first: usize, mut chance: Chance) {
    for id in first..first + 3 {
        let (process, source) = world.process(id, chance.below(40) as i64);
        unless_killed(&process, source.restore()).await;
        for _ in 0..3 {
            let got = log_in(&process, &source).await;
            if process.is_dead() {
                break;
            }
            if let Some(number) = got.filter(|_| chance.below(2) == 0) {
                source.rejected(&token(number, LIFE));
            }
            sleep(seconds(chance.below(3))).await;
        }
        process.kill();
    }
}

#[test]
fn whatever_the_schedule_no_grant_is_lost_that_the_provider_lets_live() {
    for (way, most) in [(Way::Keeps, 3000), (Way::Grace, 2990), (Way::Strict, 500)] {
        let alive = (0..3000).filter(|seed| play(way, *seed)).count();
        assert!(alive >= most, "{way:?}: {alive} of 3000 came through");
    }
}
