//! Sessions: who got which token, where it is good, and when it dies.
//!
//! A Salesforce session slides, but its last activity is written only after half of the timeout
//! (Salesforce Help on session timeouts); a Zuora token lives a fixed time. Time is given by the
//! caller.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::world::Site;

/// How long a token lives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lifetime {
    /// As long as it is used, and so long after.
    Sliding(Duration),
    /// So long after it was issued.
    Fixed(Duration),
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) user: String,
    /// The login host that issued it.
    pub(super) login: Site,
    /// The API that takes it.
    pub(super) home: Site,
    /// The Zilliant environment it was first used in.
    pub(super) environment: Option<Site>,
    /// The family of refresh tokens it came from.
    pub(super) family: Option<u64>,
    pub(super) lifetime: Lifetime,
    /// When it was issued, or its last activity as far as it was written.
    pub(super) written: Duration,
    pub(super) uses: u64,
    /// The bodies of the token answers that carried it.
    pub(super) answers: Vec<Bytes>,
}

impl Session {
    pub(super) fn expires(&self) -> Duration {
        match self.lifetime {
            Lifetime::Sliding(time) | Lifetime::Fixed(time) => self.written.saturating_add(time),
        }
    }
}

/// All tokens of one provider.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Adds a session; the one that ends first makes room.
    pub(super) fn add(&mut self, token: String, session: Session) {
        if self.0.len() >= MOST {
            let first = self.0.iter().min_by_key(|(_, session)| session.expires());
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.0.remove(&token);
            }
        }
        self.0.insert(token, session);
    }

    /// Another answer that carried a token which is already there.
    pub(super) fn issued_again(&mut self, token: &str, answer: Bytes) {
        if let Some(session) = self.0.get_mut(token) {
            if session.answers.len() >= MOST_ANSWERS {
                session.answers.remove(0);
            }
            session.answers.push(answer);
        }
    }

    /// The session of `token` if it is alive.
    pub(super) fn live(&self, token: &str, now: Duration) -> Option<&Session> {
        self.0.get(token).filter(|session| now < session.expires())
    }

    /// The session of `token` if it is alive, for a use that counts as activity.
    pub(super) fn touch(&mut self, token: &str, now: Duration) -> Option<&mut Session> {
        let session = self.0.get_mut(token)?;
        if now >= session.expires() {
            self.0.remove(token);
            return None;
        }
        let session = self.0.get_mut(token)?;
        if let Lifetime::Sliding(timeout) = session.lifetime {
            let past_half = now.saturating_sub(session.written) >= timeout / 2;
            if past_half {
                session.written = now;
            }
        }
        session.uses += 1;
        Some(session)
    }

    /// The live token of a user at a home, if any.
    pub(super) fn of_user(&self, user: &str, home: Site, now: Duration) -> Option<&str> {
        self.0
            .iter()
            .find(|(_, session)| {
                session.user == user && session.home == home && now < session.expires()
            })
            .map(|(token, _)| token.as_str())
    }

    /// Ends those that `which` names, and says how many.
    pub(super) fn end(&mut self, which: impl Fn(&str, &Session) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(|token, session| !which(token, session));
        before - self.0.len()
    }

    pub(super) fn count(&self, now: Duration) -> u64 {
        self.0
            .values()
            .filter(|session| now < session.expires())
            .count() as u64
    }
}

const MOST: usize = 10_000;
const MOST_ANSWERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_in_the_first_half_of_the_timeout_does_not_extend() {
        // The example of the documentation: timeout 30 min, activity at minute 10 and at 20.
        check(&[10], 30, false);
        check(&[20], 30, true);
        check(&[20], 49, true);
        check(&[20], 50, false);
        check(&[10, 20, 36], 65, true);
    }

    fn check(activity: &[u64], minute: u64, alive: bool) {
        let at = |minute: u64| Duration::from_secs(minute * 60);
        let mut sessions = Sessions::default();
        let session = Session {
            user: "u".to_owned(),
            login: Site::Login,
            home: Site::InstanceA,
            environment: None,
            family: None,
            lifetime: Lifetime::Sliding(at(30)),
            written: at(0),
            uses: 0,
            answers: Vec::new(),
        };
        sessions.add("t".to_owned(), session);
        for minute in activity {
            assert!(sessions.touch("t", at(*minute)).is_some());
        }
        assert_eq!(
            sessions.live("t", at(minute)).is_some(),
            alive,
            "{activity:?} {minute}"
        );
    }
}
