//! `proxy` of `[outbound]`, an upstream or one of its legs: the way out of a network that has only one.
//!
//! A proxy sees the name and port of https targets (`CONNECT`, RFC 9110 section 9.3.6) and nothing else. Plain http,
//! where it would see tokens, and this machine never go through it.

use toml::de::DeValue;

use super::reading::Reading;
use super::reference::is_reference;
use super::section::{Item, Leftover, Section};
use crate::code;
use crate::message::Origin;
use crate::message::origin::Scheme;
use crate::secret::Secret;

/// A proxy for https targets that are not on this machine.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is: plain http.
    pub url: Origin,
    /// Who connects, if it asks.
    pub user: Option<(String, Secret)>,
    /// Hosts that are reached directly, as `NO_PROXY` writes them.
    pub except: String,
}

impl Proxy {
    /// `proxy`; an absent one is `Err`, so that what stands further out holds.
    pub(super) fn read(
        table: &mut Section<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<Option<Self>, Absent> {
        let item = table.take("proxy", reading).ok_or(Absent)?;
        if matches!(item.value, DeValue::Table(_)) && !is_reference(&item.value) {
            return Ok(Self::of_table(item, reading));
        }
        let Some(text) = item.text(reading) else {
            return Ok(None);
        };
        match text.text.as_str() {
            "off" => {}
            "env" => return Ok(Self::of_env(reading)),
            _ => {
                let message = format!("unknown proxy {}", text.quoted());
                let help = match parse(&text.text).filter(|_| !text.hidden) {
                    Some((url, None)) => format!("write proxy = {{ url = \"{url}\" }}"),
                    _ => "\"env\", \"off\" or { url = \"http://HOST:PORT\" }".to_owned(),
                };
                reading
                    .problem(&code::BAD_VALUE, text.span, message)
                    .help(help);
            }
        }
        Ok(None)
    }

    /// What `HTTPS_PROXY` or `ALL_PROXY` says, capitals or not, as curl reads them.
    pub(super) fn of_env(reading: &mut Reading<'_>) -> Option<Self> {
        let variable = |names: &[&'static str]| {
            let mut found = names.iter().map(|name| (*name, reading.env(name)));
            found.find_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        };
        let except = variable(&["NO_PROXY", "no_proxy"]).map_or(String::new(), |(_, value)| value);
        let (name, value) = variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])?;
        let with_scheme = match value.contains("://") {
            true => value,
            false => format!("http://{value}"),
        };
        let proxy = parse(&with_scheme).map(|(url, user)| Self { url, user, except });
        if proxy.is_none() {
            let message = format!("the proxy in {name} is not used");
            reading
                .problem(&code::BAD_PROXY, 0..0, message)
                .help(format!("{HELP}; or write [outbound] proxy = \"off\""))
                .warning();
        }
        proxy
    }

    /// `{ url = "http://HOST:PORT", username = "...", password = { env = "NAME" } }`.
    fn of_table(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let mut table = item.into_section(reading)?;
        let span = table.span.clone();
        let url = table.text("url", reading);
        let username = table.text("username", reading);
        let password = table.text("password", reading);
        let except = table.text("except", reading);
        for key in ["url", "username", "password", "except"] {
            reading.accepted.remove(&format!("proxy.{key}"));
        }
        table.finish(Leftover::default(), reading);
        let Some(url) = url else {
            let help = "write proxy = { url = \"http://proxy.example.com:3128\" }";
            reading
                .problem(&code::MISSING_KEY, span, "`proxy` lacks `url`")
                .help(help);
            return None;
        };
        if username.is_none() && password.is_some() {
            reading
                .problem(
                    &code::MISSING_KEY,
                    span,
                    "`proxy` has a `password` and lacks `username`",
                )
                .help("add username = \"...\": who connects to the proxy");
        }
        let Some((origin, None)) = parse(&url.text) else {
            let message = "`url` is not the address of a proxy";
            let help = format!("{HELP}; user name and password are keys of their own");
            reading
                .problem(&code::BAD_PROXY, url.span, message)
                .help(help);
            return None;
        };
        let password = password.map_or(String::new(), |text| text.text);
        Some(Self {
            url: origin,
            user: username.map(|name| (name.text, Secret::new(password))),
            except: except.map_or(String::new(), |text| text.text),
        })
    }
}

/// The key is not there.
pub(super) struct Absent;

type User = Option<(String, Secret)>;

/// Origin and user of a proxy's URL; `None`: no proxy that can be used.
fn parse(url: &str) -> Option<(Origin, User)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let origin: Origin = format!("{scheme}://{host}").parse().ok()?;
    if origin.scheme() != Scheme::Http {
        return None;
    }
    let decoded = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        Some(bytes.decode_utf8().ok()?.into_owned())
    };
    let user = match user {
        None => None,
        Some(user) => {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            Some((decoded(name)?, Secret::new(decoded(password)?)))
        }
    };
    Some((origin, user))
}

const HELP: &str =
    "proxies are spoken to in plain http and asked to CONNECT: \"http://proxy.example.com:3128\"";
