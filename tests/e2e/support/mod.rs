//! The stage: a proxy on free ports, callers that speak bytes, and servers that follow a script.

#![allow(
    dead_code,
    unused_imports,
    reason = "several test binaries share the stage, none uses all of it"
)]

pub mod caller;
pub mod emulated;
pub mod proxy;
pub mod scripted;

pub use self::caller::{Answer, Caller};
pub use self::emulated::{Emulated, together};
pub use self::proxy::TestProxy;
pub use self::scripted::{Connection, Scripted, Seen};
