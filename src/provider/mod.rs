//! What is particular to each provider, as data: a [`Provider`] is a value of closed enums, and a few
//! pure interpreters read it. There is no trait per provider and there are no function pointers.
//!
//! | question | interpreter |
//! |---|---|
//! | which API family is this path? | [`Provider::surface`] |
//! | what is sent to the token endpoint? | [`login::request`] |
//! | what did it answer? | [`answer::read`] |
//! | what did a program print? | [`printed::read`] |
//! | why did it refuse? | [`refusal::classify`] |
//! | does this upstream answer mean a dead session? | [`judge::look`], [`judge::judge`] |
//! | is this a login that is answered here, and how? | [`local::find`], [`local::LocalLogin::answer`] |
//!
//! Nothing here waits, reads a clock, a file or the environment, or opens a socket.

pub mod answer;
pub mod assertion;
pub mod base;
pub mod credential;
pub mod expiry;
pub mod failure;
pub mod judge;
pub mod local;
pub mod login;
pub mod marketing_cloud;
pub mod marketing_cloud_legacy;
pub mod oauth2;
pub mod printed;
pub mod refusal;
pub mod rotation;
pub mod salesforce;
pub mod surface;
pub mod told;
pub mod zilliant;
pub mod zuora;

pub use self::answer::{Answer, AnswerMap, Granted, Success};
pub use self::base::{Base, TargetField, TargetName};
pub use self::credential::{CarrierForm, Credential, Lifetime, Template};
pub use self::failure::{LoginFailure, Refused, Strange};
pub use self::judge::{DeadRule, Look, Verdict};
pub use self::local::{LocalCall, LocalKind};
pub use self::login::{Call, Field, Login, LoginRequest, Secrets};
pub use self::refusal::RefusalRule;
pub use self::rotation::Rotation;
pub use self::surface::{Carrier, Denial, LinkRule, Stamp, Surface};
pub use self::told::Told;

use std::borrow::Cow;

use crate::config;
use crate::config::salesforce::Environment;
use crate::message::{Origin, Readings};
use crate::secret::Secret;

/// How many logins a provider grants to one user of one client in any hour, over all tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Logins in any hour, good or not.
    pub logins: usize,
    /// Whether the provider refuses more. A soft budget never withholds the only token: it is for renewals that can wait.
    pub hard: bool,
}

/// All that is particular to the provider of one upstream.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The word in `provider = "..."`.
    pub name: &'static str,
    /// How a token is obtained.
    pub login: Login,
    /// Where the fields of the token answer stand, and what is made of them.
    pub answer: AnswerMap,
    /// What refusals mean; the first match wins, then the usual reading of OAuth 2.0.
    pub refusals: Vec<RefusalRule>,
    /// How many logins the provider grants.
    pub budget: Option<Budget>,
    /// API families that are recognised by their path; the first match wins.
    pub surfaces: Vec<Surface>,
    /// The family of every other path.
    pub rest: Surface,
    /// The targets that the configuration names.
    pub configured: Vec<(TargetName, Base)>,
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// Whether a token serves one configured target only (Zilliant: one token per environment).
    pub token_per_target: bool,
    /// Which kind of host a token may be for; a host that only a pattern allowed must be known to be of this kind.
    pub environment: Option<Environment>,
}

impl Provider {
    /// The provider of `upstream`.
    pub fn of(upstream: &config::Upstream) -> Self {
        match &upstream.provider {
            config::Provider::Salesforce(keys) => salesforce::provider(keys, &upstream.plain_http),
            config::Provider::Zilliant(keys) => zilliant::provider(keys),
            config::Provider::Zuora(keys) => zuora::provider(keys),
            config::Provider::MarketingCloud(keys) => {
                marketing_cloud::provider(keys, &upstream.plain_http)
            }
            config::Provider::MarketingCloudLegacy(keys) => marketing_cloud_legacy::provider(keys),
            config::Provider::OAuth2(keys) => oauth2::provider(keys, &upstream.plain_http),
        }
    }

    /// The API family of `path`. Looked up once per request.
    pub fn surface(&self, path: &Readings<'_>) -> &Surface {
        self.surfaces
            .iter()
            .find(|surface| surface.covers(path))
            .unwrap_or(&self.rest)
    }

    /// Where `surface` sends `credential`: what the operator wrote, else what came with the token. `None`: the token
    /// answer named no such host.
    pub fn target<'a>(&'a self, surface: &Surface, credential: &'a Credential) -> Option<&'a Base> {
        let configured = self.configured.iter();
        let mut configured = configured.filter(|(name, _)| *name == surface.target);
        match configured.next() {
            Some((_, base)) => Some(base),
            None => credential.target(surface.target),
        }
    }

    /// What decides whether two upstreams share an access token. The parts name places and digests of
    /// secrets; they are for a keyed fingerprint, not for logs.
    pub fn account(&self, upstream: &config::Upstream) -> Vec<String> {
        let mut parts = self.kept_as();
        parts.extend([
            // A token that one allow-list let in is not handed to an upstream with another.
            format!("{:?} {:?}", self.answer, self.environment),
            format!("{:?}", upstream.token),
            format!("{:?}", upstream.token_timeout),
        ]);
        parts
    }

    /// What decides whether a token that was kept may be used: what was sent for it. What is made of the answer is
    /// decided anew when it is read.
    pub fn kept_as(&self) -> Vec<String> {
        let mut parts = vec![self.name.to_owned(), self.login.to_string(), self.asks()];
        // `Display` leaves it out, and it may say whose token is wanted, or for what.
        if let Login::Call(call) = &self.login
            && let Some(query) = call.path.query()
        {
            parts.push(format!("?{query}"));
        }
        if self.token_per_target {
            parts.push(format!("{:?}", self.configured));
        }
        parts.extend(
            self.login
                .sources()
                .iter()
                .map(|(field, source)| format!("{field:?}={}", source.identity())),
        );
        parts
    }

    /// What a login asks for, and how: grant, scope and the like, without the secrets, which are named by field only.
    pub fn asks(&self) -> String {
        match &self.login {
            Login::Call(call) => call.asks(),
            Login::Program(source) => source.identity(),
        }
    }

    /// What decides where a refresh token and its successors live: everything that a person who grants it has in hand,
    /// and not the client's secret, which may change. For a keyed digest, not for logs.
    pub fn lineage<'a>(&'a self, secrets: &'a Secrets) -> Vec<Cow<'a, str>> {
        let host = self.login.endpoint().map(Origin::to_string);
        let mut parts = vec![Cow::Borrowed(self.name), host.unwrap_or_default().into()];
        for field in Self::LINEAGE {
            let value = secrets.get(field).map_or("", Secret::expose);
            parts.push(Cow::Borrowed(value));
        }
        parts
    }

    /// The fields that decide it.
    pub const LINEAGE: [Field; 3] = [Field::ClientId, Field::Username, Field::RefreshToken];

    /// What login budgets and refusals are shared by: the token endpoint, the client and the user, as `secrets` name
    /// them. For a keyed fingerprint, not for logs.
    pub fn user_key<'a>(&'a self, secrets: &'a Secrets) -> Vec<Cow<'a, str>> {
        let mut parts = vec![Cow::Owned(match &self.login {
            Login::Call(_) => self.login.to_string(),
            Login::Program(source) => source.identity(),
        })];
        for field in [Field::ClientId, Field::Username] {
            let value = secrets.get(field).map_or("", Secret::expose);
            parts.push(Cow::Borrowed(value));
        }
        parts
    }
}

#[cfg(test)]
mod tests;
