//! `[access]`: who may call.

use std::ops::Range;

use super::Config;
use super::keys::{self, Key};
use super::reading::Reading;
use super::section::{Leftover, Section};
use super::server::{ListenTls, Server};
use super::text::Text;
use super::upstream::Upstream;
use crate::code;
use crate::message::Origin;
use crate::message::origin::{Scheme, is_host, is_loopback};

/// `[access]`.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Host names served besides loopback names, `*.localhost` and the listeners' own: lower case,
    /// without ports.
    pub hosts: Vec<String>,
    /// Browser origins that may use the proxy.
    pub origins: Vec<Origin>,
    /// What callers must show, one of them; `None`: nothing. An empty list lets nobody in.
    pub keys: Option<Vec<Key>>,
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
            origins: pages(
                table.parsed_texts("origins", str::parse, origins, reading),
                reading,
            ),
            keys: keys::read(&mut table, known, reading),
            open: table.flag("open", reading),
        };
        table.finish(Leftover::default(), reading);
        if access.open && access.keys.is_some() {
            let message = "`open` lets callers in without a key, and `keys` asks for one";
            reading
                .problem(&code::OPEN_AND_KEYS, open_place, message)
                .help("remove `open`: with keys, listeners may be anywhere");
        }
        if access.keys.is_none() && server.speaks_plain_http() {
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

    /// Warns of listeners on which keys can be read on their way.
    pub(super) fn warn_of_readable(config: &Config, reading: &mut Reading<'_>) {
        let server = &config.server;
        let public = server.public_url.as_ref().map(Origin::scheme);
        let has_keys = config.access.keys.iter().any(|keys| !keys.is_empty());
        if !has_keys || public == Some(Scheme::Https) {
            return;
        }
        let upstreams = config.upstreams.iter();
        let upstreams = upstreams.map(|upstream| (&upstream.listen, &upstream.tls));
        let routes = config
            .routes
            .iter()
            .map(|route| (&route.listen, &server.tls));
        let all = std::iter::once((&server.listen, &server.tls))
            .chain(upstreams)
            .chain(routes);
        let plain = all.filter(|(_, tls)| **tls == ListenTls::Off);
        let open = plain.flat_map(|(listens, _)| listens);
        for listen in open.filter(|listen| !listen.is_loopback()) {
            let message = "keys can be read on their way to this listener, which speaks plain http";
            reading
                .problem(&code::READABLE_KEYS, reading.place_of(listen), message)
                .help("serve https (tls); or say [server] public_url = \"https://...\", if a proxy in front does")
                .warning();
        }
    }

    /// Whether callers from other machines may be served.
    pub fn serves_strangers(&self) -> bool {
        self.open || self.keys.is_some()
    }
}

/// Origins of pages. Whoever can change what comes over plain http decides what the page does.
fn pages(origins: Vec<(Origin, Text)>, reading: &mut Reading<'_>) -> Vec<Origin> {
    let page = |(origin, text): (Origin, Text)| {
        if origin.scheme() == Scheme::Http && !origin.is_loopback() {
            let help = match text.hidden {
                true => "serve the page by https".to_owned(),
                false => format!(
                    "serve the page by https, and write \"https://{}\"",
                    origin.host()
                ),
            };
            let message = format!("{} is a page that can be changed on its way", text.quoted());
            reading
                .problem(&code::PLAIN_ORIGIN, text.span, message)
                .label("this page may call with the upstream's credential")
                .help(help)
                .warning();
        }
        origin
    };
    origins.into_iter().map(page).collect()
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
