//! Signed assertions, read strictly: three parts in base64url without padding, JSON in two of them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys;

/// An assertion whose signature is not looked at yet.
pub(super) struct Jwt {
    pub(super) claims: Map<String, Value>,
    header: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            claims: object(claims)?,
            header: object(header)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Was it signed with RS256 by the private half of this key (PEM, `SubjectPublicKeyInfo`)?
    pub(super) fn is_rs256(&self, public: &str) -> bool {
        self.is_signed("RS256", &RSA_PKCS1_2048_8192_SHA256, public)
    }

    /// The same with ES256.
    pub(super) fn is_es256(&self, public: &str) -> bool {
        self.is_signed("ES256", &ECDSA_P256_SHA256_FIXED, public)
    }

    fn is_signed(&self, name: &str, how: &'static dyn VerificationAlgorithm, public: &str) -> bool {
        let key = UnparsedPublicKey::new(how, keys::der(public));
        let verified = key.verify(self.signed.as_bytes(), &self.signature);
        self.header.get("alg").and_then(Value::as_str) == Some(name) && verified.is_ok()
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
