//! `provider = "salesforce"`.

use std::time::Duration;

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
