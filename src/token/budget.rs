//! How often is often enough: the budget of logins that rejections may cause, and the back-off of failing logins.

use std::collections::VecDeque;
use std::time::Duration;

/// The logins of one account, as far as they decide whether a rejection may cause another.
///
/// Invariant: an upstream that rejects every token costs at most [`FIRST_HOUR`] logins in the hour that begins
/// with the login it rejected first, and at most [`LATER_HOURS`] in any hour after it; anew if that was an hour ago.
/// Invariant: logins that cured what they were for cost nothing, up to [`CURES`] in any hour.
/// Invariant: beyond that it is overruled a few times, and then once an hour.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    /// The latest logins that brought a token because of a rejection, oldest first, and the one before them; never more than [`FIRST_HOUR`].
    logins: VecDeque<Duration>,
    /// When the token was obtained whose rejection began this.
    began: Option<Duration>,
    /// The latest logins that cured what they were for, oldest first; never more than [`CURES`].
    cures: VecDeque<Duration>,
    /// How often it was overruled since a login last cured what it was for; each hour one is forgiven.
    overruled: u32,
    /// When that last changed.
    overruled_at: Duration,
    /// When a rejection last caused a login, if that cured nothing, as far as is known.
    vain: Option<Duration>,
}

impl Rejections {
    /// A login that a rejection caused, or joined, brought a token.
    pub(super) fn logged_in(&mut self, now: Duration) {
        if self.logins.len() == FIRST_HOUR {
            self.logins.pop_front();
        }
        self.logins.push_back(now);
    }

    /// Whether the rejection of a token that was obtained at `obtained` may cause a login.
    pub(super) fn allow(&mut self, now: Duration, obtained: Duration) -> bool {
        let began = match self.began {
            Some(began) => began,
            None => {
                self.began = Some(obtained);
                self.logged_in(obtained);
                obtained
            }
        };
        let logins = self.logins.iter();
        let allows = match now < began + HOUR {
            true => logins.filter(|at| **at >= began).count() < FIRST_HOUR,
            false => logins.filter(|at| **at + HOUR > now).count() < LATER_HOURS,
        };
        if allows {
            self.vain = Some(now);
        }
        allows
    }

    /// Whether a rejection may cause a login that the budget does not allow: the token had served well, and nobody got a
    /// good answer with it since `unanswered`, when it was rejected first. That is how a session's end looks beside a path
    /// that rejects every token, and has used up the budget.
    ///
    /// It takes 5 s the first time, and four times as long each time after it, up to an hour.
    pub(super) fn overrule(&mut self, now: Duration, unanswered: Duration) -> bool {
        while self.overruled > 0 && now >= self.overruled_at + HOUR {
            self.overruled -= 1;
            self.overruled_at += HOUR;
        }
        let patience = PATIENCE * 4_u32.saturating_pow(self.overruled.min(6));
        let overrules = now >= unanswered + patience.min(HOUR);
        if overrules {
            self.overruled += 1;
            self.overruled_at = now;
            self.vain = Some(now);
        }
        overrules
    }

    /// Whether what is rejected now may be one caller's own affair, however long it served.
    pub(super) fn is_overruled(&self) -> bool {
        self.overruled > 0
    }

    /// The latest login, made because of a rejection, cured the request that met it: the session had really ended.
    pub(super) fn cured(&mut self, now: Duration) {
        self.vain = None;
        self.cures.retain(|at| *at + HOUR > now);
        if self.cures.len() < CURES {
            self.cures.push_back(now);
            // What overruled the budget was not of it.
            if self.overruled == 0 {
                self.logins.pop_back();
            }
            self.overruled = 0;
        }
    }

    /// The rejected token had served well. What was before counts no more, unless it was in vain within an hour: a path that rejects
    /// every token rejects one that served for long as well.
    pub(super) fn forgive(&mut self, now: Duration) {
        if self.vain.is_none_or(|vain| now >= vain + HOUR) {
            self.forget();
        }
    }

    /// What was before counts no more; an operator may ask for that.
    pub(super) fn forget(&mut self) {
        self.logins.clear();
        self.began = None;
        self.overruled = 0;
        self.vain = None;
    }
}

/// How long to wait after `failures` failed logins in a row: 1 s, doubled each time up to 60 s, spread by
/// `jitter` (0 to 1), and never less than the provider asked for, as long as that is at most an hour.
pub(super) fn back_off(failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(failures.saturating_sub(1).min(6));
    let spread = doubled.min(LONGEST_WAIT).mul_f64(0.75 + jitter / 4.0);
    spread.max(retry_after.unwrap_or_default().min(HOUR))
}

/// Logins in the first hour of an upstream that rejects every token.
pub(super) const FIRST_HOUR: usize = 5;
/// Logins in each hour after it.
pub(super) const LATER_HOURS: usize = 2;
/// Logins in any hour for sessions that really ended, beyond those: far below what providers allow.
pub(super) const CURES: usize = 100;
/// How long nobody must have been served well with a token before the budget is overruled the first time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The hour of every budget.
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

    #[test]
    fn an_upstream_rejecting_every_token_costs_five_logins_then_two_an_hour() {
        let mut budget = Rejections::default();
        let mut logins = vec![Duration::ZERO];
        for second in (0..6 * 3600).step_by(7) {
            let now = Duration::from_secs(second);
            if budget.allow(now, *logins.last().unwrap()) {
                budget.logged_in(now);
                logins.push(now);
            }
        }
        for hour in 0..6 {
            let count = logins
                .iter()
                .filter(|at| at.as_secs() / 3600 == hour)
                .count();
            assert_eq!(count, if hour == 0 { 5 } else { 2 }, "hour {hour}");
        }
    }
}
