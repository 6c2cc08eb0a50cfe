//! `provider = "zuora"`.

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
