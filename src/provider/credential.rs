//! [`Credential`]: ready-made header values and the hosts that came with them, one value, swapped whole.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use super::base::{Base, TargetName};
use super::told::Told;
use crate::telemetry::Seconds;

/// How a token is written into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierForm {
    /// `Bearer TOKEN`.
    Bearer,
    /// `OAuth TOKEN`.
    OAuth,
    /// `OAuth BASE64`, of the exact bytes of the whole token answer.
    OAuthBase64,
    /// `TOKEN` alone.
    Token,
    /// As the template with this number in [`AnswerMap::templates`](super::AnswerMap) says.
    Template(usize),
}

/// A header value of the operator's own making: `Tok {access_token}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What stands before the token.
    pub before: String,
    /// What stands after it.
    pub after: String,
}

/// A token, ready to be sent. Its header values are marked sensitive; its `Debug` shows none.
pub struct Credential {
    bearer: HeaderValue,
    oauth: HeaderValue,
    oauth_base64: HeaderValue,
    token: HeaderValue,
    templates: Vec<HeaderValue>,
    targets: Vec<(TargetName, Base)>,
    lifetime: Lifetime,
    told: Told,
}

/// What a token answer says about how long the token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until this long after the login request was sent (at most 24 h).
    For(Duration),
    /// The answer does not say: until it is unused for this long, or rejected.
    UntilUnusedFor(Duration),
}

/// As a log says it.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(life) => Seconds(*life).fmt(f),
            Self::UntilUnusedFor(rest) => write!(f, "until unused for {}", Seconds(*rest)),
        }
    }
}

/// A token that cannot be a header value (a control character in it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token contains bytes that no header can carry")]
pub struct UnusableToken;

impl Credential {
    /// The credential of `token`, from the answer `raw`.
    pub fn new(
        token: &str,
        raw: &[u8],
        templates: &[Template],
        targets: Vec<(TargetName, Base)>,
        lifetime: Lifetime,
    ) -> Result<Self, UnusableToken> {
        use base64::Engine;
        let sensitive = |text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|_| UnusableToken)?;
            value.set_sensitive(true);
            Ok(value)
        };
        if token.is_empty() || !token.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
            return Err(UnusableToken);
        }
        let of_template = |template: &Template| {
            sensitive(format!("{}{token}{}", template.before, template.after))
        };
        let base64 = base64::engine::general_purpose::STANDARD.encode(raw);
        Ok(Self {
            bearer: sensitive(format!("Bearer {token}"))?,
            oauth: sensitive(format!("OAuth {token}"))?,
            oauth_base64: sensitive(format!("OAuth {base64}"))?,
            token: sensitive(token.to_owned())?,
            templates: templates
                .iter()
                .map(of_template)
                .collect::<Result<_, _>>()?,
            targets,
            lifetime,
            told: Told::default(),
        })
    }

    /// The same, with what callers may be told of it.
    pub(super) fn telling(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// The header value in this form; a clone of it is a count.
    pub fn value(&self, form: CarrierForm) -> &HeaderValue {
        static NONE: HeaderValue = HeaderValue::from_static("");
        match form {
            // Templates and the surfaces that count them are of one provider.
            CarrierForm::Template(index) => self.templates.get(index).unwrap_or(&NONE),
            CarrierForm::Bearer => &self.bearer,
            CarrierForm::OAuth => &self.oauth,
            CarrierForm::OAuthBase64 => &self.oauth_base64,
            CarrierForm::Token => &self.token,
        }
    }

    /// A target that came with the token.
    pub fn target(&self, name: TargetName) -> Option<&Base> {
        let mut targets = self.targets.iter();
        let (_, base) = targets.find(|(have, _)| *have == name)?;
        Some(base)
    }

    /// All of them.
    pub(super) fn targets(&self) -> impl Iterator<Item = &(TargetName, Base)> {
        self.targets.iter()
    }

    /// What the answer said about its life.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// What callers may be told of it.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// Whether both are the same token for the same hosts (a login may return the string it returned before).
    pub fn same_token(&self, other: &Self) -> bool {
        self.token == other.token && self.targets == other.targets
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("targets", &self.targets)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
