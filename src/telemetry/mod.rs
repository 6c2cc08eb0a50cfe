//! Words for watching: diagnostics, the access log, metrics, request ids.
//!
//! This room is told values, never configuration: who calls decides what is on. Deliberately absent:
//! traces, and anything that could hold a token, a header or the value of a query.

pub mod access;
pub mod id;
pub mod log;
pub mod metrics;
pub mod panics;
mod printable;
mod seconds;

pub use self::access::{AccessLog, Entry, ShownPath};
pub use self::id::{Id, Ids};
pub use self::log::Format;
pub use self::metrics::{Metrics, UpstreamMetrics};
pub use self::printable::printable;
pub use self::seconds::Seconds;
