//! [`Life`]: what happens to an account's credential, as a pure step function of (event, now).
//!
//! Two axes: *holding* (nothing, valid, rejected, last resort) × *renewing* (idle, in flight, waiting until, refused). It does
//! not log in, sleep, lock or tell anybody: `flight` does what its [`Actions`] say. Chance comes in as a value.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Rejections;
use super::issued::Rejected;
use super::status::State;
use crate::clock::Now;
use crate::provider::{Credential, LoginFailure};

mod asked;
mod held;
mod rejecting;
mod rules;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;

use self::held::Held;

/// The life of one account's credential.
///
/// Invariant: what is handed out is not expired, nor of a rejected generation, unless that had served well and no login
/// succeeded since; a rejected *string* comes back only as a new generation, from a later login, when the budget allows
/// no other.
/// Invariant: a rejected credential that is handed out again keeps no login from being tried: its use asks for one.
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
    /// One flight is owed although nobody waits: a rejection, a last resort that is used, a changed secret, an operator.
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
    /// Kept to recognise the same token when it comes again, and for the case that no other comes.
    Rejected(Held),
    /// Rejected, after which no login succeeded. It had served well, and is handed out as long as there is no other; in
    /// all else it is as if there were none.
    LastResort(Held),
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
    /// It can wait, but no longer than there is a credential without it.
    PutOff {
        until: Duration,
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
    /// The flight ended; `jitter` is between 0 and 1.
    FlightEnded { landed: Landed, jitter: f64 },
    /// The store was looked into; `jitter` as above.
    Restored { found: Option<Arrived>, jitter: f64 },
    /// A secret behind a remembered refusal changed.
    SecretsChanged,
    /// An operator says that files may be other ones now. The secrets behind a refusal are being looked at.
    Reread,
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
    /// Before it began, because a valid credential is held and the provider should be spared.
    PutOff {
        until: Duration,
        failure: LoginFailure,
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
                self.owed |= matches!(self.holding, Holding::LastResort(_));
            }
            Event::Wanted => self.waiters += 1,
            Event::Left => self.waiters = self.waiters.saturating_sub(1),
            Event::Rejected { generation } => {
                actions.verdict = Some(self.reject(now, generation, &mut actions.forget));
            }
            Event::Proven { generation } => self.prove(now, generation),
            Event::FlightEnded { landed, jitter } => {
                self.land(now, landed, jitter, &mut actions.forget);
            }
            Event::Restored { found, jitter } => self.restored(now, found, jitter),
            Event::SecretsChanged => self.secrets_changed(),
            Event::Reread => self.reread(now),
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
}

/// The margin of an early renewal beyond the token endpoint's deadline.
const MARGIN: Duration = Duration::from_secs(30);
