//! [`SealKey`]: records that only its holder can read, name or make.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;

use super::{Secret, hex, random};

/// A key that records are sealed with (AES-256-GCM-SIV), and the names they are kept under (HMAC-SHA-256). Both are
/// derived from one, so that what is known of the one use says nothing about the other.
pub struct SealKey {
    aead: RandomizedNonceKey,
    names: hmac::Key,
}

/// The text is not 32 bytes in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be 64 hexadecimal digits (openssl rand -hex 32)")]
pub struct NotAKey;

/// The record was not sealed with this key under this name, or it was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not fit")]
pub struct Broken;

impl SealKey {
    /// A new key, as text.
    pub fn generate() -> Secret {
        Secret::new(hex(&random::<32>()))
    }

    /// The key that `text` is: 64 hexadecimal digits.
    pub fn parse(text: &Secret) -> Result<Self, NotAKey> {
        let text = text.expose().trim();
        let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes: Option<Vec<u8>> = (0..32)
            .map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes.filter(|_| digits).ok_or(NotAKey)?);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        Ok(Self {
            aead: RandomizedNonceKey::new(&AES_256_GCM_SIV, derived("upauth records 1").as_ref())
                .map_err(|_| NotAKey)?,
            names: hmac::Key::new(hmac::HMAC_SHA256, derived("upauth names 1").as_ref()),
        })
    }

    /// The digest that stands for `name`: nobody else can tell what it is of.
    pub fn name(&self, name: &[u8]) -> String {
        hex(hmac::sign(&self.names, name).as_ref())
    }

    /// `plain`, sealed; it opens only beside the same `beside`, which is not kept in it.
    pub fn seal(&self, beside: &[u8], plain: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut text = plain.to_vec();
        let nonce = self
            .aead
            .seal_in_place_append_tag(Aad::from(beside), &mut text)
            .map_err(|_| Broken)?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// What was sealed beside `beside`.
    pub fn open(&self, beside: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let mut text = text.to_vec();
        let plain = self
            .aead
            .open_in_place(nonce, Aad::from(beside), &mut text)
            .map_err(|_| Broken)?;
        Ok(plain.to_vec())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::parse(&SealKey::generate()).unwrap()
    }

    #[test]
    fn a_record_opens_beside_what_it_was_sealed_beside_and_with_its_key_only() {
        let key = key();
        let sealed = key.seal(b"a 1", b"hunter2").unwrap();
        assert_eq!(key.open(b"a 1", &sealed).unwrap(), b"hunter2");
        assert_eq!(key.open(b"a 2", &sealed), Err(Broken));
        assert_eq!(self::key().open(b"a 1", &sealed), Err(Broken));
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, key.seal(b"a 1", b"hunter2").unwrap());
    }

    #[test]
    fn no_bit_can_be_changed_and_no_byte_be_missing() {
        let key = key();
        let sealed = key.seal(b"", b"hunter2").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"", &changed), Err(Broken), "{bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(b"", &sealed[..length]), Err(Broken), "{length}");
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(SealKey::parse(&Secret::new(text)).is_err(), "{text}");
        }
        let of = |text: &str| SealKey::parse(&Secret::new(text)).unwrap().name(b"x");
        assert_eq!(of(&"aB".repeat(32)), of(&"Ab".repeat(32)));
        assert_ne!(of(&"aB".repeat(32)), of(&"aC".repeat(32)));
    }
}
