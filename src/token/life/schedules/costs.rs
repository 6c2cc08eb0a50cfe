//! What an upstream that rejects everything may cost, whatever the schedule.

use std::sync::Arc;
use std::time::Duration;

use super::Model;
use crate::provider::Lifetime;
use crate::token::life::{Event, Landed};
use crate::token::script::{arrived, seconds, token};

#[test]
fn whatever_the_schedule_an_upstream_that_rejects_everything_costs_five_then_two_logins_an_hour() {
    for seed in 0..2_000 {
        let mut model = Model::without_store(seed);
        model.warm = seed % 2 == 0;
        model.step(Event::Warm(model.warm));
        while model.now.mono < seconds(4 * 3600) {
            model.waiters += 1;
            model.step(Event::Wanted);
            if let Some(sent) = model.flight.take() {
                let number = match model.chance.below(3) {
                    0 => 1,
                    _ => model.chance.next(),
                };
                let credential = Arc::new(token(number, Lifetime::For(seconds(86_400))));
                let next = model.life.generation + 1;
                let seen = (number, credential.lifetime(), sent, model.now.mono);
                model.issued.insert(next, seen);
                model.landed.push(model.now.mono);
                model.asked = true;
                let landed = Landed::Credential(arrived(credential, sent));
                model.step(Event::FlightEnded {
                    landed,
                    jitter: 0.5,
                });
            }
            model.leave();
            model.not_before = Some(Duration::ZERO);
            if model.life.generation > 0 {
                model.reject(model.life.generation);
            }
            let by = Duration::from_millis(model.chance.below(60_000));
            model.now.mono += by;
            model.now.wall += by;
        }
        let first = model.landed[0];
        for hour in 0..4 {
            let from = first + seconds(3600) * hour;
            let of = |at: &&Duration| **at >= from && **at < from + seconds(3600);
            let count = model.landed.iter().filter(of).count();
            let most = if hour == 0 { 5 } else { 2 };
            assert!(count <= most, "{count} in hour {hour}: {seed}");
        }
    }
}
