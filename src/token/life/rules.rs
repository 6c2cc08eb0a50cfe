//! The rules behind [`Life::step`]: what each event changes, and when a flight begins.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{Actions, Arrived, Held, Holding, Landed, Life, Renewing};
use crate::clock::Now;
use crate::provider::{Credential, Lifetime, LoginFailure};
use crate::token::budget::back_off;
use crate::token::issued::Issued;

impl Life {
    pub(super) fn expire(&mut self, now: Now) {
        let (Holding::Valid(held) | Holding::LastResort(held)) = &self.holding else {
            return;
        };
        if !held.is_over(now) {
            return;
        }
        if matches!(self.renewing, Renewing::PutOff { .. }) {
            self.renewing = Renewing::Idle;
        }
        // A token that lives for a moment must not make every request log in.
        if matches!(held.issued.credential.lifetime(), Lifetime::For(life) if life < APART)
            && matches!(self.renewing, Renewing::Idle)
        {
            self.renewing = Renewing::WaitingUntil {
                at: held.sent.mono + APART,
                failure: LoginFailure::transient("the token lived too short to be of use"),
            };
        }
        self.holding = Holding::Nothing;
    }

    pub(super) fn used(&mut self, now: Now) -> Option<&mut Held> {
        let (Holding::Valid(held) | Holding::LastResort(held)) = &mut self.holding else {
            return None;
        };
        if held.remaining(now).is_zero() {
            return None;
        }
        held.used = Some(now);
        Some(held)
    }

    pub(super) fn secrets_changed(&mut self) {
        if matches!(self.renewing, Renewing::Refused { .. }) {
            self.renewing = Renewing::Idle;
            self.owed = true;
        }
    }

    /// What was missing on this machine may be there now.
    pub(super) fn reread(&mut self, now: Now) {
        self.secrets_looked_at = Some(now.mono);
        if matches!(&self.renewing, Renewing::WaitingUntil { failure, .. } if failure.is_local()) {
            self.failures = 0;
            self.renewing = Renewing::Idle;
        }
    }

    pub(super) fn operator_retry(&mut self) {
        self.rejections.forget();
        self.failures = 0;
        match &self.renewing {
            Renewing::InFlight { .. } => return,
            Renewing::Restoring => {}
            _ => self.renewing = Renewing::Idle,
        }
        self.owed = true;
    }

    /// What the store held is served like any other, if it is still good for something; it is no login.
    pub(super) fn restored(&mut self, now: Now, found: Option<Arrived>, jitter: f64) {
        debug_assert!(matches!(self.renewing, Renewing::Restoring));
        self.renewing = Renewing::Idle;
        let Some(arrived) = found else {
            return;
        };
        let fresh = self.next(&arrived, jitter);
        if !fresh.is_over(now) {
            self.generation = fresh.issued.generation;
            self.holding = Holding::Valid(fresh);
        }
    }

    fn next(&self, arrived: &Arrived, jitter: f64) -> Held {
        let issued = Issued {
            credential: Arc::clone(&arrived.credential),
            generation: self.generation + 1,
        };
        Held::new(issued, arrived, self.margin, jitter)
    }

    pub(super) fn land(
        &mut self,
        now: Now,
        landed: Landed,
        jitter: f64,
        forget: &mut Option<Arc<Credential>>,
    ) {
        let Renewing::InFlight {
            for_rejection,
            joined,
        } = mem::replace(&mut self.renewing, Renewing::Idle)
        else {
            debug_assert!(false, "a flight ended that nobody started");
            return;
        };
        self.logins += 1;
        let arrived = match landed {
            Landed::Credential(arrived) => arrived,
            Landed::Failed { failure, again } => return self.fail(now, failure, again, jitter),
            Landed::PutOff { until, failure } => {
                self.renewing = Renewing::PutOff { until, failure };
                return;
            }
        };
        // Others are renewals, whose number is the provider's business.
        if for_rejection {
            self.rejections.logged_in(now.mono);
        }
        let mut doubted = false;
        if let Holding::Rejected(old) | Holding::LastResort(old) = &self.holding
            && old.issued.credential.same_token(&arrived.credential)
        {
            if self.rejections.is_in_vain(now.mono) {
                // The provider insists, and nothing withholds the only token.
                doubted = true;
            } else {
                *forget = Some(arrived.credential);
                if joined {
                    // This flight may have been answered before the token died.
                    self.owed = true;
                    return;
                }
                let failure =
                    LoginFailure::transient("the login returned the very token that was rejected");
                return self.fail(now, failure, None, jitter);
            }
        }
        let settles = (for_rejection || joined) && !doubted;
        self.hold(now, arrived, jitter);
        if let Holding::Valid(held) = &mut self.holding {
            held.doubted |= doubted;
            if settles {
                held.settles_until = Some(now.mono + SETTLES);
            }
        }
    }

    fn hold(&mut self, now: Now, arrived: Arrived, jitter: f64) {
        let mut fresh = self.next(&arrived, jitter);
        // Not only one that is over: a token that cannot be handed out would cause the next login at once.
        if fresh.remaining(now).is_zero() {
            let failure = LoginFailure::transient("the token had expired when it arrived");
            return self.fail(now, failure, None, jitter);
        }
        if let Holding::Valid(old) = &self.holding
            && old.issued.credential.same_token(&arrived.credential)
        {
            fresh = old.renewed(arrived.credential, fresh);
        }
        self.failures = 0;
        self.owed = false;
        self.generation = fresh.issued.generation;
        self.holding = Holding::Valid(fresh);
    }

    fn fail(&mut self, now: Now, failure: LoginFailure, again: Option<Duration>, jitter: f64) {
        self.fall_back(now);
        // A token without expiry that was merely unused for long is better than none.
        if let Holding::Valid(held) = &mut self.holding
            && held.remaining(now).is_zero()
        {
            held.used = Some(now);
        }
        self.renewing = match &failure {
            LoginFailure::Refused { .. } => Renewing::Refused {
                // Whatever is told: no login follows the one before at once.
                again: again.map(|at| at.max(now.mono + back_off(1, None, jitter))),
                failure,
            },
            // Each further try would be a login whose token is thrown away.
            LoginFailure::TargetRefused { .. } => Renewing::Refused {
                again: Some(now.mono + STRANGE_HOST),
                failure,
            },
            LoginFailure::Transient { .. }
            | LoginFailure::Secret { .. }
            | LoginFailure::Store { .. } => {
                self.failures = self.failures.saturating_add(1);
                let at = now.mono + back_off(self.failures, failure.retry_after(), jitter);
                Renewing::WaitingUntil { at, failure }
            }
        };
    }

    /// The one place where a flight begins, or a look into the store.
    pub(super) fn decide(&mut self, now: Now, actions: &mut Actions) {
        if !self.is_wanted(now) {
            return;
        }
        let allowed = match &self.renewing {
            Renewing::Restoring | Renewing::InFlight { .. } => return,
            Renewing::Idle => true,
            Renewing::WaitingUntil { at, .. } => now.mono >= *at,
            Renewing::PutOff { until, .. } => now.mono >= *until || !self.can_wait(now),
            Renewing::Refused { again, .. } => again.is_some_and(|at| now.mono >= at),
        };
        if allowed && mem::take(&mut self.restorable) {
            actions.restore = true;
            self.renewing = Renewing::Restoring;
        } else if allowed {
            actions.fly = true;
            self.owed = false;
            self.renewing = Renewing::InFlight {
                for_rejection: !matches!(self.holding, Holding::Nothing | Holding::Valid(_)),
                joined: false,
            };
        } else if matches!(
            self.renewing,
            Renewing::Refused {
                failure: LoginFailure::Refused { .. },
                ..
            }
        ) && self
            .secrets_looked_at
            .is_none_or(|at| now.mono >= at + LOOK_APART)
        {
            self.secrets_looked_at = Some(now.mono);
            actions.look_at_secrets = true;
        }
    }

    pub(super) fn is_wanted(&self, now: Now) -> bool {
        let early = |held: &Held| held.early_in(now, self.warm) == Some(Duration::ZERO);
        self.owed || self.is_awaited(now) || self.usable(now).is_some_and(early)
    }
}

/// How long a token minted because of a rejection may lack a good answer.
const SETTLES: Duration = Duration::from_secs(10);
/// Logins are at least this far apart when tokens live shorter.
pub(super) const APART: Duration = Duration::from_secs(5);
/// When a login whose token was thrown away is tried again.
const STRANGE_HOST: Duration = Duration::from_secs(1800);
/// How often the secrets behind a refusal are looked at.
const LOOK_APART: Duration = Duration::from_secs(10);
