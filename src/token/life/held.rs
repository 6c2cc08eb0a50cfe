//! [`Held`]: a credential that was obtained, and how it ages.

use std::sync::Arc;
use std::time::Duration;

use super::Arrived;
use crate::clock::Now;
use crate::provider::{Credential, Lifetime};
use crate::token::issued::Issued;

/// A credential that was obtained.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What is handed out.
    pub(crate) issued: Issued,
    /// When its login was sent, or it was found in the store.
    pub(crate) sent: Now,
    /// Its age then; of one without expiry, for how long it was unused then.
    before: Duration,
    /// The last time it was handed out, as far as it is told (to the second).
    pub(crate) used: Option<Now>,
    /// When its use was last noted for those who come after this process.
    noted: Now,
    /// A good answer came with it.
    pub(crate) proven: bool,
    /// It was minted because of a rejection: until then its rejections cause no login.
    pub(crate) settles_until: Option<Duration>,
    /// It was rejected when no login might be made for that, and stayed because it is the only one.
    pub(crate) doubted: bool,
    /// When (monotonic) it was rejected first after its last good answer.
    pub(crate) unanswered: Option<Duration>,
    /// From this age on it is renewed if used.
    early: Duration,
}

impl Held {
    /// A credential that came with `arrived`; renewed early by at most `margin`, less `jitter` tenths.
    pub(crate) fn new(issued: Issued, arrived: &Arrived, margin: Duration, jitter: f64) -> Self {
        let early = match issued.credential.lifetime() {
            Lifetime::For(life) if life >= NOT_EARLY => {
                life.saturating_sub((life / 3).min(margin).mul_f64(1.0 - jitter / 10.0))
            }
            _ => Duration::MAX,
        };
        Self {
            issued,
            sent: arrived.sent,
            before: arrived.age,
            used: None,
            noted: arrived.sent,
            proven: false,
            settles_until: None,
            doubted: false,
            unanswered: None,
            early,
        }
    }

    /// A good answer came with it.
    pub(crate) fn prove(&mut self) {
        self.proven = true;
        self.unanswered = None;
    }

    /// How much longer it may be handed out, by the clock that says less; zero: not now.
    pub(crate) fn remaining(&self, now: Now) -> Duration {
        match self.issued.credential.lifetime() {
            Lifetime::For(life) => life.saturating_sub(self.age(now)),
            Lifetime::UntilUnusedFor(timeout) => (timeout / 2).saturating_sub(self.idle(now)),
        }
    }

    /// Whether it can never be handed out again, whatever happens.
    pub(crate) fn is_over(&self, now: Now) -> bool {
        match self.issued.credential.lifetime() {
            Lifetime::For(life) => self.age(now) >= life,
            Lifetime::UntilUnusedFor(timeout) => self.idle(now) >= timeout,
        }
    }

    /// How long until it should be renewed ahead of time; `None`: nobody used it, nor is it kept `warm`, or its end is
    /// not known.
    pub(crate) fn early_in(&self, now: Now, warm: bool) -> Option<Duration> {
        if (self.used.is_none() && !warm) || self.early == Duration::MAX {
            return None;
        }
        Some(self.early.saturating_sub(self.age(now)))
    }

    /// What is to be noted as used now, for those who come after this process: a token that lives for as long as it is
    /// used, a few times in that time.
    pub(crate) fn note_use(&mut self, now: Now) -> Option<Arc<Credential>> {
        let Lifetime::UntilUnusedFor(timeout) = self.issued.credential.lifetime() else {
            return None;
        };
        if now.since(self.noted) < (timeout / 16).max(NOTES) {
            return None;
        }
        self.noted = now;
        Some(Arc::clone(&self.issued.credential))
    }

    /// Whether a rejection now would be of a token that has not had its chance yet.
    pub(crate) fn is_settling(&self, now: Now) -> bool {
        !self.proven && self.settles_until.is_some_and(|until| now.mono < until)
    }

    /// Why it is perhaps of no use, although it is served.
    pub(crate) fn doubts(&self) -> Option<&'static str> {
        if self.doubted && !self.proven {
            return Some(
                "the upstream refuses new tokens, too; the next login is put off (`upauth token renew` asks for one)",
            );
        }
        let doubts = "the upstream refused this token, and has not taken it since";
        self.unanswered.map(|_| doubts)
    }

    /// The same token came again although nobody rejected it: its age starts again, its generation stays.
    pub(crate) fn renewed(&self, credential: Arc<Credential>, mut fresh: Self) -> Self {
        fresh.issued = Issued {
            credential,
            generation: self.issued.generation,
        };
        fresh.proven = self.proven;
        fresh.doubted = self.doubted;
        fresh.unanswered = self.unanswered;
        fresh.settles_until = self.settles_until;
        fresh
    }

    fn age(&self, now: Now) -> Duration {
        self.before + now.since(self.sent)
    }

    fn idle(&self, now: Now) -> Duration {
        self.used
            .map_or_else(|| self.age(now), |used| now.since(used))
    }
}

/// Shorter lives are not renewed early: logins would follow each other too closely.
const NOT_EARLY: Duration = Duration::from_secs(8);
/// Uses are noted no more often.
const NOTES: Duration = Duration::from_secs(60);
