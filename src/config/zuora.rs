//! `provider = "zuora"`.

use super::credential::{self, Credentials};
use super::origin;
use super::reading::Reading;
use super::section::Section;
use crate::code;
use crate::message::Origin;
use crate::secret::Source;

/// The keys of a Zuora upstream.
#[derive(Clone, Debug)]
pub struct Zuora {
    /// The REST host that answers `/oauth/token`.
    pub login_url: Origin,
    /// The REST host of the API. Default: `login_url`.
    pub api_url: Origin,
    /// Client id.
    pub client_id: Source,
    /// Client secret.
    pub client_secret: Source,
    /// `Zuora-Entity-Ids`; if given, it replaces the caller's.
    pub entity_ids: Vec<String>,
    /// `Zuora-Org-Ids`; if given, it replaces the caller's.
    pub org_ids: Vec<String>,
}

impl Zuora {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        credential::only_grant(table, "client_credentials", reading);
        let before = reading.problems.len();
        let api_url = origin::target(table, "api_url", plain_http, reading);
        let login_url = origin::target(table, "login_url", plain_http, reading);
        // Either may be given alone.
        let login_url = login_url.or(api_url.clone());
        if login_url.is_none() && reading.problems.len() == before {
            let example = "\"https://rest.zuora.com\", or the REST host of another data centre";
            credential::lacks_like(table, "login_url", example, reading);
        }
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let client_secret = credentials.required("client_secret", reading);
        let remedy = (
            &code::BAD_VALUE,
            "ids without commas, spaces or line breaks: [\"ID\", \"ID\"]",
        );
        let entity_ids = table.parsed("entity_ids", id, remedy, reading);
        let org_ids = table.parsed("org_ids", id, remedy, reading);
        let login_url = login_url?;
        Some(Self {
            api_url: api_url.unwrap_or_else(|| login_url.clone()),
            login_url,
            client_id: client_id?,
            client_secret: client_secret?,
            entity_ids,
            org_ids,
        })
    }
}

/// An id travels in a header, where a comma separates several.
fn id(text: &str) -> Result<String, &'static str> {
    match !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
        true => Ok(text.to_owned()),
        false => Err("is not an id"),
    }
}
