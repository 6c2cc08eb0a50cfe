//! The rules of message forwarding (RFC 9110 section 7): pure, synchronous, table-tested.
//!
//! Nothing here waits, reads a clock or opens a socket; the only failure is a [`Rejection`].
//!
//! In the order in which a request meets them: [`check`] and [`guard`] refuse, [`target`] and [`path`] say what is asked for, [`offered`] by whom,
//! [`strip`] takes off what must not travel ([`hop_by_hop`], [`credentials`], [`forwarding`]), and [`links`] keep callers on the
//! proxy when the answer comes back.

pub mod address;
pub mod check;
pub mod credentials;
pub mod forwarding;
pub mod guard;
pub mod hop_by_hop;
pub mod links;
pub mod locator;
pub mod method_override;
pub mod offered;
pub mod origin;
pub mod own;
pub mod path;
pub mod rejection;
pub mod strip;
pub mod target;
pub mod twins;

pub use self::address::Address;
pub use self::guard::Guard;
pub use self::links::Links;
pub use self::locator::Locator;
pub use self::method_override::method_override;
pub use self::origin::{Allowed, HostRule, HostRules, Origin};
pub use self::own::Own;
pub use self::path::{PathRule, Readings};
pub use self::rejection::Rejection;
pub use self::target::Target;
