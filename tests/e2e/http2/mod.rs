//! Upstreams that speak HTTP/2: requests and answers, connections that are shared, what is refused and what breaks.

mod broken;
mod forwarding;
mod refused;
mod sharing;
mod streaming;
