//! `provider = "marketing-cloud-legacy"`: Marketing Cloud by a legacy package.

use super::credential::{self, Credentials, wants_durable_store};
use super::marketing_cloud::gives_tokens;
use super::origin;
use super::reading::Reading;
use super::section::Section;
use crate::message::Origin;
use crate::secret::Source;

/// The keys of a Marketing Cloud upstream with a legacy package.
#[derive(Clone, Debug)]
pub struct MarketingCloudLegacy {
    /// The login host. Default `https://auth.exacttargetapis.com`.
    pub login_url: Origin,
    /// The REST host; the token answer does not name it. Default `https://www.exacttargetapis.com`.
    pub api_url: Origin,
    /// The SOAP host; the token answer does not name it.
    pub soap_url: Option<Origin>,
    /// Client id.
    pub client_id: Source,
    /// Client secret.
    pub client_secret: Source,
    /// Whether each answer brings the next refresh token (`accessType: offline`).
    pub offline: bool,
    /// The refresh token to begin with; without it the first login brings one.
    pub refresh_token: Option<Source>,
    /// Whether a token of the older kind is asked for, too (`?legacy=1`).
    pub legacy_token: bool,
}

impl MarketingCloudLegacy {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let before = reading.problems.len();
        credential::only_grant(table, "client_credentials", reading);
        if let Some(wrong) = reading.problems.get_mut(before) {
            wrong.help("remove it; for refresh tokens write offline = true");
        }
        let place = table.span_of("login_url");
        let login_url = origin::target_or(table, "login_url", LOGIN, plain_http, reading);
        if let Some(login_url) = &login_url {
            gives_tokens(login_url, place, reading);
        }
        let api_url = origin::target_or(table, "api_url", API, plain_http, reading);
        let soap_url = origin::target(table, "soap_url", plain_http, reading);
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let client_secret = credentials.required("client_secret", reading);
        let place = credentials.table.span_of("offline");
        let offline = credentials.table.flag("offline", reading);
        let refresh_token = match offline {
            true => {
                wants_durable_store("each next refresh token", place, "", reading);
                credentials.optional("refresh_token", reading)
            }
            false => {
                let help = "remove it, or write offline = true";
                let table = &mut *credentials.table;
                table.refuse("refresh_token", "without offline = true", help, reading);
                None
            }
        };
        let legacy_token = table.flag("legacy_token", reading);
        Some(Self {
            login_url: login_url?,
            api_url: api_url?,
            soap_url,
            client_id: client_id?,
            client_secret: client_secret?,
            offline,
            refresh_token,
            legacy_token,
        })
    }
}

const LOGIN: &str = "https://auth.exacttargetapis.com";
const API: &str = "https://www.exacttargetapis.com";
