//! What an upstream that rejects everything, or some requests, may cost, whatever the schedule.

use std::sync::Arc;
use std::time::Duration;

use super::Model;
use crate::provider::Lifetime;
use crate::token::life::{Event, Landed};
use crate::token::script::{arrived, seconds, token};

#[test]
fn whatever_the_schedule_an_upstream_that_rejects_everything_costs_ten_then_two_logins_an_hour() {
    for seed in 0..2_000 {
        let mut model = Model::without_store(seed);
        model.warm = seed % 2 == 0;
        model.step(Event::Warm(model.warm));
        while model.now.mono < seconds(4 * 3600) {
            model.waiters += 1;
            model.step(Event::Wanted);
            let number = match model.chance.below(3) {
                0 => 1,
                _ => model.chance.next(),
            };
            model.land_well(number);
            model.leave();
            model.not_before = Some(Duration::ZERO);
            if model.life.generation > 0 {
                model.reject(model.life.generation);
            }
            let by = model.chance.below(60_000);
            model.idle(by);
        }
        model.cost_at_most(10, 2);
    }
}

/// One path rejects what others take: it costs ten logins an hour, and a few more at first, takes the token from the others only while a login is
/// under way, and does not hide a session's real end.
#[test]
fn whatever_the_schedule_a_path_that_rejects_costs_ten_logins_an_hour_and_a_real_end_is_seen_all_the_same()
 {
    for seed in 0..200 {
        let mut model = Model::without_store(seed);
        model.begin();
        model.prove();
        let ends = seconds(600 + model.chance.below(4 * 3600));
        while model.now.mono < ends {
            // Others are served at least every four seconds.
            for _ in 0..model.chance.below(4) {
                let by = model.chance.below(1000);
                model.idle(by);
                model.reject(model.life.generation);
                let number = model.chance.next();
                model.land_well(number);
            }
            model.idle(1);
            model.prove();
            assert!(model.life.view(model.now).is_some(), "{seed}");
        }
        model.cost_at_most(18, 11);
        let before = model.landed.len();
        while model.landed.len() == before {
            let by = model.chance.below(1000);
            model.idle(by);
            model.reject(model.life.generation);
            let number = model.chance.next();
            model.land_well(number);
        }
        assert!(model.now.mono < ends + seconds(4 + 5 + 1), "unseen: {seed}");
    }
}

#[test]
fn whatever_the_schedule_a_path_that_rejects_costs_little_more_when_others_are_served_seldom() {
    for seed in 0..200 {
        let mut model = Model::without_store(seed);
        model.begin();
        while model.now.mono < seconds(4 * 3600) {
            let by = model.chance.below(60_000);
            model.idle(by);
            if model.chance.below(10) == 0 {
                model.prove();
                model.idle(1);
            }
            model.reject(model.life.generation);
            let number = model.chance.next();
            model.land_well(number);
        }
        model.cost_at_most(21, 13);
    }
}

impl Model {
    /// The flight under way, if there is one, brings a token that lives for a day.
    fn land_well(&mut self, number: u64) {
        let Some(sent) = self.flight.take() else {
            return;
        };
        let credential = Arc::new(token(number, Lifetime::For(seconds(86_400))));
        let seen = (number, credential.lifetime(), sent, self.now.mono);
        self.issued.insert(self.life.generation + 1, seen);
        self.landed.push(self.now.mono);
        self.asked = true;
        // The very token that was rejected may be as good as none.
        let rejected = self.rejected.contains(&self.life.generation);
        self.failed = rejected && self.issued[&self.life.generation].0 == number;
        let landed = Landed::Credential(arrived(credential, sent));
        self.step(Event::FlightEnded {
            landed,
            jitter: 0.5,
        });
    }

    /// Somebody came and got a token.
    fn begin(&mut self) {
        self.waiters = 1;
        self.step(Event::Wanted);
        self.land_well(1);
        self.leave();
    }

    fn idle(&mut self, millis: u64) {
        let by = Duration::from_millis(millis);
        self.now.mono += by;
        self.now.wall += by;
    }

    fn cost_at_most(&self, first_hour: usize, later_hours: usize) {
        let first = self.landed[0];
        for hour in 0..4 {
            let from = first + seconds(3600) * hour;
            let of = |at: &&Duration| **at >= from && **at < from + seconds(3600);
            let count = self.landed.iter().filter(of).count();
            let most = if hour == 0 { first_hour } else { later_hours };
            assert!(count <= most, "{count} in hour {hour}: {}", self.seed);
        }
    }
}
