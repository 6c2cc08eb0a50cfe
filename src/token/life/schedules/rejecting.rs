//! Rejections and good answers in random schedules, and what the world concludes from them.

use std::time::Duration;

use super::Model;
use crate::token::issued::Rejected;
use crate::token::life::Event;
use crate::token::script::seconds;

impl Model {
    pub(super) fn reject(&mut self, generation: u64) {
        let shown = self
            .life
            .view(self.now)
            .map(|(issued, _)| issued.generation);
        let flying = self.flight.is_some();
        self.asked = true;
        let actions = self.life.step(self.now, Event::Rejected { generation });
        let (seed, verdict) = (self.seed, actions.verdict);
        if verdict == Some(Rejected::Renewing) {
            self.rejected.insert(generation);
        }
        if !matches!(verdict, Some(Rejected::Settling | Rejected::Replaced)) {
            self.doubted.entry(generation).or_insert(self.now.mono);
        }
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
            Some(Rejected::Contradicted) => {
                assert!(self.proven.contains(&generation) && !actions.fly, "{seed}");
            }
            Some(Rejected::Replaced) => assert!(shown > Some(generation), "{seed}"),
            Some(Rejected::Renewing) => {
                let stays = self.barren && self.proven.contains(&generation);
                let now = self
                    .life
                    .view(self.now)
                    .map(|(issued, _)| issued.generation);
                assert!(!stays || now == shown, "taken from others: {seed}");
            }
            None => panic!("no verdict: {seed}"),
        }
    }

    /// A good answer to a request that was handed this generation when it was shown last, or at first.
    pub(super) fn prove(&mut self, generation: u64) {
        let (.., landed) = self.issued[&generation];
        let handed = *self.chance.one_of(&[landed, self.shown.max(landed)]);
        self.prove_at(generation, handed);
    }

    pub(super) fn prove_at(&mut self, generation: u64, handed: Duration) {
        self.proven.insert(generation);
        if self
            .doubted
            .get(&generation)
            .is_some_and(|since| handed > *since)
        {
            self.doubted.remove(&generation);
            self.rejected.remove(&generation);
        }
        self.step(Event::Proven { generation, handed });
    }
}
