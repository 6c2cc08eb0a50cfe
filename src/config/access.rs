//! `[access]`: who may call.

use crate::message::Origin;

/// `[access]`.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Host names served besides loopback names, `*.localhost` and the listeners' own: lower case,
    /// without ports.
    pub hosts: Vec<String>,
    /// Browser origins that may use the proxy.
    pub origins: Vec<Origin>,
    /// Serve non-loopback callers without keys or certificates.
    pub open: bool,
}
