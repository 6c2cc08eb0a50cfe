//! What an earlier process may have kept, in random schedules.

use std::sync::Arc;

use super::Model;
use crate::clock::Now;
use crate::provider::Lifetime;
use crate::token::life::{Arrived, Event};
use crate::token::script::{seconds, token};

/// Whether the store was looked into.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stored {
    Unread,
    Read(Now),
    Done,
}

/// The number of the token that an earlier process kept.
pub(super) const RESTORED: u64 = 7;

impl Model {
    /// Invariant: the store is looked into once, before the first flight, and never without need.
    pub(super) fn look_begins(&mut self) {
        let seed = self.seed;
        assert!(self.store == Stored::Unread, "looks again: {seed}");
        let wanted = self.waiters > 0 || self.asked || self.warm;
        assert!(wanted, "nobody wants it: {seed}");
        self.store = Stored::Read(self.now);
    }

    /// What an earlier process kept, however old, is served only for the rest of its life.
    pub(super) fn restore(&mut self) {
        let Stored::Read(read) = self.store else {
            return;
        };
        self.store = Stored::Done;
        let (age, life) = (self.chance.below(4000), self.chance.below(4000));
        let lifetime = match self.chance.below(3) {
            0 => None,
            1 => Some(Lifetime::UntilUnusedFor(seconds(life))),
            _ => Some(Lifetime::For(seconds(life))),
        };
        let found = lifetime.map(|lifetime| {
            // In the eyes of the model its login was sent by so much earlier.
            let sent = Now {
                mono: read.mono,
                wall: read.wall.saturating_sub(seconds(age)),
            };
            self.issued.insert(1, (RESTORED, lifetime, sent, read.mono));
            Arrived {
                credential: Arc::new(token(RESTORED, lifetime)),
                sent: read,
                age: seconds(age),
            }
        });
        let jitter = self.chance.fraction();
        self.step(Event::Restored { found, jitter });
    }
}
