//! Random schedules through [`Life::step`], judged by a model that knows only what was promised.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use self::stored::Stored;
use super::{Actions, Event, Life};
use crate::clock::Now;
use crate::provider::Lifetime;
use crate::token::issued::Rejected;
use crate::token::script::{Chance, number, seconds};

mod costs;
mod landing;
mod stored;

const TOKEN_TIMEOUT: Duration = seconds(15);

/// What the world knows of a life.
struct Model {
    seed: u64,
    chance: Chance,
    life: Life,
    now: Now,
    /// The flight under way: when its login was sent.
    flight: Option<Now>,
    /// The store: not looked into yet, looked into since then, or done with.
    store: Stored,
    /// What each generation is, and when its latest login was sent.
    issued: HashMap<u64, (u64, Lifetime, Now, Duration)>,
    newest: u64,
    rejected: HashSet<u64>,
    /// With which a good answer came, and with which one came since the last rejection.
    proven: HashSet<u64>,
    answered: HashSet<u64>,
    /// What was taken back by a rejection, until the next login ends.
    shelved: Option<u64>,
    waiters: u32,
    /// It is to be kept ready.
    warm: bool,
    /// Somebody used the current token, or a rejection, secret or operator asked for a flight.
    asked: bool,
    /// No flight before this; `None`: not by time.
    not_before: Option<Duration>,
    /// That holds only while there is a valid token.
    put_off: bool,
    /// The last login was refused.
    refused: bool,
    /// The last login brought nothing that could be handed out.
    failed: bool,
    /// The last logins in a row that failed on this machine.
    local: u32,
    /// When logins brought a token.
    landed: Vec<Duration>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut model = Self::without_store(seed);
        if model.chance.below(2) == 0 {
            model.life = Life::new(model.now, TOKEN_TIMEOUT).with_store();
            model.store = Stored::Unread;
        }
        model
    }

    fn without_store(seed: u64) -> Self {
        let now = Now {
            mono: Duration::ZERO,
            wall: seconds(1_700_000_000),
        };
        Self {
            seed,
            chance: Chance(seed),
            life: Life::new(now, TOKEN_TIMEOUT),
            now,
            flight: None,
            store: Stored::Done,
            issued: HashMap::new(),
            newest: 0,
            rejected: HashSet::new(),
            proven: HashSet::new(),
            answered: HashSet::new(),
            shelved: None,
            waiters: 0,
            warm: false,
            asked: false,
            not_before: Some(Duration::ZERO),
            put_off: false,
            refused: false,
            failed: false,
            local: 0,
            landed: Vec::new(),
        }
    }

    fn step(&mut self, event: Event) -> Actions {
        let actions = self.life.step(self.now, event);
        if actions.restore {
            self.look_begins();
        }
        if actions.fly {
            self.flight_begins();
        }
        self.hold_to_its_word();
        actions
    }

    fn flight_begins(&mut self) {
        let seed = self.seed;
        assert!(self.flight.is_none(), "two flights at once: {seed}");
        let wanted = self.waiters > 0 || self.asked || self.warm;
        assert!(self.store == Stored::Done, "without a look: {seed}");
        assert!(wanted, "nobody wants one: {seed}");
        let nothing = self.life.view(self.now).is_none();
        let allowed = self.not_before.is_some_and(|at| self.now.mono >= at);
        assert!(allowed || (self.put_off && nothing), "too early: {seed}");
        self.put_off = false;
        self.flight = Some(self.now);
        self.asked = false;
    }

    /// Invariant: what is handed out is not expired, nor rejected, unless it had served well and the last login failed; its
    /// generation never changes its token.
    /// Invariant: those who wait are waiting for something, whatever others get meanwhile.
    /// Invariant: what is kept warm is renewed before it ends, or is waiting for a login that is allowed.
    fn hold_to_its_word(&mut self) {
        let (seed, now) = (self.seed, self.now);
        let shown = self.shown();
        let resort = shown.is_some_and(|shown| self.rejected.contains(&shown));
        if let Some((issued, until)) = self.life.view(now) {
            let generation = issued.generation;
            let served = self.proven.contains(&generation) && self.failed;
            assert!(!resort || served, "rejected: {seed}");
            assert!(generation >= self.newest, "an older one: {seed}");
            self.newest = generation;
            let (token, lifetime, sent, ..) = self.issued[&generation];
            assert_eq!(number(&issued.credential), token, "another token: {seed}");
            if let Lifetime::For(life) = lifetime {
                assert!(now.since(sent) < life, "expired: {seed}");
                assert!(until <= sent.mono + life, "for too long: {seed}");
            }
            assert!(until > now.mono, "until the past: {seed}");
            let renewed = self.life.next_wake(now).is_some_and(|at| at <= until);
            let comes = renewed || self.flight.is_some() || self.failed;
            assert!(!self.warm || comes, "goes cold: {seed}");
        }
        if (shown.is_none() || resort)
            && (self.warm || self.waiters > 0)
            && self.flight.is_none()
            && self.store == Stored::Done
        {
            let wakes = self.life.next_wake(now).is_some();
            assert!(wakes || self.not_before.is_none(), "forgotten: {seed}");
        }
    }

    fn pass(&mut self) {
        let mono = *self
            .chance
            .one_of(&[1, 30, 400, 900, 5_000, 20_000, 600_000, 3_700_000]);
        let mono = Duration::from_millis(self.chance.below(mono));
        // The timer fires on the way, as it would.
        let end = self.now.mono + mono;
        while let Some(wake) = self.life.next_wake(self.now).filter(|at| *at <= end) {
            let by = wake.saturating_sub(self.now.mono);
            self.now.mono += by;
            self.now.wall += by;
            self.step(Event::Tick);
            assert!(
                self.life.next_wake(self.now) != Some(wake) || self.flight.is_some(),
                "wakes for nothing: {}",
                self.seed
            );
        }
        let rest = end.saturating_sub(self.now.mono);
        self.now.mono += rest;
        self.now.wall += rest;
        let step = seconds(self.chance.below(7200));
        match self.chance.below(20) {
            0 => self.now.wall += step,
            1 => self.now.wall = self.now.wall.saturating_sub(step),
            _ => {}
        }
        self.step(Event::Tick);
    }

    fn reject(&mut self, generation: u64) {
        let shown = self.shown();
        let flying = self.flight.is_some();
        self.asked = true;
        let actions = self.life.step(self.now, Event::Rejected { generation });
        let (seed, verdict) = (self.seed, actions.verdict);
        if verdict == Some(Rejected::Renewing) {
            let first = self.rejected.insert(generation);
            self.shelved = shown.filter(|shown| first && *shown == generation);
        }
        let answered = self.answered.remove(&generation);
        if actions.fly {
            self.flight_begins();
        }
        self.hold_to_its_word();
        match verdict {
            Some(Rejected::Settling) => {
                let (.., landed) = self.issued[&generation];
                assert!(
                    self.now.mono < landed + seconds(10),
                    "settles for long: {seed}"
                );
                assert!(!actions.fly, "settling costs a login: {seed}");
            }
            Some(Rejected::Exhausted) => assert!(!actions.fly && !flying, "{seed}"),
            Some(Rejected::Replaced) => assert!(shown > Some(generation), "{seed}"),
            Some(Rejected::Contradicted) => {
                assert!(answered && self.failed, "{seed}");
                assert!(shown.is_none_or(|shown| shown == generation), "{seed}");
            }
            Some(Rejected::Renewing) => {}
            None => panic!("no verdict: {seed}"),
        }
    }

    fn shown(&self) -> Option<u64> {
        let view = self.life.view(self.now);
        view.map(|(issued, _)| issued.generation)
    }

    /// A good answer came.
    fn prove(&mut self) {
        let generation = self.life.generation;
        self.proven.insert(generation);
        self.answered.insert(generation);
        self.step(Event::Proven { generation });
    }

    fn wait(&mut self) {
        self.waiters += 1;
        self.step(Event::Wanted);
        let deadline = self.now.mono + seconds(self.chance.below(30));
        // Some wait because of a rejection.
        let generation = self.life.generation;
        let met = self.rejected.contains(&generation) && self.chance.below(2) == 0;
        let newer_than = if met { generation } else { 0 };
        let answer = self.life.answer(self.now, newer_than, deadline);
        if let Some(Ok(issued)) = &answer {
            assert!(issued.generation > newer_than, "again: {}", self.seed);
        }
        self.asked |= matches!(answer, Some(Ok(_)));
        if answer.is_none() {
            let wake = self.life.next_wake(self.now);
            let under_way = self.flight.is_some() || self.store != Stored::Done;
            let soon = under_way || wake.is_some_and(|at| at < deadline);
            assert!(soon, "kept waiting in vain: {}", self.seed);
            let known = !under_way && self.local > 1;
            assert!(!known, "kept waiting although it is known: {}", self.seed);
        }
        if answer.is_some() || self.chance.below(2) == 0 {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if self.waiters > 0 {
            self.waiters -= 1;
            self.step(Event::Left);
        }
    }

    /// Anything may happen.
    fn happen(&mut self) {
        let generation = self.life.generation;
        match self.chance.below(16) {
            0..=2 => self.pass(),
            3 | 4 => self.wait(),
            5 => self.leave(),
            6 | 7 => self.land(),
            8 => {
                self.asked = true;
                self.step(Event::Used);
            }
            9 | 10 if generation > 0 => {
                let older = self.chance.below(2).min(generation - 1);
                self.reject(generation - older);
            }
            11 if generation > 0 => self.prove(),
            12 => {
                self.asked = true;
                if self.refused {
                    self.not_before = Some(self.now.mono);
                }
                self.step(Event::SecretsChanged);
            }
            13 if self.chance.below(4) == 0 => {
                self.asked = true;
                self.not_before = Some(Duration::ZERO);
                self.local = 0;
                self.step(Event::OperatorRetry);
            }
            13 => {
                if self.local > 0 {
                    self.not_before = Some(Duration::ZERO);
                    self.local = 0;
                }
                self.step(Event::Reread);
            }
            14 => {
                self.warm = self.chance.below(3) > 0;
                self.step(Event::Warm(self.warm));
            }
            15 => self.restore(),
            _ => {}
        }
    }
}

#[test]
fn a_hundred_thousand_schedules_keep_every_promise() {
    for seed in 0..100_000 {
        let mut model = Model::new(seed);
        for _ in 0..40 {
            model.happen();
        }
    }
}
