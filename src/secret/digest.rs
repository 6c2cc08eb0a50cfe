//! [`Digest`]: what is kept of a text that a caller must know, instead of the text.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};

use super::hex;

/// A SHA-256 digest. Its `Debug` shows nothing: whoever has it can make what [`Digest::tag`] makes.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

/// Why a text is not a digest. Never holds the text, which may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not the length of one.
    #[error("has {0} characters instead of 64")]
    Length(usize),
    /// Something else than hexadecimal digits.
    #[error("has characters that are no hexadecimal digits")]
    Digits,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::copied(digest::digest(&digest::SHA256, bytes).as_ref())
    }

    /// The digest that `text` writes in hexadecimal digits of either case, as `sha256sum` does.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        let digits = text.chars().count();
        if digits != 64 {
            return Err(DigestError::Length(digits));
        }
        // `from_str_radix` would take a sign.
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(DigestError::Digits);
        }
        let pairs = (0..64).step_by(2).filter_map(|at| text.get(at..at + 2));
        let bytes = pairs.map_while(|pair| u8::from_str_radix(pair, 16).ok());
        Ok(Self::copied(&bytes.collect::<Vec<u8>>()))
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// A text that only who has the digest can make and recognise: `purpose` under a keyed digest (HMAC-SHA256).
    /// Nothing can be told from it about the digest or what that is of.
    pub fn tag(&self, purpose: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hex(hmac::sign(&key, purpose.as_bytes()).as_ref())
    }

    /// As [`Digest::from_hex`] reads it.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    fn copied(from: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let abc = Digest::of(b"abc");
        assert_eq!(abc.to_hex(), ABC);
        for text in [ABC.to_owned(), ABC.to_uppercase()] {
            assert!(Digest::from_hex(&text).unwrap().matches(&abc));
        }
        assert!(!Digest::of(b"abd").matches(&abc));
        assert_eq!(format!("{abc:?}"), "[digest]");
    }

    #[test]
    fn what_is_no_digest_is_not_read() {
        let rows = [
            (String::new(), DigestError::Length(0)),
            (ABC[1..].to_owned(), DigestError::Length(63)),
            (format!("{ABC}\n"), DigestError::Length(65)),
            (ABC.replace("ba78", "+a78"), DigestError::Digits),
            (ABC.replace("ba78", "xa78"), DigestError::Digits),
            (ABC.replace("ba78", "ä·78"), DigestError::Digits),
        ];
        for (text, why) in rows {
            assert_eq!(Digest::from_hex(&text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_tag_belongs_to_one_digest_and_one_purpose() {
        let tag = Digest::of(b"abc").tag("x");
        assert_eq!((tag.len(), &tag), (64, &Digest::of(b"abc").tag("x")));
        assert_ne!(tag, Digest::of(b"abc").tag("y"));
        assert_ne!(tag, Digest::of(b"abd").tag("x"));
    }
}
