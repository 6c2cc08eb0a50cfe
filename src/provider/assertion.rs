//! [`Assertion`]: a statement that the login signs, a JWT (RFC 7519, RFC 7523 section 3).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json};

use super::login::{Field, Moment, Secrets};
use crate::message::Locator;
use crate::secret::{Algorithm, KeyError, SigningKey};

/// What is stated, and how it is signed. The key is [`Field::PrivateKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// `iss`.
    pub issuer: Field,
    /// `sub`.
    pub subject: Field,
    /// `aud`.
    pub audience: Locator,
    /// Whether `iat` and a `jti` that never comes twice are stated as well.
    pub unique: bool,
    /// `kid` in the head: which of the client's keys it is.
    pub key_id: Option<String>,
}

/// Why a login could not be written down. Never holds a part of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// The key is missing or of another kind.
    #[error("the private key {0}")]
    Key(#[from] KeyError),
    /// The system has no randomness.
    #[error("the assertion could not be signed")]
    Chance,
    /// A value of `token_headers` with a line break or the like.
    #[error("a value of token_headers cannot stand in a header")]
    Header,
}

impl Assertion {
    /// The signed assertion in compact form.
    pub(super) fn sign(&self, secrets: &Secrets, moment: &Moment) -> Result<String, Unsigned> {
        let key = secrets.get(Field::PrivateKey).ok_or(KeyError::NotPem)?;
        let key = SigningKey::parse(key, self.algorithm)?;
        let mut head = Map::new();
        head.insert("alg".to_owned(), self.algorithm_name().into());
        head.insert("typ".to_owned(), "JWT".into());
        head.extend(
            self.key_id
                .iter()
                .map(|id| ("kid".to_owned(), id.as_str().into())),
        );
        let text = |field| secrets.get(field).map_or("", |secret| secret.expose());
        let now = moment.wall.as_secs();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), text(self.issuer).into());
        claims.insert("sub".to_owned(), text(self.subject).into());
        claims.insert("aud".to_owned(), self.audience.as_str().into());
        // Whole seconds as a number, and no longer than Salesforce says it takes (Salesforce Help, "OAuth 2.0 JWT
        // Bearer Flow for Server-to-Server Integration"), though clients get away with more.
        claims.insert("exp".to_owned(), (now + LIFETIME.as_secs()).into());
        if self.unique {
            claims.insert("iat".to_owned(), now.into());
            // One login may sign for a user and for the client.
            let id = format!("{}-{}", moment.unique, self.subject.key());
            claims.insert("jti".to_owned(), id.into());
        }
        let part = |object| URL_SAFE_NO_PAD.encode(Json::Object(object).to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = key.sign(signed.as_bytes()).ok_or(Unsigned::Chance)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn algorithm_name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
        }
    }
}

/// How long an assertion may be used.
const LIFETIME: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn read(part: &str) -> Json {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_states_who_for_whom_and_until_when_in_whole_seconds() {
        let mut secrets = Secrets::default();
        let key = include_str!("../../tests/keys/rsa.pem");
        secrets.insert(Field::ClientId, Secret::new("3MVG9FAKE"));
        secrets.insert(Field::Username, Secret::new("u+1@acme.example"));
        let mut assertion = Assertion {
            algorithm: Algorithm::Rs256,
            issuer: Field::ClientId,
            subject: Field::Username,
            audience: "https://login.salesforce.com".into(),
            unique: false,
            key_id: None,
        };
        let moment = Moment {
            wall: Duration::from_millis(1_700_000_000_999),
            unique: "once".to_owned(),
        };
        let none = assertion.sign(&secrets, &moment);
        assert_eq!(none, Err(Unsigned::Key(KeyError::NotPem)));
        secrets.insert(Field::PrivateKey, Secret::new(key));
        let signed = assertion.sign(&secrets, &moment).unwrap();
        let parts: Vec<&str> = signed.split('.').collect();
        let claims = serde_json::json!({
            "iss": "3MVG9FAKE", "sub": "u+1@acme.example", "aud": "https://login.salesforce.com",
            "exp": 1_700_000_180_u64,
        });
        assert_eq!(
            read(parts[0]),
            serde_json::json!({"alg": "RS256", "typ": "JWT"})
        );
        assert_eq!(read(parts[1]), claims);
        assert_eq!(parts.len(), 3);
        assertion.unique = true;
        assertion.key_id = Some("k1".to_owned());
        let signed = assertion.sign(&secrets, &moment).unwrap();
        let parts: Vec<&str> = signed.split('.').collect();
        let mut more = claims.clone();
        more["iat"] = 1_700_000_000_u64.into();
        more["jti"] = "once-username".into();
        assert_eq!(read(parts[0])["kid"], "k1");
        assert_eq!(read(parts[1]), more);
    }
}
