//! How flights end in random schedules, and what the world knows then.

use std::sync::Arc;
use std::time::Duration;

use super::Model;
use super::stored::RESTORED;
use crate::clock::Now;
use crate::provider::{Credential, Lifetime, LoginFailure, Refused};
use crate::token::life::{Event, Landed};
use crate::token::script::{arrived, number, refused, seconds, token, transient, unreadable};

impl Model {
    /// The flight under way ends.
    pub(super) fn land(&mut self) {
        let Some(sent) = self.flight.take() else {
            return;
        };
        let held = self.shown();
        let resort = held.is_some_and(|held| self.rejected.contains(&held));
        let shelved = self.shelved.take();
        let mut again = None;
        self.failed = false;
        if held.is_some() && !resort && self.chance.below(8) == 0 {
            return self.put_off(held);
        }
        let landed = match self.chance.below(10) {
            0..=3 => self.arrive(sent),
            8 | 9 => Err(unreadable()),
            4 => Err(transient(None)),
            5 => Err(transient(Some(seconds(self.chance.below(8000))))),
            6 => {
                again = Some(self.now.mono + seconds(1800));
                Err(refused(Refused::Password))
            }
            _ => Err(refused(Refused::Client)),
        };
        let now = self.now.mono;
        self.not_before = match &landed {
            Ok(_) => Some(now),
            Err(failure @ (LoginFailure::Transient { .. } | LoginFailure::Secret { .. })) => {
                let asked = failure.retry_after().unwrap_or_default();
                let asked = asked.min(seconds(3600));
                Some(now + asked.max(Duration::from_millis(750)))
            }
            Err(_) => again,
        };
        self.local = match &landed {
            Err(failure) if failure.is_local() => self.local + 1,
            _ => 0,
        };
        self.refused = matches!(landed, Err(LoginFailure::Refused { .. }));
        let failed = landed.is_err();
        // The very token that was rejected may be as good as none.
        let again_the_same = |landed: &Credential| {
            let dead = self.rejected.contains(&self.life.generation);
            dead && self.issued[&self.life.generation].0 == number(landed)
        };
        self.failed |= failed || landed.as_deref().is_ok_and(again_the_same);
        let landed = match landed {
            Ok(credential) => Landed::Credential(arrived(credential, sent)),
            Err(failure) => Landed::Failed { failure, again },
        };
        let jitter = self.chance.fraction();
        // Whether a rejected string came again is the life's to say; what it says is held against the budget.
        self.asked |= !self.rejected.is_empty();
        self.step(Event::FlightEnded { landed, jitter });
        if failed && held.is_some() {
            // Still used since its last renewal.
            self.asked = true;
            let kept = self.shown();
            assert_eq!(kept, held, "a failure took it away: {}", self.seed);
        }
        let back = shelved.filter(|shelved| failed && self.is_fit(*shelved));
        if back.is_some() {
            assert_eq!(self.shown(), back, "it stays away: {}", self.seed);
        }
    }

    /// Whether it is sure to live, and had served well.
    fn is_fit(&self, generation: u64) -> bool {
        let (number, lifetime, sent, ..) = self.issued[&generation];
        let lives = matches!(lifetime, Lifetime::For(life) if self.now.since(sent) < life);
        // The age of one from the store is not known by both clocks.
        lives && number != RESTORED && self.proven.contains(&generation)
    }

    /// The flight did not begin, for the sake of the provider and as long as there is a valid token.
    fn put_off(&mut self, held: Option<u64>) {
        let until = self.now.mono + seconds(self.chance.below(3600));
        self.not_before = Some(until);
        self.put_off = true;
        (self.local, self.refused) = (0, false);
        // Still used since its last renewal.
        self.asked = true;
        let (failure, jitter) = (transient(None), 0.0);
        let landed = Landed::PutOff { until, failure };
        self.step(Event::FlightEnded { landed, jitter });
        self.asked = true;
        let kept = self.shown();
        assert_eq!(kept, held, "putting off took it away: {}", self.seed);
    }

    fn arrive(&mut self, sent: Now) -> Result<Arc<Credential>, LoginFailure> {
        let lifetime = match self.chance.below(4) {
            0 => Lifetime::UntilUnusedFor(seconds(7200)),
            1 => Lifetime::For(seconds(self.chance.below(40))),
            _ => Lifetime::For(seconds(1200 + self.chance.below(6000))),
        };
        let token = Arc::new(token(self.chance.below(4), lifetime));
        let seen = (number(&token), lifetime, sent, self.now.mono);
        let (Lifetime::For(life) | Lifetime::UntilUnusedFor(life)) = lifetime;
        let half = u32::from(matches!(lifetime, Lifetime::UntilUnusedFor(_))) + 1;
        if self.now.since(sent) >= life / half {
            // A failure: what is held is still used since its last renewal.
            self.asked = true;
            self.failed = true;
            return Ok(token);
        }
        // It becomes the next generation, or a renewal of the held one if it is the same token.
        self.issued.insert(self.life.generation + 1, seen);
        if let Some(held) = self.issued.get_mut(&self.life.generation)
            && held.0 == seen.0
            && !self.rejected.contains(&self.life.generation)
        {
            *held = seen;
        }
        Ok(token)
    }
}
