//! The rules behind [`Life::step`]: what each event changes, and when a flight begins.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{Actions, Held, Holding, Landed, Life, Renewing};
use crate::clock::Now;
use crate::provider::{Credential, Lifetime, LoginFailure};
use crate::token::budget::back_off;
use crate::token::issued::{Issued, Rejected};

impl Life {
    pub(super) fn expire(&mut self, now: Now) {
        let Holding::Valid(held) = &self.holding else {
            return;
        };
        if !held.is_over(now) {
            return;
        }
        // A token that lives for a moment must not make every request log in.
        if matches!(held.issued.credential.lifetime(), Lifetime::For(life) if life < APART)
            && matches!(self.renewing, Renewing::Idle)
        {
            self.renewing = Renewing::WaitingUntil {
                at: held.sent.mono + APART,
                failure: transient("the token lived too short to be of use"),
            };
        }
        self.holding = Holding::Nothing;
    }

    pub(super) fn used(&mut self, now: Now) {
        if let Holding::Valid(held) = &mut self.holding
            && !held.remaining(now).is_zero()
        {
            held.used = Some(now);
        }
    }

    pub(super) fn prove(&mut self, generation: u64) {
        if let Holding::Valid(held) = &mut self.holding
            && held.issued.generation == generation
        {
            held.proven = true;
        }
    }

    pub(super) fn cure(&mut self, now: Now, generation: u64) {
        self.prove(generation);
        if let Holding::Valid(held) = &mut self.holding
            && held.issued.generation == generation
            && held.settles_until.is_some()
            && !held.cured
        {
            held.cured = true;
            self.rejections.cured(now.mono);
        }
    }

    pub(super) fn reject(&mut self, now: Now, generation: u64) -> Rejected {
        let Holding::Valid(held) = &mut self.holding else {
            return Rejected::Renewing;
        };
        if held.issued.generation != generation {
            return match held.remaining(now).is_zero() {
                true => Rejected::Renewing,
                false => Rejected::Replaced,
            };
        }
        if held.is_settling(now) {
            return Rejected::Settling;
        }
        if held.has_served(now) {
            self.rejections.forget();
        }
        // The flight in progress costs nothing more, so joining it needs no budget.
        if let Renewing::InFlight { joined, .. } = &mut self.renewing {
            *joined = true;
        } else if self.rejections.allow(now.mono, held.sent.mono) {
            self.owed = !matches!(self.renewing, Renewing::Refused { .. });
        } else {
            held.doubted = true;
            return Rejected::Exhausted;
        }
        if let Holding::Valid(held) = mem::replace(&mut self.holding, Holding::Nothing) {
            self.holding = Holding::Rejected(held);
        }
        Rejected::Renewing
    }

    pub(super) fn secrets_changed(&mut self) {
        if matches!(self.renewing, Renewing::Refused { .. }) {
            self.renewing = Renewing::Idle;
            self.owed = true;
        }
    }

    pub(super) fn operator_retry(&mut self) {
        self.rejections.forget();
        self.failures = 0;
        if !matches!(self.renewing, Renewing::InFlight { .. }) {
            self.renewing = Renewing::Idle;
            self.owed = true;
        }
    }

    pub(super) fn land(&mut self, now: Now, landed: Landed, jitter: f64) {
        let Renewing::InFlight {
            for_rejection,
            joined,
        } = mem::replace(&mut self.renewing, Renewing::Idle)
        else {
            debug_assert!(false, "a flight ended that nobody started");
            return;
        };
        self.logins += 1;
        let (credential, sent) = match landed {
            Landed::Credential { credential, sent } => (credential, sent),
            Landed::Failed { failure, again } => return self.fail(now, failure, again, jitter),
        };
        self.rejections.logged_in(now.mono);
        let mut doubted = false;
        if let Holding::Rejected(old) = &self.holding
            && old.issued.credential.same_token(&credential)
        {
            if !self.rejections.allow(now.mono, old.sent.mono) {
                // The provider insists, and no budget withholds the only token.
                doubted = true;
            } else if joined {
                // This flight may have been answered before the token died.
                self.owed = true;
                return;
            } else {
                let failure = transient("the login returned the very token that was rejected");
                return self.fail(now, failure, None, jitter);
            }
        }
        let settles = (for_rejection || joined) && !doubted;
        self.hold(now, credential, sent, jitter);
        if let Holding::Valid(held) = &mut self.holding {
            held.doubted |= doubted;
            if settles {
                held.settles_until = Some(now.mono + SETTLES);
            }
        }
    }

    fn hold(&mut self, now: Now, credential: Arc<Credential>, sent: Now, jitter: f64) {
        let issued = Issued {
            credential: Arc::clone(&credential),
            generation: self.generation + 1,
        };
        let mut fresh = Held::new(issued, sent, self.margin, jitter);
        // Not only one that is over: a token that cannot be handed out would cause the next login at once.
        if fresh.remaining(now).is_zero() {
            let failure = transient("the token had expired when it arrived");
            return self.fail(now, failure, None, jitter);
        }
        if let Holding::Valid(old) = &self.holding
            && old.issued.credential.same_token(&credential)
        {
            fresh = old.renewed(credential, fresh);
        }
        self.failures = 0;
        self.generation = fresh.issued.generation;
        self.holding = Holding::Valid(fresh);
    }

    fn fail(&mut self, now: Now, failure: LoginFailure, again: Option<Duration>, jitter: f64) {
        // A token without expiry that was merely unused for long is better than none.
        if let Holding::Valid(held) = &mut self.holding
            && held.remaining(now).is_zero()
        {
            held.used = Some(now);
        }
        self.renewing = match &failure {
            LoginFailure::Refused { .. } => Renewing::Refused { again, failure },
            // Each further try would be a login whose token is thrown away.
            LoginFailure::TargetRefused { .. } => Renewing::Refused {
                again: Some(now.mono + STRANGE_HOST),
                failure,
            },
            LoginFailure::Transient { retry_after, .. } => {
                self.failures = self.failures.saturating_add(1);
                let at = now.mono + back_off(self.failures, *retry_after, jitter);
                Renewing::WaitingUntil { at, failure }
            }
            LoginFailure::Secret { .. } => {
                self.failures = self.failures.saturating_add(1);
                let at = now.mono + back_off(self.failures, None, jitter);
                Renewing::WaitingUntil { at, failure }
            }
        };
    }

    /// The one place where a flight begins.
    pub(super) fn decide(&mut self, now: Now, verdict: Option<Rejected>) -> Actions {
        let mut actions = Actions {
            verdict,
            ..Actions::default()
        };
        if !self.is_wanted(now) {
            return actions;
        }
        let allowed = match &self.renewing {
            Renewing::InFlight { .. } => return actions,
            Renewing::Idle => true,
            Renewing::WaitingUntil { at, .. } => now.mono >= *at,
            Renewing::Refused { again, .. } => again.is_some_and(|at| now.mono >= at),
        };
        if allowed {
            actions.fly = true;
            self.owed = false;
            self.renewing = Renewing::InFlight {
                for_rejection: matches!(self.holding, Holding::Rejected(_)),
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
        actions
    }

    pub(super) fn is_wanted(&self, now: Now) -> bool {
        self.owed
            || match self.usable(now) {
                Some(held) => held.early_in(now, self.warm) == Some(Duration::ZERO),
                None => self.warm || self.waiters > 0,
            }
    }
}

fn transient(text: &str) -> LoginFailure {
    LoginFailure::Transient {
        text: text.to_owned(),
        retry_after: None,
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
