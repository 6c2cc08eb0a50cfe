//! `[upstream.NAME]`: what every upstream has, whatever its provider.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::access::host;
use super::header;
use super::http2;
use super::listen;
use super::marketing_cloud::MarketingCloud;
use super::marketing_cloud_legacy::MarketingCloudLegacy;
use super::oauth2::{OAuth2, Target};
use super::outbound::Leg;
use super::policy::Policy;
use super::reading::{ForWhom, Reading};
use super::salesforce::Salesforce;
use super::section::{Leftover, Section};
use super::server::{Listen, ListenTls};
use super::value::{Zero, wrong_word};
use super::zilliant::Zilliant;
use super::zuora::Zuora;
use crate::code::{self, Code};

/// `[upstream.NAME]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// NAME: `[a-z0-9-]{1,40}`.
    pub name: String,
    /// `provider` and its own keys.
    pub provider: Provider,
    /// Listeners of its own, where nothing is stripped from the path.
    pub listen: Vec<Listen>,
    /// TLS of those listeners.
    pub tls: ListenTls,
    /// A host name of its own, lower case.
    pub host: Option<String>,
    /// What callers may do.
    pub policy: Policy,
    /// Whether the provider's own login and logout calls are answered here. Default true.
    pub local_login: bool,
    /// Header fields set on every request upstream.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Header fields taken off every request.
    pub remove_headers: Vec<HeaderName>,
    /// Hosts besides loopback to which plain http is allowed, lower case.
    pub plain_http: Vec<String>,
    /// Log in at start and stay logged in, although nobody calls.
    pub warm: bool,
    /// How long a request waits for a token. Default 20 s.
    pub token_wait: Duration,
    /// How long one login may take. Default 15 s.
    pub token_timeout: Duration,
    /// To the head of the answer, then between reads; zero: none. Default 120 s.
    pub response_timeout: Duration,
    /// Most requests to one host of the API at once, per worker. Default 256.
    pub connections: usize,
    /// HTTP/2 is offered to https targets.
    pub http2: bool,
    /// How the token endpoint is reached.
    pub token: Leg,
    /// How the API is reached.
    pub api: Leg,
}

/// `provider = "..."` with the keys only this provider has.
#[derive(Clone, Debug)]
pub enum Provider {
    /// `salesforce`.
    Salesforce(Salesforce),
    /// `zilliant`.
    Zilliant(Zilliant),
    /// `zuora`.
    Zuora(Zuora),
    /// `marketing-cloud`.
    MarketingCloud(MarketingCloud),
    /// `marketing-cloud-legacy`.
    MarketingCloudLegacy(MarketingCloudLegacy),
    /// `oauth2`.
    OAuth2(Box<OAuth2>),
}

impl Upstream {
    /// `[upstream.NAME]`; `None` if something it cannot do without is missing or wrong.
    pub(super) fn read(
        name: &str,
        mut table: Section<'_>,
        outbound: &Leg,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let plain_http = table.parsed("plain_http", host, HOSTS, reading);
        let mut leftover = LEFTOVER;
        let provider = Provider::read(&mut table, &plain_http, &mut leftover, reading);
        let leg = outbound.narrowed(&mut table, reading);
        let from = reading.doors.len();
        let listen = table
            .listen("listen", ForWhom::Callers, reading)
            .unwrap_or_default();
        let tls = own_tls(&mut table, &listen, reading);
        listen::behind(&tls, from, reading);
        let upstream = Self {
            listen,
            tls,
            host: own_host(&mut table, reading),
            policy: Policy::read(&mut table, reading),
            local_login: table.choice("local_login", reading).unwrap_or(true),
            set_headers: header::set(&mut table, reading),
            remove_headers: header::removed(&mut table, reading),
            plain_http,
            warm: table.flag("warm", reading),
            token_wait: table.duration("token_wait", TOKEN_WAIT, Zero::Allowed, reading),
            token_timeout: table.duration("token_timeout", TOKEN_TIMEOUT, Zero::Refused, reading),
            response_timeout: table.duration(
                "response_timeout",
                RESPONSE_TIMEOUT,
                Zero::Allowed,
                reading,
            ),
            connections: table.number("connections", CONNECTIONS, 1..=65_535, reading),
            http2: http2::read(&mut table, provider.as_ref(), reading),
            token: leg.of_section(table.section("token", reading), reading),
            api: leg.of_section(table.section("api", reading), reading),
            name: name.to_owned(),
            // Last, so that all other keys were looked at.
            provider: match provider {
                Some(provider) => provider,
                None => {
                    table.finish(leftover, reading);
                    return None;
                }
            },
        };
        table.finish(leftover, reading);
        Some(upstream)
    }
}

impl Upstream {
    /// Whether a refresh token of its would be lost with the process, unless a store keeps it.
    pub fn needs_durable_store(&self) -> bool {
        match &self.provider {
            Provider::Salesforce(keys) => keys.rotates(),
            Provider::MarketingCloudLegacy(keys) => keys.offline,
            Provider::OAuth2(keys) => keys.rotates(),
            Provider::Zilliant(_) | Provider::Zuora(_) | Provider::MarketingCloud(_) => false,
        }
    }
}

impl Provider {
    /// What stands in front of every path of the API, if the file says it.
    pub(super) fn base_path(&self) -> Option<&str> {
        match self {
            Self::OAuth2(keys) => match &keys.target {
                Target::Api(address) => Some(&address.path),
                Target::Instance { .. } => None,
            },
            Self::Salesforce(_)
            | Self::Zilliant(_)
            | Self::Zuora(_)
            | Self::MarketingCloud(_)
            | Self::MarketingCloudLegacy(_) => None,
        }
    }

    fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        leftover: &mut Leftover,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let span = table.span.clone();
        let Some(item) = table.take("provider", reading) else {
            let message = format!("[{}] lacks `provider`", table.name);
            let help = format!("add provider = \"...\": one of {}", PROVIDERS.join(", "));
            reading
                .problem(&code::MISSING_KEY, span, message)
                .help(help);
            table.pass_over(PROVIDER_KEYS);
            return None;
        };
        let provider = item.text(reading);
        match provider.as_ref().map(|text| text.text.as_str()) {
            Some("salesforce") => {
                leftover.whose = "salesforce upstreams";
                return Salesforce::read(table, plain_http, reading).map(Self::Salesforce);
            }
            Some("zilliant") => {
                leftover.whose = "zilliant upstreams";
                return Zilliant::read(table, plain_http, reading).map(Self::Zilliant);
            }
            Some("zuora") => {
                leftover.whose = "zuora upstreams";
                return Zuora::read(table, plain_http, reading).map(Self::Zuora);
            }
            Some("marketing-cloud") => {
                leftover.whose = "marketing-cloud upstreams";
                return MarketingCloud::read(table, plain_http, reading).map(Self::MarketingCloud);
            }
            Some("marketing-cloud-legacy") => {
                leftover.whose = "marketing-cloud-legacy upstreams";
                return MarketingCloudLegacy::read(table, plain_http, reading)
                    .map(Self::MarketingCloudLegacy);
            }
            Some("oauth2") => {
                leftover.whose = "oauth2 upstreams";
                let oauth2 = OAuth2::read(table, plain_http, reading);
                return oauth2.map(|oauth2| Self::OAuth2(Box::new(oauth2)));
            }
            _ => {}
        }
        // What keys such an upstream needs cannot be said.
        table.pass_over(PROVIDER_KEYS);
        wrong_word(
            "provider",
            &provider?,
            PROVIDERS,
            &code::UNKNOWN_PROVIDER,
            reading,
        );
        None
    }
}

/// `tls`, which is that of a listener of the upstream's own.
fn own_tls(table: &mut Section<'_>, listen: &[Listen], reading: &mut Reading<'_>) -> ListenTls {
    let place = table.own_key("tls");
    let tls = ListenTls::read(table, reading);
    if let Some(place) = place
        && listen.is_empty()
        && tls != ListenTls::Off
    {
        reading
            .problem(
                &code::DOES_NOT_APPLY,
                place,
                "`tls` is that of a listener of the upstream's own, and there is none",
            )
            .help("add listen = \"localhost:7770\", or write tls into [server]");
    }
    tls
}

/// `host` of an upstream or route.
pub(super) fn own_host(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = table.text("host", reading)?;
    match host(&text.text) {
        Ok(host) => Some(host),
        Err(why) => {
            let (code, help) = HOSTS;
            let message = format!("{} {why}", text.quoted());
            reading.problem(code, text.span, message).help(help);
            None
        }
    }
}

const HOSTS: (&Code, &str) = (
    &code::BAD_HOST,
    "a host name without scheme and port: \"api.example.com\"",
);
const TOKEN_WAIT: Duration = Duration::from_secs(20);
const TOKEN_TIMEOUT: Duration = Duration::from_secs(15);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECTIONS: usize = 256;

const PROVIDERS: &[&str] = &[
    "salesforce",
    "zilliant",
    "zuora",
    "marketing-cloud",
    "marketing-cloud-legacy",
    "oauth2",
];
const LEFTOVER: Leftover = Leftover {
    later: LATER,
    elsewhere: PROVIDER_KEYS,
    whose: "this upstream",
    instead,
};

/// What a key of another provider was probably meant to be.
fn instead(key: &str) -> &'static str {
    match key {
        "login_url" => "write token_url: the token endpoint, with its path",
        "token_url" => "write login_url: the host alone, whose token path the provider knows",
        "offline" => "remove it: only legacy packages (marketing-cloud-legacy) have refresh tokens",
        _ => "remove it",
    }
}

/// Keys that only some providers have.
pub(super) const PROVIDER_KEYS: &[&str] = &[
    "login_url",
    "api_url",
    "client_id",
    "client_secret",
    "grant",
    "username",
    "password",
    "security_token",
    "header",
    "instance_hosts",
    "expect_org",
    "session_timeout",
    "entity_ids",
    "org_ids",
    "environment",
    "private_key",
    "audience",
    "refresh_token",
    "rotates",
    "command",
    "account_id",
    "scope",
    "soap_url",
    "legacy_token",
    "offline",
    "token_url",
    "encode",
    "client_auth",
    "client_audience",
    "algorithm",
    "key_id",
    "request",
    "token_headers",
    "fields",
    "success",
    "dead_session",
];

/// Keys that are planned.
pub(super) const LATER: &[&str] = &["errors"];
