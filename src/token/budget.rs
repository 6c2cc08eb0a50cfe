//! How often is often enough: the budget of logins that rejections may cause, and the back-off of failing logins.

use std::time::Duration;

/// The logins of one account that rejections caused, as far as they decide whether a rejection may cause another.
///
/// One rejection does not tell a session's end from a path that rejects what others accept, nor does a good answer after the login: a path
/// may reject now and then. So each of them costs, and what is bounded is how close they come.
///
/// Invariant: beyond the first ([`AT_ONCE`], [`WAITS`]) they are [`APART`] from each other; once [`UNSERVED`] of them brought nobody a good answer, [`FAR_APART`].
/// Invariant: beyond that it is overruled a few times, and then three times an hour.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    /// How many logins rejections caused, each less than an hour after the one before it.
    caused: usize,
    /// When the latest of them brought a token.
    latest: Duration,
    /// How many of them came since somebody was answered well.
    unserved: usize,
    /// How often it was overruled; one is forgiven each [`FORGIVEN`].
    overruled: u32,
    /// When that last changed.
    overruled_at: Duration,
}

impl Rejections {
    /// A login that a rejection caused brought a token.
    pub(super) fn logged_in(&mut self, now: Duration) {
        let lately = self.lately(now);
        self.unserved = self.unserved.min(lately).saturating_add(1);
        self.caused = lately.saturating_add(1);
        self.latest = now;
    }

    /// Somebody was answered well.
    pub(super) fn served(&mut self) {
        self.unserved = 0;
    }

    /// Whether a rejection may cause a login.
    pub(super) fn allow(&self, now: Duration) -> bool {
        let lately = self.lately(now);
        let unserved = self.unserved.min(lately);
        let beyond = lately.checked_sub(AT_ONCE);
        let wait = match beyond.max(unserved.checked_sub(IN_VAIN)) {
            None => return true,
            Some(_) if unserved >= UNSERVED => FAR_APART,
            Some(more) => WAITS.get(more).copied().unwrap_or(APART),
        };
        now >= self.latest + wait
    }

    /// Whether a rejection may cause a login although it is too early for one: the token had served well, and nobody got a good answer
    /// with it since `unanswered`, when it was rejected first. That is how a session's end looks beside paths that reject.
    ///
    /// It takes 5 s the first time, and four times as long each time after it.
    pub(super) fn overrule(&mut self, now: Duration, unanswered: Duration) -> bool {
        while self.overruled > 0 && now >= self.overruled_at + FORGIVEN {
            self.overruled -= 1;
            self.overruled_at += FORGIVEN;
        }
        let patience = PATIENCE * 4_u32.saturating_pow(self.overruled.min(6));
        let overrules = now >= unanswered + patience;
        if overrules {
            self.overruled += 1;
            self.overruled_at = now;
        }
        overrules
    }

    /// Whether so many logins brought the very token that was rejected that it has to do.
    pub(super) fn is_in_vain(&self, now: Duration) -> bool {
        self.lately(now) >= IN_VAIN
    }

    /// What was before counts no more; an operator may ask for that.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn lately(&self, now: Duration) -> usize {
        match now < self.latest + HOUR {
            true => self.caused,
            false => 0,
        }
    }
}

/// How long to wait after `failures` failed logins in a row: 1 s, doubled each time up to 60 s, spread by
/// `jitter` (0 to 1), and never less than the provider asked for, as long as that is at most an hour.
pub(super) fn back_off(failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(failures.saturating_sub(1).min(6));
    let spread = doubled.min(LONGEST_WAIT).mul_f64(0.75 + jitter / 4.0);
    spread.max(retry_after.unwrap_or_default().min(HOUR))
}

/// So many logins that rejections cause need not wait. With the one before them and those that [`WAITS`] and [`APART`] allow that makes ten in
/// ten minutes, which is what the strictest of usual providers allow (Zoho; Entra allows 15 in five).
const AT_ONCE: usize = 6;
/// The same while nobody is answered well.
const IN_VAIN: usize = 4;
/// How long after the latest of them the next may come, and the one after that.
const WAITS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];
/// The same beyond those: sessions seldom end that often, and a path that rejects costs ten an hour.
const APART: Duration = Duration::from_secs(360);
/// So many that brought nobody a good answer, and it may well be an upstream that takes no token: two have then waited for [`APART`], so
/// that a fault of ten minutes ends no later than that.
const UNSERVED: usize = IN_VAIN + WAITS.len() + 2;
/// From there on.
const FAR_APART: Duration = Duration::from_secs(1800);
/// How long nobody must have been served well with a token before that is overruled the first time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it takes to forgive that once.
const FORGIVEN: Duration = Duration::from_secs(1200);
/// After an hour without it begins anew; and the longest wait that a provider may ask for.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_from_one_second_to_a_minute_and_honours_retry_after() {
        let check = |failures, retry_after: Option<u64>, expected: u64| {
            let got = back_off(failures, retry_after.map(Duration::from_secs), 1.0);
            assert_eq!(
                got,
                Duration::from_secs(expected),
                "{failures} {retry_after:?}"
            );
        };
        check(1, None, 1);
        check(2, None, 2);
        check(6, None, 32);
        check(7, None, 60);
        check(u32::MAX, None, 60);
        check(1, Some(17), 17);
        check(7, Some(17), 60);
        check(1, Some(u64::MAX), 3600);
        assert_eq!(back_off(1, None, 0.0), Duration::from_millis(750));
    }
}
