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
                Some(held) => (now.mono + held.remaining(now)).min(*until),
                None => Duration::ZERO,
            },
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
            Holding::Valid(held) if !held.remaining(now).is_zero() => Some(held),
            _ => None,
        }
    }

    pub(super) fn state(&self, now: Now) -> State {
        match &self.renewing {
            _ if self.usable(now).is_some() => State::Valid,
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
