//! [`Credential`]: ready-made header values and the host that came with them, one value, swapped whole.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use crate::message::{Allowed, Origin};

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
}

/// A token, ready to be sent. Its header values are marked sensitive; its `Debug` shows none.
pub struct Credential {
    bearer: HeaderValue,
    oauth: HeaderValue,
    oauth_base64: HeaderValue,
    token: HeaderValue,
    instance: Option<(Origin, Allowed)>,
    lifetime: Lifetime,
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
            Self::For(life) => write!(f, "{} s", life.as_secs()),
            Self::UntilUnusedFor(rest) => write!(f, "until unused for {} s", rest.as_secs()),
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
        instance: Option<(Origin, Allowed)>,
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
        let base64 = base64::engine::general_purpose::STANDARD.encode(raw);
        Ok(Self {
            bearer: sensitive(format!("Bearer {token}"))?,
            oauth: sensitive(format!("OAuth {token}"))?,
            oauth_base64: sensitive(format!("OAuth {base64}"))?,
            token: sensitive(token.to_owned())?,
            instance,
            lifetime,
        })
    }

    /// The header value in this form; a clone of it is a count.
    pub fn value(&self, form: CarrierForm) -> &HeaderValue {
        match form {
            CarrierForm::Bearer => &self.bearer,
            CarrierForm::OAuth => &self.oauth,
            CarrierForm::OAuthBase64 => &self.oauth_base64,
            CarrierForm::Token => &self.token,
        }
    }

    /// The host that came with the token, and how the allow-list covered it.
    pub fn instance(&self) -> Option<&(Origin, Allowed)> {
        self.instance.as_ref()
    }

    /// What the answer said about its life.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Whether both are the same token for the same host (a login may return the string it returned before).
    pub fn same_token(&self, other: &Self) -> bool {
        self.token == other.token && self.instance == other.instance
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field(
                "instance",
                &self.instance.as_ref().map(|(origin, _)| origin),
            )
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
