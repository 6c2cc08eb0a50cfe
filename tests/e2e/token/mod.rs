//! The life of tokens through the whole product. Time is let pass, not waited for, except where the proxy's own timers
//! are what is tested.

/// 401s that are one path's own affair.
mod contradicted;
/// A token endpoint in trouble.
mod failing;
/// What passes by itself.
mod passing;
/// Tokens and passwords that are refused.
mod refused;
/// Lifetimes and early renewal.
mod renewing;
/// Secrets in files.
mod secrets;
/// One login for all.
mod sharing;
/// Tokens that are kept ready although nobody calls.
mod warm;

use crate::support::{Answer, Caller, Emulated, together};

const LIMITS: &str = "/crm/services/data/v59.0/limits";
const ACCOUNT: &str = "/billing/v1/accounts/A1";

/// The answers to `count` requests at once, each on a connection of its own.
async fn crowd(at: &Emulated, count: usize, path: &'static str) -> Vec<Answer> {
    crate::support::open_files::as_many_as_there_may_be();
    let addr = at.proxy.addr();
    together(count, move |_| async move {
        Caller::connect(addr).await.get(path).await
    })
    .await
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    all.sort_unstable();
    all.dedup();
    all
}
