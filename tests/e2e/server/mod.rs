//! Callers and the proxy: what they may speak, how slow they may be, which upstream they reach, and how it ends.

mod certificates;
mod doors;
mod drain;
mod limits;
mod loops;
mod slow;
mod slow_http2;
mod tls;
mod troubles;
#[cfg(unix)]
mod unix;
mod versions;
mod ways;
