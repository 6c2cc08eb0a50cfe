//! `provider = "salesforce"`.

mod environment;
mod grant;

use std::ops::Range;
use std::time::Duration;

pub use self::environment::Environment;
pub use self::grant::{Grant, Login};
use crate::code;
use crate::config::carrier::{self, Header};
use crate::config::credential::{Credentials, Rotates, SESSION_TIMEOUT};
use crate::config::org::OrgId;
use crate::config::reading::Reading;
use crate::config::section::Section;
use crate::config::value::Zero;
use crate::message::origin::OriginError;
use crate::message::{HostRule, Origin};
use crate::secret::Source;

/// The keys of a Salesforce upstream.
#[derive(Clone, Debug)]
pub struct Salesforce {
    /// How a token is obtained.
    pub login: Login,
    /// `environment`: an instance of the other kind is refused.
    pub environment: Option<Environment>,
    /// `header`, wherever a token travels in `Authorization`. Default `bearer`.
    pub header: Vec<Header>,
    /// Replaces the default allow-list of instance hosts.
    pub instance_hosts: Option<Vec<HostRule>>,
    /// How long a session lives unused. Default 2 h.
    pub session_timeout: Duration,
    /// `expect_org`: a token of another org is thrown away.
    pub expect_org: Option<OrgId>,
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

impl Salesforce {
    /// Whether the login uses a refresh token that may have a successor.
    pub fn rotates(&self) -> bool {
        match &self.login {
            Login::Call {
                grant: Grant::RefreshToken { rotates, .. },
                ..
            } => *rotates == Rotates::Auto,
            _ => false,
        }
    }

    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let environments = [Environment::Production, Environment::Sandbox]
            .map(|environment| (environment.as_str(), Some(environment)));
        let environment = table.word("environment", &environments, &[], reading);
        let login = Login::read(table, plain_http, environment, reading);
        let header = carrier::read(table, reading);
        let instance_hosts = instance_hosts(table, reading);
        let session_timeout =
            table.duration("session_timeout", SESSION_TIMEOUT, Zero::Refused, reading);
        Some(Self {
            login: login?,
            environment,
            header,
            instance_hosts,
            session_timeout,
            expect_org: OrgId::read(table, reading),
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
