//! Upstreams that speak HTTP/2: requests and answers, connections that are shared, what is refused and what breaks.

mod alone;
mod attempts;
#[cfg(target_os = "linux")]
mod bounded;
mod broken;
mod cancelled;
mod doubted;
mod forwarding;
mod pieces;
mod refused;
mod sharing;
mod silent;
mod slow;
mod streaming;
