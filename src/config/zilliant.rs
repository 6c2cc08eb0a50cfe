//! `provider = "zilliant"`.

use std::time::Duration;

use super::credential::{self, Credentials, SESSION_TIMEOUT};
use super::org::OrgId;
use super::reading::Reading;
use super::salesforce::{User, not_a_page};
use super::section::Section;
use super::value::Zero;
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
    /// `expect_org`: a token of another org is thrown away.
    pub expect_org: Option<OrgId>,
}

impl Zilliant {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let place = table.span_of("login_url");
        let login_url =
            credential::required_origin_like(table, "login_url", LOGIN, plain_http, reading);
        if let Some(login_url) = &login_url {
            not_a_page(login_url, place, reading);
        }
        let api_url = credential::required_origin(table, "api_url", plain_http, reading);
        credential::only_grant(table, "password", reading);
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let client_secret = credentials.required("client_secret", reading);
        let user = User::read(&mut credentials, reading);
        let session_timeout =
            table.duration("session_timeout", SESSION_TIMEOUT, Zero::Refused, reading);
        let expect_org = OrgId::read(table, reading);
        Some(Self {
            login_url: login_url?,
            api_url: api_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            user: user?,
            session_timeout,
            expect_org,
        })
    }
}

const LOGIN: &str =
    "\"https://login.salesforce.com\", or \"https://test.salesforce.com\" for a sandbox";
