//! [`Refusals`]: what token endpoints refused and how often they were asked, remembered over all accounts of a user,
//! so that nobody gets locked out by us, and what passes by itself ends nobody.
//!
//! Keys are keyed digests: of (token endpoint, client id, user) and of the secrets; no secret is kept here. A refusal
//! that is not about the secrets holds for what was asked for: another scope or business unit may be granted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Prints;
use super::budget::HOUR;
use crate::provider::{Budget, LoginFailure, Refused};
use crate::secret::Fingerprint;

/// Refusals and tries, shared by all accounts of the process. Cheap to clone.
///
/// Invariant: per user at most one login is under way, so that a second account learns what the first was told
/// before it tries the same.
/// Invariant: in any hour at most two passwords of a user are refused, over all accounts and secrets. A secret
/// whose last login was good may try all the same: somebody else's wrong password does not withhold its only token.
/// Invariant: a refusal holds for ever only if it is of a client, by a code or words that mean that, and the same secrets were not good before.
/// Invariant: in any hour a user logs in no more often than a hard budget of the provider says.
#[derive(Clone, Debug)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: Mutex<HashMap<Fingerprint, User>>,
}

#[derive(Debug, Default)]
struct User {
    turn: Turn,
    /// Secrets that have brought a token; the latest.
    good: VecDeque<Fingerprint>,
    /// The latest refusals, the newest last.
    refused: VecDeque<Refusal>,
    /// When a password was refused, within the last hour.
    failures: VecDeque<Instant>,
    /// When logins were sent, within the last hour, as far as a budget counts them.
    logins: VecDeque<Instant>,
}

/// Whose login it is: whoever waited longest is next.
#[derive(Clone, Debug)]
struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What a login is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// What the provider grants.
    pub(super) budget: Option<Budget>,
    /// A valid token is held: this login can wait.
    pub(super) can_wait: bool,
}

#[derive(Clone, Debug)]
struct Refusal {
    /// Of these.
    secrets: Fingerprint,
    /// For what was asked for. `None`: whatever that is.
    asks: Option<Fingerprint>,
    what: Refused,
    text: String,
    again: Option<Instant>,
}

/// A login that must not be tried now.
#[derive(Debug)]
pub(super) struct Known {
    /// What the provider said, or the budget says.
    pub(super) failure: LoginFailure,
    /// When it may be tried again.
    pub(super) again: Option<Instant>,
    /// Only because it can wait.
    pub(super) put_off: bool,
}

/// Leave to log in once; other accounts of the user wait until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    inner: Arc<Inner>,
    prints: Prints,
    /// `None` cannot be: a turn is never closed.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Refusals {
    /// Nothing refused yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            users: Mutex::default(),
        }))
    }

    /// Waits for the user's turn; or says that the login is known to be refused.
    pub(super) async fn admit(&self, prints: Prints, demand: Demand) -> Result<Ticket, Known> {
        let Turn(turn) = self.0.lock().entry(prints.user).or_default().turn.clone();
        let turn = turn.acquire_owned().await.ok();
        let now = Instant::now();
        let mut users = self.0.lock();
        let record = users.entry(prints.user).or_default();
        let known = record.known(prints, now);
        if let Some(known) = known.or_else(|| record.over(demand, now)) {
            return Err(known);
        }
        if demand.budget.is_some() {
            record.logins.push_back(now);
        }
        Ok(Ticket {
            inner: Arc::clone(&self.0),
            prints,
            _turn: turn,
        })
    }

    /// Whether these very secrets are on record as refused.
    pub(super) fn knows(&self, prints: Prints) -> bool {
        let users = self.0.lock();
        users
            .get(&prints.user)
            .is_some_and(|record| record.refusal(prints).is_some())
    }

    /// These secrets have brought a token that is there from before the start.
    pub(super) fn were_good(&self, prints: Prints) {
        let mut users = self.0.lock();
        users.entry(prints.user).or_default().prove(prints);
    }

    /// Forgets what this user was refused: an operator asks for another try.
    pub(super) fn forget(&self, user: Fingerprint) {
        if let Some(record) = self.0.lock().get_mut(&user) {
            record.refused.clear();
            record.failures.clear();
        }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    /// The newest one of this login.
    fn refusal(&self, prints: Prints) -> Option<&Refusal> {
        let mut all = self.refused.iter().rev();
        all.find(|refusal| refusal.is_of(prints))
    }

    fn was_good(&self, prints: Prints) -> bool {
        self.good.contains(&prints.secrets)
    }

    /// The refusal that forbids a login with these secrets now.
    fn known(&mut self, prints: Prints, now: Instant) -> Option<Known> {
        let holds = |refusal: &&Refusal| refusal.again.is_none_or(|at| now < at);
        if let Some(refusal) = self.refusal(prints).filter(holds) {
            return Some(refusal.known());
        }
        self.failures.retain(|at| *at + HOUR > now);
        let is_good = self.was_good(prints) && self.refusal(prints).is_none();
        if self.failures.len() < TRIES || is_good {
            return None;
        }
        let again = self.failures.front().map(|at| *at + HOUR);
        let mut all = self.refused.iter().rev();
        let latest = all.find(|refusal| refusal.what == Refused::Password)?;
        Some(Known {
            again,
            ..latest.known()
        })
    }

    /// The budget that forbids a login now.
    fn over(&mut self, demand: Demand, now: Instant) -> Option<Known> {
        let budget = demand.budget?;
        self.logins.retain(|at| *at + HOUR > now);
        // A soft budget that is overdrawn keeps no more of the past than it needs.
        let surplus = self.logins.len().saturating_sub(budget.logins);
        self.logins.drain(..surplus);
        let full = self.logins.len() == budget.logins;
        if !full || !(budget.hard || demand.can_wait) {
            return None;
        }
        let again = *self.logins.front()? + HOUR;
        let text = format!("the budget of {} logins an hour is used up", budget.logins);
        Some(Known {
            failure: LoginFailure::Transient {
                text,
                retry_after: Some(again - now),
            },
            again: Some(again),
            put_off: !budget.hard,
        })
    }

    /// When it may be tried again.
    fn refuse(
        &mut self,
        prints: Prints,
        what: Refused,
        text: &str,
        now: Instant,
    ) -> Option<Instant> {
        let wait = match (what, self.refusal(prints).map(|before| before.what)) {
            // They have brought a token: most likely it is a limit that is told so, or a fault.
            (Refused::Client, _) if !self.was_good(prints) => None,
            (Refused::Password, before) if before != Some(Refused::Password) => Some(FIRST_RETRY),
            (_, Some(_)) => Some(HOUR),
            (_, None) => Some(SOON),
        };
        if what == Refused::Password {
            self.failures.push_back(now);
        }
        let again = wait.map(|wait| now + wait);
        // Whatever was said before is over.
        self.refused.retain(|refusal| !refusal.is_of(prints));
        let refusal = Refusal {
            secrets: prints.secrets,
            asks: (what == Refused::Policy).then_some(prints.asks),
            what,
            text: text.to_owned(),
            again,
        };
        remember(&mut self.refused, refusal);
        again
    }

    fn grant(&mut self, prints: Prints) {
        self.refused.retain(|refusal| !refusal.is_of(prints));
        self.prove(prints);
    }

    /// They have brought a token.
    fn prove(&mut self, prints: Prints) {
        self.good.retain(|good| *good != prints.secrets);
        remember(&mut self.good, prints.secrets);
    }
}

fn remember<T>(latest: &mut VecDeque<T>, one: T) {
    if latest.len() == REMEMBERED {
        latest.pop_front();
    }
    latest.push_back(one);
}

impl Refusal {
    fn is_of(&self, prints: Prints) -> bool {
        self.secrets == prints.secrets && self.asks.is_none_or(|asks| asks == prints.asks)
    }

    fn known(&self) -> Known {
        Known {
            failure: LoginFailure::Refused {
                what: self.what,
                text: self.text.clone(),
            },
            again: self.again,
            put_off: false,
        }
    }
}

impl Ticket {
    /// Remembers how the login ended; says when a refused one may be tried again.
    pub(super) fn close<T>(
        self,
        outcome: &Result<T, LoginFailure>,
        now: Instant,
    ) -> Option<Instant> {
        let mut users = self.inner.lock();
        let record = users.entry(self.prints.user).or_default();
        match outcome {
            Ok(_) => {
                record.grant(self.prints);
                None
            }
            Err(LoginFailure::Refused { what, text }) => {
                record.refuse(self.prints, *what, text, now)
            }
            Err(_) => None,
        }
    }
}

/// Refused passwords of a user in any hour.
const TRIES: usize = 2;
/// When a refused password is tried for the second time; after that, hourly.
const FIRST_RETRY: Duration = Duration::from_secs(1800);
/// When whatever else may pass is tried for the second time; after that, hourly. As long as limits of logins look back at usual providers.
const SOON: Duration = Duration::from_secs(600);
/// Refusals, and secrets that were good, that are remembered per user. Upstreams by refresh tokens of one client are all one user's.
const REMEMBERED: usize = 256;

#[cfg(test)]
mod tests;
