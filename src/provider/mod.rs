//! What is particular to each provider, as data: a [`Provider`] is a value of closed enums, and a few
//! pure interpreters read it. There is no trait per provider and there are no function pointers.
//!
//! | question | interpreter |
//! |---|---|
//! | which API family is this path? | [`Provider::surface`] |
//! | what is sent to the token endpoint? | [`login::request`] |
//! | what did it answer? | [`answer::read`] |
//! | why did it refuse? | [`refusal::classify`] |
//! | does this upstream answer mean a dead session? | [`judge::look`], [`judge::judge`] |
//! | is this a login that is answered here, and how? | [`local::find`], [`local::LocalLogin::answer`] |
//!
//! Nothing here waits, reads a clock, a file or the environment, or opens a socket.

pub mod answer;
pub mod credential;
pub mod expiry;
pub mod failure;
pub mod judge;
pub mod local;
pub mod login;
pub mod refusal;
pub mod salesforce;
pub mod surface;
pub mod zilliant;
pub mod zuora;

pub use self::answer::{Answer, AnswerMap, InstanceField};
pub use self::credential::{CarrierForm, Credential, Lifetime};
pub use self::failure::{LoginFailure, Refused};
pub use self::judge::{DeadRule, Look, Verdict};
pub use self::local::{LocalCall, LocalKind};
pub use self::login::{Field, Login, LoginRequest, Secrets};
pub use self::refusal::RefusalRule;
pub use self::surface::{Carrier, Denial, Stamp, Surface, TargetName};

use crate::config;
use crate::message::{Allowed, Origin, Readings};

/// All that is particular to the provider of one upstream.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The word in `provider = "..."`.
    pub name: &'static str,
    /// What a login sends, and where.
    pub login: Login,
    /// Where the fields of the token answer stand, and what is made of them.
    pub answer: AnswerMap,
    /// What refusals mean; the first match wins, then the usual reading of OAuth 2.0.
    pub refusals: Vec<RefusalRule>,
    /// API families that are recognised by their path; the first match wins.
    pub surfaces: Vec<Surface>,
    /// The family of every other path.
    pub rest: Surface,
    /// The target that the configuration names.
    pub api: Option<Origin>,
    /// Whether a token serves one `api` only (Zilliant: one token per environment).
    pub token_per_api: bool,
}

impl Provider {
    /// The provider of `upstream`.
    pub fn of(upstream: &config::Upstream) -> Self {
        match &upstream.provider {
            config::Provider::Salesforce(keys) => salesforce::provider(keys, &upstream.plain_http),
            config::Provider::Zilliant(keys) => zilliant::provider(keys),
            config::Provider::Zuora(keys) => zuora::provider(keys),
        }
    }

    /// The API family of `path`. Looked up once per request.
    pub fn surface(&self, path: &Readings) -> &Surface {
        self.surfaces
            .iter()
            .find(|surface| surface.covers(path))
            .unwrap_or(&self.rest)
    }

    /// Where `surface` sends `credential`. `None`: the token answer named no host.
    pub fn target<'a>(
        &'a self,
        surface: &Surface,
        credential: &'a Credential,
    ) -> Option<(&'a Origin, Allowed)> {
        match surface.target {
            TargetName::Instance => credential.instance().map(|(origin, how)| (origin, *how)),
            // The operator wrote this very host.
            TargetName::Api => self.api.as_ref().map(|origin| (origin, Allowed::Exactly)),
        }
    }

    /// What decides whether two upstreams share an access token. The parts name places and digests of
    /// secrets; they are for a keyed fingerprint, not for logs.
    pub fn account(&self, upstream: &config::Upstream) -> Vec<String> {
        let mut parts = vec![
            self.name.to_owned(),
            self.login.endpoint.to_string(),
            self.login.path.to_string(),
            format!("{:?}", self.login.encode),
            // Grant, parameter names and fixed values; the secrets are named by field only.
            format!("{:?}", self.login.parameters),
            format!("{:?}", self.login.headers),
            // A token that one allow-list let in is not handed to an upstream with another.
            format!("{:?}", self.answer),
            format!("{:?}", upstream.token),
            format!("{:?}", upstream.token_timeout),
        ];
        if self.token_per_api {
            parts.extend(self.api.iter().map(Origin::to_string));
        }
        parts.extend(
            self.login
                .sources
                .iter()
                .map(|(field, source)| format!("{field:?}={}", source.identity())),
        );
        parts
    }

    /// What login budgets and refusals are shared by: the token endpoint, the client and the user.
    pub fn user_key(&self) -> Vec<String> {
        let mut parts = vec![self.login.endpoint.to_string(), self.login.path.to_string()];
        for wanted in [Field::ClientId, Field::Username] {
            let source = self
                .login
                .sources
                .iter()
                .find(|(field, _)| *field == wanted);
            parts.push(source.map_or_else(String::new, |(_, source)| source.identity()));
        }
        parts
    }
}

#[cfg(test)]
mod tests;
