//! What is believed of a credential: rejections, good answers, and what is left when no login succeeds.
//!
//! A rejection may say that the session has ended, or be one caller's own affair: a path that answers 401 whatever the
//! token. It is believed as long as a login may bring another token; good answers to others decide what it takes away
//! when none does.

use std::mem;
use std::sync::Arc;

use super::{Held, Holding, Life, Renewing};
use crate::clock::Now;
use crate::provider::Credential;
use crate::token::issued::Rejected;

impl Life {
    pub(super) fn prove(&mut self, now: Now, generation: u64) {
        if let Holding::Valid(held) | Holding::Rejected(held) | Holding::LastResort(held) =
            &mut self.holding
            && held.issued.generation == generation
        {
            held.prove();
            self.rejections.served();
            self.fall_back_if_failing(now);
        }
    }

    pub(super) fn reject(
        &mut self,
        now: Now,
        generation: u64,
        forget: &mut Option<Arc<Credential>>,
    ) -> Rejected {
        let held = match &mut self.holding {
            Holding::Valid(held) => held,
            Holding::LastResort(held) if held.issued.generation == generation => {
                // Whatever is believed, a login is tried as soon as it may be: a good answer may be to any token.
                self.owed = true;
                let contradicted = held.unanswered.is_none();
                held.unanswered.get_or_insert(now.mono);
                return match contradicted {
                    true => Rejected::Contradicted,
                    false => Rejected::Renewing,
                };
            }
            Holding::Rejected(held) if held.issued.generation == generation => {
                held.unanswered.get_or_insert(now.mono);
                return Rejected::Renewing;
            }
            Holding::Nothing | Holding::Rejected(_) | Holding::LastResort(_) => {
                return Rejected::Renewing;
            }
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
        let since = *held.unanswered.get_or_insert(now.mono);
        // The flight in progress costs nothing more, so joining it counts for nothing.
        if let Renewing::InFlight { joined, .. } = &mut self.renewing {
            *joined = true;
        } else if self.rejections.allow(now.mono)
            || (held.proven && self.rejections.overrule(now.mono, since))
        {
            self.owed = !matches!(self.renewing, Renewing::Refused { .. });
        } else {
            held.doubted = true;
            return Rejected::Exhausted;
        }
        if let Holding::Valid(held) = mem::replace(&mut self.holding, Holding::Nothing) {
            *forget = Some(Arc::clone(&held.issued.credential));
            self.holding = Holding::Rejected(held);
        }
        self.fall_back_if_failing(now);
        Rejected::Renewing
    }

    /// Where it is known already that no login succeeds, nothing is to be waited for.
    fn fall_back_if_failing(&mut self, now: Now) {
        if let Renewing::WaitingUntil { .. } | Renewing::Refused { .. } = self.renewing {
            self.fall_back(now);
        }
    }

    /// No login succeeds: a rejected credential that had served well is better than none.
    pub(super) fn fall_back(&mut self, now: Now) {
        let fit = |held: &Held| held.proven && !held.remaining(now).is_zero();
        self.holding = match mem::replace(&mut self.holding, Holding::Nothing) {
            Holding::Rejected(held) if fit(&held) => Holding::LastResort(held),
            other => other,
        };
    }
}
