//! Dials of the OAuth 2.0 server that nobody in particular runs: the dialects it can be made to speak.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{AfterLogin, ApiDials, Canned, ExpiresIn};

/// Dials of the OAuth 2.0 server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthDials {
    /// Answers of the token endpoint given instead of logging in, each to one request, in this order.
    pub next_login: VecDeque<Canned>,
    /// The answer of the token endpoint given instead of logging in, to every request.
    pub always_login: Option<Canned>,
    /// How long the token endpoint takes, in milliseconds.
    pub delay_ms: u64,
    /// What becomes of answers.
    pub after: AfterLogin,
    /// What a token request must be.
    pub request: OauthRequestDials,
    /// What a token answer looks like.
    pub answer: OauthAnswerDials,
    /// Each refresh token is good once, and brings the next.
    pub rotation: bool,
    /// The client secret, if it was rotated.
    pub client_secret: Option<String>,
    /// The key (PEM) that assertions are signed with, if it is another than the emulator's own.
    pub public_key: Option<String>,
    /// The header that the API takes tokens from.
    pub header: String,
    /// What stands before the token in that header.
    pub prefix: String,
    /// How the API reports a dead token.
    pub dead: OauthDead,
    /// The API.
    pub api: ApiDials,
}

impl Default for OauthDials {
    fn default() -> Self {
        Self {
            next_login: VecDeque::new(),
            always_login: None,
            delay_ms: 0,
            after: AfterLogin::default(),
            request: OauthRequestDials::default(),
            answer: OauthAnswerDials::default(),
            rotation: false,
            client_secret: None,
            public_key: None,
            header: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            dead: OauthDead::InvalidToken,
            api: ApiDials::default(),
        }
    }
}

/// What a token request must be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthRequestDials {
    /// The body is JSON; else it is a form.
    pub json: bool,
    /// Where a parameter stands if not under its own name: a JSON pointer by standard name
    /// (`client_id = "/auth/client/id"`); in a form, a name.
    pub names: BTreeMap<String, String>,
    /// Further parameters that must be there, by name (in JSON, pointer), with these values.
    pub required: BTreeMap<String, String>,
    /// Headers that must be there, by name, with these values.
    pub headers: BTreeMap<String, String>,
    /// How a client must identify itself.
    pub client_auth: OauthClientAuth,
    /// The `aud` of assertions, if it is another than the token endpoint's address.
    pub audience: Option<String>,
}

/// How a client must identify itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OauthClientAuth {
    /// In any way that proves who it is.
    #[default]
    Any,
    /// Id and secret in the body.
    Body,
    /// As Basic, id and secret form-encoded first (RFC 6749).
    BasicRfc,
    /// As Basic, id and secret as they are.
    BasicRaw,
    /// By an assertion that it signed.
    PrivateKeyJwt,
    /// By its id alone.
    None,
}

/// What a token answer looks like.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthAnswerDials {
    /// Where a field stands if not under its own name: a JSON pointer by standard name.
    pub names: BTreeMap<String, String>,
    /// How the lifetime is written.
    pub expires_in: ExpiresIn,
    /// The content type.
    pub content_type: String,
    /// Every answer comes with 200, refusals too, and says in `ok` what it is.
    pub envelope: bool,
    /// `token_type`.
    pub token_type: String,
    /// The scope that is granted, if it is another than the one that was asked for.
    pub scope: Option<String>,
    /// The API's origin is part of the answer, as `instance_url`.
    pub instance_url: bool,
    /// The answer is at least this long.
    pub pad_to: usize,
}

impl Default for OauthAnswerDials {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            expires_in: ExpiresIn::Integer,
            content_type: "application/json".to_owned(),
            envelope: false,
            token_type: "Bearer".to_owned(),
            scope: None,
            instance_url: false,
            pad_to: 0,
        }
    }
}

/// How the API reports a dead token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OauthDead {
    /// 401 with `WWW-Authenticate: Bearer ... error="invalid_token"`.
    #[default]
    InvalidToken,
    /// The same behind the challenge of another scheme, in one line.
    SecondChallenge,
    /// 401 and nothing else.
    Bare,
    /// 403 with `expired` in its text.
    Expired403,
}
