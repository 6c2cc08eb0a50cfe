//! The keys that clients of the emulator sign with. Invented here, so no secret; the emulator itself
//! knows their public halves alone, or others that a dial registers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes within a PEM block.
pub(super) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().map(str::trim);
    let base64: String = lines.filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap_or_default()
}

/// RSA, 2048 bits, PKCS#8.
pub(super) const RSA: &str = include_str!("rsa.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("rsa.public.pem");
/// P-256, PKCS#8.
pub(super) const EC: &str = include_str!("ec.pem");
pub(super) const EC_PUBLIC: &str = include_str!("ec.public.pem");

/// The public half of a key as PEM.
#[cfg(test)]
pub(super) fn pem_of(key: &aws_lc_rs::signature::RsaKeyPair) -> String {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::KeyPair;

    let der = key.public_key().as_der().unwrap();
    let base64 = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}
