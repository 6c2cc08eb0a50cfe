//! Login limits of a user: so many logins in an hour (Salesforce Help, article 000312767), so many
//! failures until the lock (sfdc316.com, "password policies", 2015). How many failures is a dial: its
//! default is inferred.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The logins of every user that exists.
#[derive(Debug, Default)]
pub(super) struct People(HashMap<String, Person>);

#[derive(Debug, Default)]
struct Person {
    failures: u32,
    locked_until: Duration,
    logins: VecDeque<Duration>,
}

impl People {
    pub(super) fn is_locked(&self, user: &str, now: Duration) -> bool {
        self.0
            .get(user)
            .is_some_and(|person| now < person.locked_until)
    }

    /// Counts a failure; the `most`-th locks.
    pub(super) fn failed(&mut self, user: &str, most: u32, now: Duration) {
        let person = self.0.entry(user.to_owned()).or_default();
        person.failures += 1;
        if person.failures >= most {
            person.failures = 0;
            person.locked_until = now + LOCK;
        }
    }

    /// Counts a login, unless there were `most` within the last hour.
    pub(super) fn logged_in(&mut self, user: &str, most: usize, now: Duration) -> bool {
        let person = self.0.entry(user.to_owned()).or_default();
        person.logins.retain(|login| now < *login + HOUR);
        if person.logins.len() >= most {
            return false;
        }
        person.failures = 0;
        person.logins.push_back(now);
        true
    }
}

const LOCK: Duration = Duration::from_secs(15 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
