//! How often and why a request is sent: the whole policy of sending again, in one place.

use super::error::Error;
use super::judge::{Answer, proves};
use super::prepared::Prepared;
use super::request_body::RequestBody;
use super::upstream::Upstream;
use crate::egress::{Failure, Phase};
use crate::message::Rejection;
use crate::provider::{Surface, Verdict};
use crate::token::{Issued, Rejected};

/// How often and why a request was sent.
#[derive(Default)]
pub(super) struct Tries {
    pub(super) sends: u32,
    /// "Try again" was heard once.
    again: bool,
    /// A dead session was replaced once.
    renewed: bool,
    /// A reused connection was lost, or refused a request: the next one is new.
    pub(super) fresh: bool,
}

/// What follows an answer.
pub(super) enum Next {
    /// It goes to the caller.
    Pass,
    /// The request is sent once more with the same credential.
    Again,
    /// The request is sent once more with a newer credential.
    Renewed,
}

impl Tries {
    /// Lets a request be sent once more on a new connection, if it provably was not sent or does no harm.
    pub(super) fn after_failure(
        &mut self,
        prepared: &mut Prepared,
        mut failure: Failure<RequestBody>,
    ) -> Result<(), Error> {
        let lost = failure.phase == Phase::Head && !failure.timeout && !failure.body;
        // Who refuses has not acted, however often; a connection is lost by chance only once.
        let again = failure.refused || (failure.reused && !self.fresh);
        let retry = lost && again && self.sends < MOST_SENDS;
        self.fresh = true;
        if failure.body && prepared.is_malformed() {
            return Err(Rejection::Malformed("the framing of the body is wrong").into());
        }
        let unsent = failure.unsent;
        match failure.untouched.take() {
            Some(body) if retry => prepared.untouched(body),
            None if retry && (unsent || prepared.is_safe()) && prepared.is_at_hand() => {}
            _ => return Err(Error::Upstream(Box::new(failure))),
        }
        Ok(())
    }

    /// Rejects a dead session, and says whether the request is sent once more.
    pub(super) fn after_answer(
        &mut self,
        prepared: &Prepared,
        upstream: &Upstream,
        surface: &Surface,
        issued: &Issued,
        answer: &Answer,
        verdict: Verdict,
    ) -> Next {
        let again = |tries: &Self| tries.sends < MOST_SENDS && prepared.is_at_hand();
        // The rest of a body can be waited for only once its sending is given up, and the answer with it: that must
        // be at hand itself, for the case that the rest does not come.
        let later = self.sends < MOST_SENDS && answer.is_over() && prepared.may_come();
        match verdict {
            Verdict::Alive => {
                if proves(answer.head.status) {
                    upstream.tokens.confirm(issued);
                }
                Next::Pass
            }
            Verdict::TryAgain if !self.again && again(self) => {
                self.again = true;
                Next::Again
            }
            Verdict::TryAgain => Next::Pass,
            Verdict::Dead => {
                let rejected = upstream.tokens.reject(issued);
                let hopeless = matches!(
                    rejected,
                    Rejected::Settling | Rejected::Exhausted | Rejected::Contradicted
                );
                // With a good status, or by an application of its own, the upstream may have done what was asked all the
                // same.
                let acted =
                    (answer.head.status.is_success() || surface.once) && !prepared.is_safe();
                if hopeless || acted || self.renewed || !(again(self) || later) {
                    return Next::Pass;
                }
                self.renewed = true;
                Next::Renewed
            }
        }
    }
}

/// Most times one request is sent.
pub(super) const MOST_SENDS: u32 = 3;
