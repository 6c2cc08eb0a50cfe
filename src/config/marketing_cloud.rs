//! `provider = "marketing-cloud"`: Marketing Cloud by an installed package.

use std::ops::Range;

use super::credential::{self, Credentials};
use super::origin;
use super::reading::Reading;
use super::salesforce::instance_hosts;
use super::section::Section;
use crate::code;
use crate::message::{HostRule, Origin};
use crate::secret::Source;

/// The keys of a Marketing Cloud upstream.
#[derive(Clone, Debug)]
pub struct MarketingCloud {
    /// The tenant's login host.
    pub login_url: Origin,
    /// Instead of the REST host that comes with the token.
    pub api_url: Option<Origin>,
    /// Instead of the SOAP host that comes with the token.
    pub soap_url: Option<Origin>,
    /// Client id.
    pub client_id: Source,
    /// Client secret.
    pub client_secret: Source,
    /// The business unit (MID), digits. Default: the one that the package belongs to.
    pub account_id: Option<String>,
    /// What the token may be used for, separated by spaces. Default: all that the package may.
    pub scope: Option<String>,
    /// Replaces the default allow-list of hosts that come with the token.
    pub instance_hosts: Option<Vec<HostRule>>,
}

impl MarketingCloud {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        credential::only_grant(table, "client_credentials", reading);
        let place = table.span_of("login_url");
        let login_url =
            credential::required_origin_like(table, "login_url", EXAMPLE, plain_http, reading);
        if let Some(login_url) = &login_url {
            gives_tokens(login_url, place.clone(), reading);
            if login_url.host().ends_with(LEGACY) {
                let host = login_url.host();
                let message = format!("{host} is of legacy packages only");
                reading
                    .problem(&code::LOGIN_HOST, place, message)
                    .help(format!(
                        "write login_url = {EXAMPLE}; for a legacy package provider = \"marketing-cloud-legacy\""
                    ));
            }
        }
        let api_url = origin::target(table, "api_url", plain_http, reading);
        let soap_url = origin::target(table, "soap_url", plain_http, reading);
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let client_secret = credentials.required("client_secret", reading);
        let account_id = account_id(table, reading);
        let scope = table.text("scope", reading).map(|text| text.text);
        let instance_hosts = instance_hosts(table, reading);
        Some(Self {
            login_url: login_url?,
            api_url,
            soap_url,
            client_id: client_id?,
            client_secret: client_secret?,
            account_id,
            scope,
            instance_hosts,
        })
    }
}

fn account_id(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = table.text("account_id", reading)?;
    if text.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.text);
    }
    let message = format!("{} is not the id of a business unit", text.quoted());
    reading
        .problem(&code::BAD_VALUE, text.span, message)
        .help("the MID, digits only: account_id = \"510001234\"");
    None
}

/// Of a tenant's three hosts only one gives tokens.
pub(super) fn gives_tokens(login_url: &Origin, place: Range<usize>, reading: &mut Reading<'_>) {
    let host = login_url.host();
    let mut apis = APIS.iter();
    let Some(tenant) = apis.find_map(|api| host.strip_suffix(api)) else {
        return;
    };
    let message = format!("{host} gives no tokens");
    let help = format!("write login_url = \"https://{tenant}.auth.marketingcloudapis.com\"");
    reading
        .problem(&code::LOGIN_HOST, place, message)
        .help(help);
}

/// The ends of a tenant's other hosts.
const APIS: &[&str] = &[
    ".rest.marketingcloudapis.com",
    ".soap.marketingcloudapis.com",
];
const EXAMPLE: &str = "\"https://SUBDOMAIN.auth.marketingcloudapis.com\"";
/// The end of the hosts of legacy packages.
const LEGACY: &str = ".exacttargetapis.com";
