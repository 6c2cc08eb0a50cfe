//! Signing assertions, as clients do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::keys;

/// Signed with RS256 by a key.
pub(super) fn rs256(header: &Value, claims: &Value, key: &RsaKeyPair) -> String {
    let signed = unsigned(header, claims);
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Signed with ES256 by the emulator's own key.
pub(super) fn es256(header: &Value, claims: &Value) -> String {
    let signed = unsigned(header, claims);
    let key = keys::der(keys::EC);
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).unwrap();
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The emulator's own key.
pub(super) fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(&keys::der(keys::RSA)).unwrap()
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encoded(header), encoded(claims))
}
