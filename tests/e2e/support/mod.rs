//! The stage: a proxy on free ports, callers that speak bytes, and servers that follow a script.

#![allow(
    dead_code,
    unused_imports,
    reason = "several test programs share the stage, and none needs all of it"
)]

pub mod caller;
pub mod canary;
pub mod emulated;
pub mod framed;
pub mod frames;
pub mod h2;
pub mod open_files;
pub mod outbound;
pub mod ports;
pub mod proxy;
pub mod scripted;
pub mod secret_file;
pub mod tls;

pub use self::caller::{Answer, Caller};
pub use self::emulated::{Emulated, together};
pub use self::framed::{Call, Framed};
pub use self::h2::H2;
pub use self::outbound::Outbound;
pub use self::proxy::TestProxy;
pub use self::scripted::{Connection, Scripted, Seen};
pub use self::secret_file::SecretFile;
