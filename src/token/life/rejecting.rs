//! Rejections and good answers: what is believed, and what it takes away.
//!
//! A rejection may say that the credential is dead, or be one caller's own affair. As long as a login may replace it, it is
//! believed at once; when none can, what others are answered decides.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{Held, Holding, Life, Renewing};
use crate::clock::Now;
use crate::provider::Credential;
use crate::token::issued::Rejected;

impl Life {
    /// Says whether the good answer contradicts a rejection.
    pub(super) fn prove(&mut self, now: Now, generation: u64, handed: Duration) -> bool {
        let (Holding::Valid(held) | Holding::Rejected(held)) = &mut self.holding else {
            return false;
        };
        if held.issued.generation != generation {
            return false;
        }
        let contradicts = held.prove(handed);
        if contradicts {
            self.owed = false;
        }
        self.stay(now);
        contradicts
    }

    pub(super) fn cure(&mut self, now: Now, generation: u64) {
        if let Holding::Valid(held) = &mut self.holding
            && held.issued.generation == generation
            && held.settles_until.is_some()
            // It may be the one whose rejection was contradicted meanwhile.
            && !held.disputed
            && !held.cured
        {
            held.cured = true;
            self.rejections.cured(now.mono);
        }
    }

    pub(super) fn reject(
        &mut self,
        now: Now,
        generation: u64,
        forget: &mut Option<Arc<Credential>>,
    ) -> Rejected {
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
        let since = held.doubt(now);
        let stands = held.proven && self.rejections.stands(now.mono, since);
        let contradicted = held.disputed && !stands;
        // What is under way, or owed already, costs nothing more.
        let room = matches!(self.renewing, Renewing::InFlight { .. })
            || self.owed
            || self.rejections.allow(now.mono, held.sent.mono)
            || stands;
        let stays = held.proven && self.failing;
        if contradicted && (stays || !room) {
            return Rejected::Contradicted;
        }
        if !room {
            return Rejected::Exhausted;
        }
        match &mut self.renewing {
            Renewing::InFlight {
                for_rejection,
                joined,
            } => *joined |= !*for_rejection,
            // For one that stays, the secrets behind the refusal are worth a look.
            Renewing::Refused { .. } => self.owed = stays,
            _ => self.owed = true,
        }
        if !stays && let Holding::Valid(held) = mem::replace(&mut self.holding, Holding::Nothing) {
            *forget = Some(Arc::clone(&held.issued.credential));
            self.holding = Holding::Rejected(held);
        }
        Rejected::Renewing
    }

    /// While no login succeeds, a rejected credential that had proven good is better than none.
    pub(super) fn stay(&mut self, now: Now) {
        let fit = |held: &Held| held.proven && !held.remaining(now).is_zero();
        if self.failing && matches!(&self.holding, Holding::Rejected(held) if fit(held)) {
            self.holding = match mem::replace(&mut self.holding, Holding::Nothing) {
                Holding::Rejected(held) => Holding::Valid(held),
                other => other,
            };
        }
    }
}
