//! `[access]`: who may call.

use super::reading::Reading;
use super::section::{Leftover, Section};
use crate::code;
use crate::message::Origin;
use crate::message::origin::is_host;

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

impl Access {
    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let hosts = (
            &code::BAD_HOST,
            "a host name without scheme and port: \"proxy.example.com\"",
        );
        let origins = (
            &code::NOT_AN_ORIGIN,
            "scheme, host and port of the page: \"http://localhost:5173\"",
        );
        let access = Self {
            hosts: table.parsed("hosts", host, hosts, reading),
            origins: table.parsed("origins", str::parse::<Origin>, origins, reading),
            open: table.flag("open", reading),
        };
        table.finish(
            Leftover {
                later: &["keys"],
                ..Leftover::default()
            },
            reading,
        );
        access
    }
}

/// A host name or address in lower case; an IPv6 address stands in brackets.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    let host = text.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    match is_host(host) {
        true => Ok(host.to_owned()),
        false => Err("is not a host name"),
    }
}
