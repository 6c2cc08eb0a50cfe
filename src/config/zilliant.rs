//! `provider = "zilliant"`.

use std::time::Duration;

use super::salesforce::User;
use crate::message::Origin;
use crate::secret::Source;

/// The keys of a Zilliant upstream.
#[derive(Clone, Debug)]
pub struct Zilliant {
    /// The Salesforce login host.
    pub login_url: Origin,
    /// The environment's own address; the token answer does not name it.
    pub api_url: Origin,
    /// Consumer key.
    pub client_id: Source,
    /// Consumer secret.
    pub client_secret: Source,
    /// Only the password grant exists.
    pub user: User,
    /// How long a session lives unused. Default 2 h.
    pub session_timeout: Duration,
}
