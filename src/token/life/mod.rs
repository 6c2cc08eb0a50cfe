//! [`Life`]: what happens to an account's credential, as a pure step function of (event, now).
//!
//! Two axes: *holding* (nothing, valid, rejected) × *renewing* (idle, in flight, waiting until, refused). It does
//! not log in, sleep, lock or tell anybody: `flight` does what its [`Actions`] say. Chance comes in as a value.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Rejections;
use super::issued::{Issued, Rejected, Unavailable};
use super::status::{State, Status};
use crate::clock::Now;
use crate::provider::{Credential, Lifetime, LoginFailure};

mod held;
mod rules;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;

use self::held::Held;

/// The life of one account's credential.
///
/// Invariant: what is handed out is neither expired nor of a rejected generation; a rejected *string* comes back
/// only as a new generation, from a later login, when the budget allows no other.
/// Invariant: at most one flight is under way, and none begins unless somebody wants its token: a waiter, a use
/// since the last renewal, a rejection, an operator, or whoever wants it kept warm, which is as a use that never ends.
/// Invariant: no flight begins before the back-off or the refusal allows it.
/// Invariant: what the store holds is looked at once, before the first flight, and never without need.
/// Invariant: a failing renewal takes nothing away from a valid credential.
/// Invariant: where a flight is wanted, one is under way, or a wake-up is set, or only a secret's change can help.
#[derive(Debug)]
pub(crate) struct Life {
    margin: Duration,
    /// The store may hold a credential, and was not looked into yet.
    restorable: bool,
    holding: Holding,
    renewing: Renewing,
    /// The generation that was handed out last.
    generation: u64,
    /// Flights that ended.
    logins: u64,
    /// Failed logins in a row.
    failures: u32,
    /// Those who wait for a credential.
    waiters: usize,
    /// A credential is wanted although nobody uses it.
    warm: bool,
    /// One flight is owed although nobody waits: a rejection, a changed secret, an operator.
    owed: bool,
    rejections: Rejections,
    secrets_looked_at: Option<Duration>,
    /// The state in one word, and since when.
    state: (State, Now),
}

/// What is held.
#[derive(Debug)]
enum Holding {
    Nothing,
    Valid(Held),
    /// Kept only to recognise the same token when it comes again.
    Rejected(Held),
}

/// What is being done about it.
#[derive(Debug)]
enum Renewing {
    Idle,
    /// The store is looked into.
    Restoring,
    InFlight {
        /// It began because of a rejection.
        for_rejection: bool,
        /// A rejection was seen after it began.
        joined: bool,
    },
    WaitingUntil {
        at: Duration,
        failure: LoginFailure,
    },
    Refused {
        /// When it may be tried again; `None`: when a secret changed or an operator asks.
        again: Option<Duration>,
        failure: LoginFailure,
    },
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Time passed.
    Tick,
    /// The credential is about to be handed out without a wait.
    Used,
    /// Somebody waits.
    Wanted,
    /// Somebody who waited waits no more.
    Left,
    /// The upstream said that this generation is dead.
    Rejected { generation: u64 },
    /// A good answer came with this generation.
    Proven { generation: u64 },
    /// A request that met a dead session got a good answer with this generation.
    Cured { generation: u64 },
    /// The flight ended; `jitter` is between 0 and 1.
    FlightEnded { landed: Landed, jitter: f64 },
    /// The store was looked into; `jitter` as above.
    Restored { found: Option<Arrived>, jitter: f64 },
    /// A secret behind a remembered refusal changed.
    SecretsChanged,
    /// An operator asks for a new token.
    OperatorRetry,
    /// From now on a credential is kept ready without being used, or not.
    Warm(bool),
}

/// How a flight ended.
#[derive(Debug)]
pub(crate) enum Landed {
    /// With a credential.
    Credential(Arrived),
    /// Without; if it was refused, it may be tried `again` then.
    Failed {
        failure: LoginFailure,
        again: Option<Duration>,
    },
}

/// A credential that has come.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) credential: Arc<Credential>,
    /// When its login was sent or, if it is older, some time before it came.
    pub(crate) sent: Now,
    /// Its age at `sent`, by the wall clock: zero unless another flight or process brought it. Of one without expiry:
    /// for how long it was unused.
    pub(crate) age: Duration,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    /// Look into the store; [`Event::Restored`] must follow.
    pub(crate) restore: bool,
    /// Note for those who come after this process that this credential is used.
    pub(crate) note_use: Option<Arc<Credential>>,
    /// Keep this credential for nobody: it is dead.
    pub(crate) forget: Option<Arc<Credential>>,
    /// Start a flight; [`Event::FlightEnded`] must follow.
    pub(crate) fly: bool,
    /// See whether the secrets changed; [`Event::SecretsChanged`] follows if so.
    pub(crate) look_at_secrets: bool,
    /// What the rejection led to, if the event was one.
    pub(crate) verdict: Option<Rejected>,
}

impl Life {
    /// Nothing held, nobody waiting, nothing stored; one login may take `token_timeout`.
    pub(crate) fn new(now: Now, token_timeout: Duration) -> Self {
        Self {
            margin: token_timeout + MARGIN,
            restorable: false,
            holding: Holding::Nothing,
            renewing: Renewing::Idle,
            generation: 0,
            logins: 0,
            failures: 0,
            waiters: 0,
            warm: false,
            owed: false,
            rejections: Rejections::default(),
            secrets_looked_at: None,
            state: (State::None, now),
        }
    }

    /// The same, with a store that may hold a credential.
    pub(crate) fn with_store(self) -> Self {
        Self {
            restorable: true,
            ..self
        }
    }

    /// The step function.
    pub(crate) fn step(&mut self, now: Now, event: Event) -> Actions {
        self.expire(now);
        let mut actions = Actions::default();
        match event {
            Event::Tick => {}
            Event::Used => {
                let held = self.used(now);
                actions.note_use = held.and_then(|held| held.note_use(now));
            }
            Event::Wanted => self.waiters += 1,
            Event::Left => self.waiters = self.waiters.saturating_sub(1),
            Event::Rejected { generation } => {
                actions.verdict = Some(self.reject(now, generation, &mut actions.forget));
            }
            Event::Proven { generation } => self.prove(generation),
            Event::Cured { generation } => self.cure(now, generation),
            Event::FlightEnded { landed, jitter } => self.land(now, landed, jitter),
            Event::Restored { found, jitter } => self.restored(now, found, jitter),
            Event::SecretsChanged => self.secrets_changed(),
            Event::OperatorRetry => self.operator_retry(),
            Event::Warm(warm) => self.warm = warm,
        }
        self.decide(now, &mut actions);
        let state = self.state(now);
        if state != self.state.0 {
            self.state = (state, now);
        }
        actions
    }

    /// What may be handed out without a wait, and until when (monotonic) if nothing happens.
    pub(crate) fn view(&self, now: Now) -> Option<(&Issued, Duration)> {
        let held = self.usable(now)?;
        Some((&held.issued, now.mono + held.remaining(now)))
    }

    /// The generation that still lacks its first good answer.
    pub(crate) fn unproven(&self) -> Option<u64> {
        match &self.holding {
            Holding::Valid(held) if !held.proven => Some(held.issued.generation),
            _ => None,
        }
    }

    /// Whether a use was recorded at this very `now`.
    pub(crate) fn was_told(&self, now: Now) -> bool {
        self.usable(now).is_some_and(|held| held.used == Some(now))
    }

    /// What one who waits until `deadline` gets; `None`: it goes on waiting. Right after a step at the same `now`.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        deadline: Duration,
    ) -> Option<Result<Issued, Unavailable>> {
        if let Some(held) = self.usable(now) {
            let issued = held.issued.clone();
            self.used(now);
            return Some(Ok(issued));
        }
        match &self.renewing {
            Renewing::Idle | Renewing::Restoring | Renewing::InFlight { .. } => None,
            Renewing::WaitingUntil { at, .. } if *at < deadline => None,
            _ => Some(Err(self.setback(now)?)),
        }
    }

    /// How the last flight ended, for the operator who asked for it; `None`: another is under way.
    pub(crate) fn outcome(&self, now: Now) -> Option<Result<Issued, Unavailable>> {
        match &self.renewing {
            Renewing::Restoring | Renewing::InFlight { .. } => None,
            Renewing::Idle => self.usable(now).map(|held| Ok(held.issued.clone())),
            _ => self.setback(now).map(Err),
        }
    }

    /// When [`Event::Tick`] is due (monotonic), if nothing happens before.
    pub(crate) fn next_wake(&self, now: Now) -> Option<Duration> {
        let allowed = match &self.renewing {
            Renewing::Idle => Duration::ZERO,
            Renewing::WaitingUntil { at, .. } => *at,
            Renewing::Refused { again, .. } => (*again)?,
            Renewing::Restoring | Renewing::InFlight { .. } => return None,
        };
        let wanted = match self.usable(now) {
            _ if self.owed => now.mono,
            Some(held) if self.warm => {
                now.mono + held.early_in(now, true).unwrap_or(held.remaining(now))
            }
            Some(held) => now.mono + held.early_in(now, false)?,
            None if self.warm || self.waiters > 0 => now.mono,
            None => return None,
        };
        Some(wanted.max(allowed))
    }

    /// Flights that ended.
    pub(crate) fn logins(&self) -> u64 {
        self.logins
    }

    /// A look for an operator, right after a step at the same `now`.
    pub(crate) fn status(&self, now: Now) -> Status {
        let (why, next_try) = match &self.renewing {
            Renewing::WaitingUntil { at, failure } => (Some(failure.to_string()), Some(*at)),
            Renewing::Refused { again, failure } => (Some(failure.to_string()), *again),
            Renewing::Idle | Renewing::Restoring | Renewing::InFlight { .. } => {
                let held = self.usable(now).and_then(Held::doubts);
                (held.map(str::to_owned), None)
            }
        };
        let expires_in = self.usable(now).and_then(|held| {
            let ends = matches!(held.issued.credential.lifetime(), Lifetime::For(_));
            ends.then(|| held.remaining(now))
        });
        Status {
            state: self.state.0,
            since: now.since(self.state.1),
            why,
            next_try: next_try.map(|at| at.saturating_sub(now.mono)),
            expires_in,
            generation: self.generation,
            logins: self.logins,
        }
    }

    fn usable(&self, now: Now) -> Option<&Held> {
        match &self.holding {
            Holding::Valid(held) if !held.remaining(now).is_zero() => Some(held),
            _ => None,
        }
    }

    fn state(&self, now: Now) -> State {
        match &self.renewing {
            _ if self.usable(now).is_some() => State::Valid,
            Renewing::Idle => State::None,
            Renewing::Restoring | Renewing::InFlight { .. } => State::Renewing,
            Renewing::WaitingUntil { .. } => State::Waiting,
            Renewing::Refused { .. } => State::Refused,
        }
    }

    fn setback(&self, now: Now) -> Option<Unavailable> {
        let (at, failure) = match &self.renewing {
            Renewing::WaitingUntil { at, failure } => (*at, failure),
            Renewing::Refused { again, failure } => (again.unwrap_or_default(), failure),
            Renewing::Idle | Renewing::Restoring | Renewing::InFlight { .. } => return None,
        };
        let retry_after = at.saturating_sub(now.mono);
        Some(Unavailable::because(failure.clone(), retry_after))
    }
}

/// The margin of an early renewal beyond the token endpoint's deadline.
const MARGIN: Duration = Duration::from_secs(30);
