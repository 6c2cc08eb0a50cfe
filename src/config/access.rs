//! `[access]`: who may call.

use std::ops::Range;

use super::keys::{self, Key};
use super::reading::Reading;
use super::section::{Leftover, Section};
use super::server::Server;
use super::upstream::Upstream;
use crate::code;
use crate::message::Origin;
use crate::message::origin::{is_host, is_loopback};

/// `[access]`.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Host names served besides loopback names, `*.localhost` and the listeners' own: lower case,
    /// without ports.
    pub hosts: Vec<String>,
    /// Browser origins that may use the proxy.
    pub origins: Vec<Origin>,
    /// What callers must show, one of them; empty: nothing.
    pub keys: Vec<Key>,
    /// Serve non-loopback callers without keys or certificates.
    pub open: bool,
}

impl Access {
    /// `[access]`; `known` are the names of upstreams that there are, `upstreams` those that could be read.
    pub(super) fn read(
        mut table: Section<'_>,
        known: &[String],
        server: &Server,
        upstreams: &[(Upstream, Range<usize>)],
        reading: &mut Reading<'_>,
    ) -> Self {
        let hosts_place = table.span_of("hosts");
        let open_place = table.span_of("open");
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
            keys: keys::read(&mut table, known, reading),
            open: table.flag("open", reading),
        };
        table.finish(Leftover::default(), reading);
        if access.open && !access.keys.is_empty() {
            let message = "`open` lets callers in without a key, and `keys` asks for one";
            reading
                .problem(&code::OPEN_AND_KEYS, open_place, message)
                .help("remove `open`: with keys, listeners may be anywhere");
        }
        if access.keys.is_empty() && server.speaks_plain_http() {
            access.warn_of_pages(&hosts_place, upstreams, reading);
        }
        access
    }

    /// Warns of the first name by which pages can call although browsers do not say to it which page they are of.
    fn warn_of_pages(
        &self,
        hosts_place: &Range<usize>,
        upstreams: &[(Upstream, Range<usize>)],
        reading: &mut Reading<'_>,
    ) {
        let listed = self.hosts.iter().map(|host| (host, hosts_place));
        let own = upstreams.iter();
        let own = own.filter_map(|(upstream, place)| Some((upstream.host.as_ref()?, place)));
        let Some((name, place)) = listed.chain(own).find(|(name, _)| !is_loopback(name)) else {
            return;
        };
        let message = format!("foreign pages can call by `{name}`, over plain http without keys");
        reading
            .problem(&code::PLAIN_NAME, place.clone(), message)
            .help(
                "ask callers for [access] keys (`upauth key NAME` makes one), or serve https (tls)",
            )
            .warning();
    }

    /// Whether callers from other machines may be served.
    pub fn serves_strangers(&self) -> bool {
        self.open || !self.keys.is_empty()
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
