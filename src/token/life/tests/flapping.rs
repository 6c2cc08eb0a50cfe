//! A path that rejects now and then, whatever the token: what it may cost, and what a session's real end looks like beside it.

use super::{Bench, HOUR, NO_EXPIRY};
use crate::token::life::Event;
use crate::token::script::{Chance, seconds};

/// A life, and the logins in each hour of it.
struct Flapping {
    bench: Bench,
    chance: Chance,
    logins: Vec<usize>,
    token: u64,
}

impl Flapping {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::new();
        bench.fly();
        bench.land(1, NO_EXPIRY);
        bench.prove();
        Self {
            bench,
            chance: Chance(seed),
            logins: vec![0; 7],
            token: 1,
        }
    }

    /// A call that is rejected, and is sent once more if there is another token; then it is answered well in `well` of a hundred cases.
    fn rejected(&mut self, well: u64) -> bool {
        let flies = self.bench.reject().fly;
        if flies {
            self.token += 1;
            self.bench.land(self.token, NO_EXPIRY);
            let hour = self.bench.now.mono.as_secs() / 3600;
            self.logins[hour as usize] += 1;
            match self.chance.below(100) < well {
                true => self.bench.prove(),
                false => assert!(!self.bench.reject().fly),
            }
        }
        flies
    }

    fn served(&mut self) {
        self.bench.step(Event::Used);
        self.bench.prove();
    }

    fn pass(&mut self, by: u64) {
        self.bench.pass(seconds(by));
    }
}

#[test]
fn three_hundred_calls_at_once_cost_six_logins_and_hide_no_end_for_longer_than_seconds() {
    let mut flapping = Flapping::new(1);
    flapping.pass(1000);
    flapping.served();
    for _ in 0..150 {
        flapping.rejected(100);
        flapping.served();
    }
    assert_eq!(flapping.logins[0], 6);
    // Beside a path that takes any token.
    for wait in [10, 60, 360, 360] {
        flapping.pass(wait);
        flapping.served();
        assert!(flapping.rejected(100), "{wait}");
    }
}

/// As usual providers limit them: the first login, and those that paths that reject cause beside good answers.
#[test]
fn whatever_is_rejected_no_ten_minutes_see_more_than_ten_logins() {
    for every in [1, 5, 9, 59] {
        let mut flapping = Flapping::new(every);
        let mut at = vec![0];
        while flapping.bench.now.mono < seconds(4 * 3600) {
            flapping.pass(every);
            if flapping.rejected(100) {
                at.push(flapping.bench.now.mono.as_secs());
            }
            flapping.served();
        }
        let most = at.windows(11).map(|some| some[10] - some[0]).min();
        assert!(most.is_some_and(|span| span >= 600), "{every}: {at:?}");
    }
}

/// However often it is called, whatever it answers to the token that it had made, and whether others are served beside it.
#[test]
fn a_path_that_rejects_now_and_then_costs_ten_logins_an_hour_and_a_few_more_at_first() {
    for every in [1, 7, 15, 61, 240, 361] {
        for rejects in [20, 50, 90] {
            for well in [0, 50, 100] {
                for others in [0, 2, 30, 100] {
                    let mut flapping = Flapping::new(every + rejects + well + others);
                    while flapping.bench.now.mono < seconds(6 * 3600) {
                        flapping.pass(every);
                        match flapping.chance.below(100) < rejects {
                            true => _ = flapping.rejected(well),
                            false => flapping.served(),
                        }
                        if flapping.chance.below(100) < others {
                            flapping.served();
                        }
                    }
                    let logins = &flapping.logins[..6];
                    let (first, later) = logins.split_first().unwrap();
                    let few = *first <= 20 && later.iter().all(|count| *count <= 13);
                    assert!(few, "{every} {rejects} {well} {others}: {logins:?}");
                }
            }
        }
    }
}

#[test]
fn an_end_beside_such_a_path_is_noticed_within_six_minutes_if_that_path_takes_any_token() {
    for seed in 0..20 {
        let mut flapping = Flapping::new(seed);
        for second in 0..5 * 3600 + seed * 97 {
            flapping.pass(1);
            flapping.served();
            if second % 15 == 0 {
                flapping.rejected(100);
                flapping.served();
            }
        }
        let mut down = 0;
        while !flapping.rejected(100) {
            flapping.pass(1);
            flapping.served();
            down += 1;
        }
        assert!(down <= 360, "401 for {down} s");
    }
}

/// Who is answered well with no token at all may be of no use to anybody.
#[test]
fn an_upstream_that_takes_no_token_costs_ten_logins_and_then_two_an_hour() {
    let mut bench = Bench::new();
    bench.fly();
    bench.land(1, HOUR);
    let mut logins = [1, 0, 0, 0];
    for second in 0..4 * 3600_u64 {
        if bench.reject().fly {
            logins[second as usize / 3600] += 1;
            bench.land(second + 2, NO_EXPIRY);
        }
        bench.pass(seconds(1));
    }
    assert_eq!(logins, [10, 2, 2, 2]);
}

/// What is made in the meantime is lost, as where sessions are kept in memory.
#[test]
fn a_fault_in_which_no_token_is_taken_ends_within_six_minutes_for_who_calls() {
    for fault in [1, 9, 30, 90, 300, 600] {
        let mut flapping = Flapping::new(fault);
        flapping.pass(600);
        flapping.served();
        let mut down = 0;
        loop {
            let well = if down < fault { 0 } else { 100 };
            if flapping.rejected(well) && down >= fault {
                break;
            }
            flapping.pass(1);
            down += 1;
        }
        assert!(down - fault <= 360, "{fault} s, and {} s", down - fault);
    }
}
