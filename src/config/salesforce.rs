//! `provider = "salesforce"`.

use std::ops::Range;
use std::time::Duration;

use super::credential::{self, Credentials, SESSION_TIMEOUT};
use super::reading::Reading;
use super::reference::is_reference;
use super::section::Section;
use super::value::Zero;
use crate::code;
use crate::message::origin::OriginError;
use crate::message::{HostRule, Origin};
use crate::secret::Source;

/// The keys of a Salesforce upstream.
#[derive(Clone, Debug)]
pub struct Salesforce {
    /// Where to log in: an origin.
    pub login_url: Origin,
    /// Consumer key.
    pub client_id: Source,
    /// Consumer secret.
    pub client_secret: Source,
    /// `grant`. Default `client_credentials`.
    pub grant: Grant,
    /// `header` on the REST surface. Default `bearer`.
    pub header: Header,
    /// Replaces the default allow-list of instance hosts.
    pub instance_hosts: Option<Vec<HostRule>>,
    /// How long a session lives unused. Default 2 h.
    pub session_timeout: Duration,
}

/// The grants of a Salesforce upstream.
#[derive(Clone, Debug)]
pub enum Grant {
    /// `client_credentials`.
    ClientCredentials,
    /// `password`.
    Password(User),
}

/// User name, password and security token.
#[derive(Clone, Debug)]
pub struct User {
    /// User name.
    pub username: Source,
    /// Password.
    pub password: Source,
    /// Follows the password immediately, unless the caller's address is trusted.
    pub security_token: Option<Source>,
}

/// `header`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// `Authorization: Bearer TOKEN`.
    #[default]
    Bearer,
    /// `Authorization: OAuth TOKEN`.
    OAuth,
}

#[derive(Clone, Copy, Default)]
enum GrantName {
    #[default]
    ClientCredentials,
    Password,
}

impl Salesforce {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let place = table.span_of("login_url");
        let login_url = credential::required_origin(table, "login_url", plain_http, reading);
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let client_secret = credentials.required("client_secret", reading);
        let before = reading.problems.len();
        let grants = [
            ("client_credentials", GrantName::ClientCredentials),
            ("password", GrantName::Password),
        ];
        let grant = credentials
            .table
            .word("grant", &grants, credential::LATER_GRANTS, reading);
        let grant = match grant {
            // Which of the keys belong to a grant that is not known cannot be said.
            _ if reading.problems.len() > before => {
                credentials.table.pass_over(credential::USER);
                None
            }
            GrantName::Password => User::read(&mut credentials, reading).map(Grant::Password),
            GrantName::ClientCredentials => {
                credentials.refuse(credential::USER, "grant = \"client_credentials\"", reading);
                Some(Grant::ClientCredentials)
            }
        };
        if let (Some(Grant::ClientCredentials), Some(login_url)) = (&grant, &login_url)
            && matches!(
                login_url.host(),
                "login.salesforce.com" | "test.salesforce.com"
            )
        {
            let message = format!("client_credentials does not work on {}", login_url.host());
            reading
                .problem(&code::LOGIN_HOST, place.clone(), message)
                .help(
                    "use the org's own host: login_url = \"https://YOUR-DOMAIN.my.salesforce.com\"",
                );
        }
        if let Some(login_url) = &login_url {
            not_a_page(login_url, place.clone(), reading);
        }
        let header = header(table, reading);
        let instance_hosts = instance_hosts(table, reading);
        let session_timeout =
            table.duration("session_timeout", SESSION_TIMEOUT, Zero::Refused, reading);
        Some(Self {
            login_url: login_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            grant: grant?,
            header,
            instance_hosts,
            session_timeout,
        })
    }
}

impl User {
    pub(super) fn read(
        credentials: &mut Credentials<'_, '_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let username = credentials.required("username", reading);
        let password = credentials.required("password", reading);
        let security_token = credentials.optional("security_token", reading);
        Some(Self {
            username: username?,
            password: password?,
            security_token,
        })
    }
}

/// `login_url` as the browser shows it is a mistake: those hosts have pages only.
pub(super) fn not_a_page(login_url: &Origin, place: Range<usize>, reading: &mut Reading<'_>) {
    let host = login_url.host();
    let mut pages = PAGES.iter();
    let Some(domain) = pages.find_map(|pages| host.strip_suffix(pages)) else {
        return;
    };
    let message = format!("{host} has pages for people, and gives no tokens");
    let help =
        format!("use the org's own host: login_url = \"https://{domain}.my.salesforce.com\"");
    reading
        .problem(&code::LOGIN_HOST, place, message)
        .help(help);
}

fn header(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Header {
    use toml::de::DeValue;
    const KEY: &str = "header";
    if table.is(KEY, |value| {
        matches!(value, DeValue::Table(_) | DeValue::Array(_)) && !is_reference(value)
    }) {
        let span = table.span_of(KEY);
        table.take(KEY, reading);
        reading
            .not_in_this_version(span, "a `header` of your own")
            .help("this version has: bearer, oauth");
        return Header::default();
    }
    let headers = [("bearer", Header::Bearer), ("oauth", Header::OAuth)];
    table.word(KEY, &headers, &["oauth-base64"], reading)
}

/// `instance_hosts`, which replaces the provider's own list.
pub(super) fn instance_hosts(
    table: &mut Section<'_>,
    reading: &mut Reading<'_>,
) -> Option<Vec<HostRule>> {
    let given = table.has("instance_hosts");
    let remedy = (
        &code::BAD_HOST,
        "\"host\", \"host:port\" or \"*.suffix\" with a dot in the suffix, without a scheme",
    );
    let rule = |text: &str| match text.contains("://") {
        true => Err("has a scheme".to_owned()),
        false => text.parse().map_err(|why: OriginError| why.to_string()),
    };
    let rules = table.parsed("instance_hosts", rule, remedy, reading);
    // An empty list is what the documentation shows for the default.
    (given && !rules.is_empty()).then_some(rules)
}

/// The ends of the hosts that a browser shows. An org's name stands before each.
const PAGES: &[&str] = &[".lightning.force.com", ".my.salesforce-setup.com"];
