//! What is asked of a [`Life`] between its steps: what there is to be handed out, what those who wait get, when to wake
//! it, what an operator may know.

use std::time::Duration;

use super::{Held, Holding, Life, Renewing};
use crate::clock::Now;
use crate::provider::{Lifetime, LoginFailure};
use crate::token::issued::{Issued, Unavailable};
use crate::token::status::{State, Status};

impl Life {
    /// What may be handed out without a wait, and until when (monotonic) if nothing happens.
    pub(crate) fn view(&self, now: Now) -> Option<(&Issued, Duration)> {
        let held = self.usable(now)?;
        Some((&held.issued, now.mono + held.remaining(now)))
    }

    /// The generation of which a good answer would be news.
    pub(crate) fn unproven(&self) -> Option<u64> {
        let held = match &self.holding {
            Holding::Valid(held) | Holding::Rejected(held) | Holding::LastResort(held) => held,
            Holding::Nothing => return None,
        };
        (!held.proven || held.unanswered.is_some()).then_some(held.issued.generation)
    }

    /// Whether a use was recorded at this very `now`.
    pub(crate) fn was_told(&self, now: Now) -> bool {
        self.usable(now).is_some_and(|held| held.used == Some(now))
    }

    /// What one gets who waits until `deadline` for a generation after `newer_than`; `None`: it goes on waiting. Right
    /// after a step at the same `now`.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        newer_than: u64,
        deadline: Duration,
    ) -> Option<Result<Issued, Unavailable>> {
        let newer = |held: &&Held| held.issued.generation > newer_than;
        if let Some(held) = self.usable(now).filter(newer) {
            let issued = held.issued.clone();
            self.used(now);
            return Some(Ok(issued));
        }
        match &self.renewing {
            Renewing::Idle | Renewing::Restoring | Renewing::InFlight { .. } => None,
            Renewing::WaitingUntil { at, failure } if *at < deadline && self.may_pass(failure) => {
                None
            }
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

    /// When [`Event::Tick`](super::Event::Tick) is due (monotonic), if nothing happens before.
    pub(crate) fn next_wake(&self, now: Now) -> Option<Duration> {
        let allowed = match &self.renewing {
            Renewing::Idle => Duration::ZERO,
            Renewing::WaitingUntil { at, .. } => *at,
            Renewing::PutOff { until, .. } => match self.usable(now) {
                Some(held) if self.can_wait(now) => (now.mono + held.remaining(now)).min(*until),
                _ => Duration::ZERO,
            },
            Renewing::Refused { again, .. } => (*again)?,
            Renewing::Restoring | Renewing::InFlight { .. } => return None,
        };
        let wanted = match self.usable(now) {
            _ if self.owed || self.is_awaited(now) => now.mono,
            Some(held) if self.warm => {
                now.mono + held.early_in(now, true).unwrap_or(held.remaining(now))
            }
            Some(held) => now.mono + held.early_in(now, false)?,
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
            Renewing::WaitingUntil { at, failure } | Renewing::PutOff { until: at, failure } => {
                (Some(failure.to_string()), Some(*at))
            }
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
            lacks: self
                .usable(now)
                .and_then(|held| held.issued.credential.told().lacks.clone()),
            next_try: next_try.map(|at| at.saturating_sub(now.mono)),
            expires_in,
            generation: self.generation,
            logins: self.logins,
        }
    }

    /// Whether another secret would be worth a login.
    pub(crate) fn waits_for_secrets(&self) -> bool {
        let refused = |failure: &LoginFailure| matches!(failure, LoginFailure::Refused { .. });
        matches!(&self.renewing, Renewing::Refused { failure, .. } if refused(failure))
    }

    pub(super) fn usable(&self, now: Now) -> Option<&Held> {
        match &self.holding {
            Holding::Valid(held) | Holding::LastResort(held) if !held.remaining(now).is_zero() => {
                Some(held)
            }
            _ => None,
        }
    }

    /// Whether somebody wants a credential, and there is none but perhaps a last resort.
    pub(super) fn is_awaited(&self, now: Now) -> bool {
        !self.can_wait(now) && (self.warm || self.waiters > 0)
    }

    /// Whether there is one that nothing speaks against: a login can wait.
    pub(crate) fn can_wait(&self, now: Now) -> bool {
        matches!(self.holding, Holding::Valid(_)) && self.usable(now).is_some()
    }

    pub(super) fn state(&self, now: Now) -> State {
        match &self.renewing {
            _ if self.can_wait(now) => State::Valid,
            Renewing::Idle | Renewing::PutOff { .. } => State::None,
            Renewing::Restoring | Renewing::InFlight { .. } => State::Renewing,
            Renewing::WaitingUntil { .. } => State::Waiting,
            Renewing::Refused { .. } => State::Refused,
        }
    }

    /// Whether the next try is worth waiting for, if it comes in time. A file that is just being replaced is there at a
    /// second look; what is wrong on this machine even then does not come by waiting.
    fn may_pass(&self, failure: &LoginFailure) -> bool {
        !failure.is_local() || self.failures == 1
    }

    fn setback(&self, now: Now) -> Option<Unavailable> {
        let (at, failure) = match &self.renewing {
            Renewing::WaitingUntil { at, failure } | Renewing::PutOff { until: at, failure } => {
                (*at, failure)
            }
            Renewing::Refused { again, failure } => (again.unwrap_or_default(), failure),
            Renewing::Idle | Renewing::Restoring | Renewing::InFlight { .. } => return None,
        };
        let retry_after = at.saturating_sub(now.mono);
        Some(Unavailable::because(failure.clone(), retry_after))
    }
}
