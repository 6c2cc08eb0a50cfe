//! Dials of Marketing Cloud: one set for each of its two generations.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{AfterLogin, ApiDials, Canned, ExpiresIn};

/// Dials of one generation of Marketing Cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudDials {
    /// Answers of the token endpoint given instead of logging in, each to one request, in this order.
    pub next_login: VecDeque<Canned>,
    /// The answer of the token endpoint given instead of logging in, to every request.
    pub always_login: Option<Canned>,
    /// How long the token endpoint takes, in milliseconds.
    pub delay_ms: u64,
    /// What becomes of answers.
    pub after: AfterLogin,
    /// How the lifetime is written.
    pub expires_in: ExpiresIn,
    /// A login while a token lives returns that token, with what is left of its life.
    pub same_token: bool,
    /// The client secret, if it was rotated.
    pub client_secret: Option<String>,
    /// The `errorcode` of a refused login (legacy; 0 and 1 were both seen).
    pub refusal_code: u32,
    /// A spent refresh token that is tried again returns the successor it returned before (legacy).
    pub same_successor: bool,
    /// REST says `WWW-Authenticate: Bearer ... invalid_token` with a dead session.
    pub challenge: bool,
    /// The REST and SOAP hosts.
    pub api: ApiDials,
}

impl Default for CloudDials {
    fn default() -> Self {
        Self {
            next_login: VecDeque::new(),
            always_login: None,
            delay_ms: 0,
            after: AfterLogin::default(),
            expires_in: ExpiresIn::Integer,
            same_token: false,
            client_secret: None,
            refusal_code: 1,
            same_successor: false,
            challenge: false,
            api: ApiDials::default(),
        }
    }
}
