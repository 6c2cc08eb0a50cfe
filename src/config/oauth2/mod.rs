//! `provider = "oauth2"`: any OAuth 2.0 server, by description.

mod answer;
mod client;
mod grant;
mod request;

use std::time::Duration;

use http::HeaderName;

pub use self::answer::{Dead, Fields, Success, Unit};
pub use self::client::{Client, Proof, Signing};
pub use self::grant::Grant;
pub use self::request::{Parameter, Scalar};
use super::carrier::{self, Header};
use super::credential::{self, Credentials, Rotates, SESSION_TIMEOUT};
use super::origin;
use super::reading::Reading;
use super::salesforce::instance_hosts;
use super::section::Section;
use super::value::Zero;
use crate::code;
use crate::message::{Address, HostRule, Locator, Origin};
use crate::secret::Source;

/// The keys of an upstream with any OAuth 2.0 server.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    /// The token endpoint's origin, and its path with its query.
    pub token_url: (Origin, Locator),
    /// Where calls go.
    pub target: Target,
    /// Who the client is, and how it proves that.
    pub client: Client,
    /// `grant`. Default `client_credentials`.
    pub grant: Grant,
    /// `scope`.
    pub scope: Option<String>,
    /// `audience` of the request.
    pub audience: Option<String>,
    /// `encode`. Default `form`.
    pub encode: Encode,
    /// `request`: further parameters; `a/b` is the member `b` of the object `a`.
    pub request: Vec<(String, Parameter)>,
    /// `token_headers`: header fields for the token endpoint.
    pub token_headers: Vec<(HeaderName, Source)>,
    /// `fields`: where the answer's fields stand.
    pub fields: Fields,
    /// `success`: what an answer must show besides.
    pub success: Option<Success>,
    /// `dead_session`; empty: as RFC 6750 has it.
    pub dead_session: Vec<Dead>,
    /// `header`. Default `bearer`.
    pub header: Vec<Header>,
    /// Without a lifetime in the answer: how long a token lives unused. Default 2 h.
    pub session_timeout: Duration,
}

/// Where calls go.
#[derive(Clone, Debug)]
pub enum Target {
    /// `api_url`.
    Api(Address),
    /// What the token answer names at `fields.instance_url`, if it is one of these hosts.
    Instance {
        /// Where it stands.
        place: String,
        /// `instance_hosts`.
        hosts: Vec<HostRule>,
    },
}

/// How the body of a token request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encode {
    /// `form`.
    #[default]
    Form,
    /// `json`.
    Json,
}

impl OAuth2 {
    /// Whether the login uses a refresh token that may have a successor.
    pub fn rotates(&self) -> bool {
        matches!(
            self.grant,
            Grant::RefreshToken {
                rotates: Rotates::Auto,
                ..
            }
        )
    }

    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let before = reading.problems.len();
        let token_url = origin::url(table, "token_url", plain_http, reading);
        if token_url.is_none() && reading.problems.len() == before {
            credential::lacks(table, "token_url", reading);
        }
        let encodes = [("form", Encode::Form), ("json", Encode::Json)];
        let encode = table.word("encode", &encodes, &[], reading);
        let (fields, instance) = Fields::read(table, reading);
        let target = Target::read(table, instance, plain_http, reading);
        let success = Success::read(table, reading);
        let dead_session = Dead::read(table, reading);
        let scope = table.text("scope", reading).map(|text| text.text);
        let mut credentials = Credentials::new(table, token_url.as_ref().map(|(origin, _)| origin));
        let (grant, client) = grant::read(&mut credentials, token_url.as_ref(), reading);
        // That of an assertion was taken before.
        let audience = table.text("audience", reading).map(|text| text.text);
        let mut written = vec!["grant_type"];
        written.extend(grant.iter().flat_map(Grant::parameters));
        written.extend(client.iter().flat_map(Client::parameters));
        written.extend(scope.iter().map(|_| "scope"));
        written.extend(audience.iter().map(|_| "audience"));
        let request = request::parameters(table, encode, &written, reading);
        let by_basic = matches!(
            &client,
            Some(Client {
                proof: Proof::Basic { .. },
                ..
            })
        );
        let token_headers = request::headers(table, by_basic, reading);
        let header = carrier::read(table, reading);
        let help = "remove it: where the logins of such a server are is not known, so none is answered here";
        table.refuse("local_login", "to oauth2 upstreams", help, reading);
        let session_timeout =
            table.duration("session_timeout", SESSION_TIMEOUT, Zero::Refused, reading);
        Some(Self {
            token_url: token_url?,
            target: target?,
            client: client?,
            grant: grant?,
            scope,
            audience,
            encode,
            request,
            token_headers,
            fields,
            success,
            dead_session,
            header,
            session_timeout,
        })
    }
}

impl Target {
    /// `instance` is where the answer names the host, and the place of that in the file.
    fn read(
        table: &mut Section<'_>,
        instance: Option<(String, std::ops::Range<usize>)>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let before = reading.problems.len();
        let hosts_place = table.span_of("instance_hosts");
        let api_url = origin::address(table, "api_url", plain_http, reading);
        let hosts = instance_hosts(table, reading);
        let sound = reading.problems.len() == before;
        let mut refuse = |place, message: &str, help: &str| {
            let problem = reading.problem(&code::DOES_NOT_APPLY, place, message);
            problem.help(help);
        };
        match (api_url, instance, hosts) {
            (Some(_), Some((_, place)), _) => refuse(
                place,
                "`fields.instance_url` and `api_url` both say where calls go",
                "keep one of them",
            ),
            (_, None, Some(_)) => refuse(
                hosts_place,
                "`instance_hosts` is about hosts that a token answer names, and none is read from it",
                "remove it, or write where the host stands: fields = { instance_url = \"/instance_url\" }",
            ),
            (Some(api_url), None, None) => return Some(Self::Api(api_url)),
            (None, Some((place, _)), Some(hosts)) => return Some(Self::Instance { place, hosts }),
            // A token goes nowhere that the operator did not write.
            (None, Some(_), None) if sound => credential::lacks(table, "instance_hosts", reading),
            (None, None, None) if sound => credential::lacks(table, "api_url", reading),
            _ => {}
        }
        None
    }
}
