//! [`SigningKey`]: a private key in PEM that signs the assertions of RFC 7523.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use rustls_pki_types::pem::{PemObject, SectionKind};

use super::Secret;

/// How a signature is made (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// A private key. Its `Debug` shows nothing of it.
pub struct SigningKey(Pair);

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

/// Why a text is not a usable private key. Never holds a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM section at all.
    #[error(
        "is not in PEM, whose first line is -----BEGIN PRIVATE KEY----- (a PKCS#12 or Java key store? convert it: openssl pkcs12 -in FILE -nocerts -nodes -out KEY.pem)"
    )]
    NotPem,
    /// Bytes that are no text, which the reader of the file found.
    #[error(
        "is not in PEM, but binary: a PKCS#12 key store (openssl pkcs12 -in FILE -nocerts -nodes -out KEY.pem) or DER (openssl pkey -inform DER -in FILE -out KEY.pem)"
    )]
    Binary,
    /// PEM in one line, as some files of variables hold it.
    #[error(
        "has its line breaks written as \\n: it needs real ones (printf '%b' \"$KEY\" > KEY.pem)"
    )]
    OneLine,
    /// PEM whose lines were run together, as a shell does with a variable outside quotation marks.
    #[error(
        "has lost its line breaks: it needs them, and a shell keeps them within quotation marks (\"$KEY\")"
    )]
    RunTogether,
    /// PEM without its last line.
    #[error("ends before its line -----END ...-----: it was cut off, so take the whole file")]
    CutOff,
    /// What `ssh-keygen` makes.
    #[error(
        "is in the format of OpenSSH (convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f COPY)"
    )]
    OpenSsh,
    /// A key that needs a password.
    #[error(
        "is an encrypted private key (decrypt it: openssl pkey -in FILE -out KEY.pem, and keep that file from others)"
    )]
    Encrypted,
    /// A certificate, a public key, a request.
    #[error("holds no private key, only {0}")]
    NoPrivateKey(&'static str),
    /// Another kind of key where RSA is needed.
    #[error("is not an RSA key, which RS256 needs (openssl genrsa -out KEY.pem 2048)")]
    NotRsa,
    /// Another kind of key where a P-256 key is needed.
    #[error(
        "is not an EC key on P-256, which ES256 needs (openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem)"
    )]
    NotP256,
    /// A key that no signature can be made with: too short, or broken.
    #[error("cannot be used: it is broken, or RSA of fewer than 2048 bits")]
    Unusable,
}

impl SigningKey {
    /// Reads a key for `algorithm`: PKCS#8 or PKCS#1 (RSA), PKCS#8 or SEC 1 (P-256). Other sections of the text, such as
    /// certificates, are passed over; so are a byte order mark and blanks around lines.
    pub fn parse(pem: &Secret, algorithm: Algorithm) -> Result<Self, KeyError> {
        let text = pem.expose().trim_start_matches('\u{feff}');
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let pem = Secret::new(lines.join("\n"));
        let mut only = None;
        let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.expose().as_bytes());
        for section in sections {
            let Ok((kind, der)) = section else {
                break;
            };
            match kind {
                SectionKind::PrivateKey
                | SectionKind::RsaPrivateKey
                | SectionKind::EcPrivateKey => {
                    return Self::of(kind, &der, algorithm);
                }
                SectionKind::Certificate => only = Some("a certificate"),
                SectionKind::PublicKey => only = Some("a public key"),
                SectionKind::Csr => only = Some("a certificate request"),
                _ => {}
            }
        }
        Err(why_not(pem.expose(), only))
    }

    fn of(kind: SectionKind, der: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let rsa = || match kind {
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(der),
            _ => RsaKeyPair::from_pkcs8(der),
        };
        let ec = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        let is_rsa = match kind {
            SectionKind::RsaPrivateKey => true,
            SectionKind::EcPrivateKey => false,
            _ => names_rsa(der),
        };
        match algorithm {
            Algorithm::Rs256 if !is_rsa => Err(KeyError::NotRsa),
            Algorithm::Rs256 => match rsa() {
                Ok(key) if key.public_modulus_len() >= RSA_SHORTEST => Ok(Self(Pair::Rsa(key))),
                _ => Err(KeyError::Unusable),
            },
            Algorithm::Es256 if is_rsa => Err(KeyError::NotP256),
            Algorithm::Es256 => ec()
                .map(|key| Self(Pair::Ec(key)))
                .map_err(|_| KeyError::NotP256),
        }
    }

    /// The signature over `message`, as a JWS holds it (RFC 7518 sections 3.3 and 3.4). `None`: no randomness.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let chance = SystemRandom::new();
        match &self.0 {
            Pair::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &chance, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Pair::Ec(key) => {
                let signature = key.sign(&chance, message).ok()?;
                Some(signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Why there is no key in `pem`, where only `only` was found.
fn why_not(pem: &str, only: Option<&'static str>) -> KeyError {
    // The PEM reader passes over sections of kinds it does not know, and over those that do not end.
    let begins = pem.split_once("PRIVATE KEY-----");
    match begins {
        Some((before, _)) if before.ends_with("OPENSSH ") => KeyError::OpenSsh,
        _ if pem.contains("ENCRYPTED") => KeyError::Encrypted,
        Some((_, rest)) if rest.starts_with("\\n") => KeyError::OneLine,
        Some((_, rest)) if !rest.starts_with('\n') && !rest.is_empty() => KeyError::RunTogether,
        Some((_, rest)) if !rest.contains("-----END") => KeyError::CutOff,
        Some(_) => KeyError::Unusable,
        None => only.map_or(KeyError::NotPem, KeyError::NoPrivateKey),
    }
}

/// Whether a key in PKCS#8 says that it is an RSA key (RFC 5208 section 5: its algorithm stands right at the beginning).
fn names_rsa(der: &[u8]) -> bool {
    let head = der.get(..PKCS8_HEAD).unwrap_or(der);
    head.windows(RSA_ENCRYPTION.len())
        .any(|bytes| bytes == RSA_ENCRYPTION)
}

/// Two lengths, the version, and the first part of the algorithm.
const PKCS8_HEAD: usize = 32;
/// The object identifier rsaEncryption, 1.2.840.113549.1.1.1 (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 2048 bits, in bytes.
const RSA_SHORTEST: usize = 256;

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    };

    use super::*;

    macro_rules! key {
        ($name:literal) => {
            include_str!(concat!("../../tests/keys/", $name, ".pem"))
        };
    }

    #[test]
    fn keys_are_read_in_every_usual_form_and_others_are_named() {
        use Algorithm::{Es256, Rs256};
        let certificate_first = format!("{}{}", key!("cert"), key!("rsa"));
        let certificate = KeyError::NoPrivateKey("a certificate");
        let rows = [
            (key!("rsa"), Ok(()), Err(KeyError::NotP256)),
            (key!("rsa-pkcs1"), Ok(()), Err(KeyError::NotP256)),
            (&certificate_first, Ok(()), Err(KeyError::NotP256)),
            (key!("ec"), Err(KeyError::NotRsa), Ok(())),
            (key!("ec-sec1"), Err(KeyError::NotRsa), Ok(())),
            (
                key!("ec-p384"),
                Err(KeyError::NotRsa),
                Err(KeyError::NotP256),
            ),
            (
                key!("ed25519"),
                Err(KeyError::NotRsa),
                Err(KeyError::NotP256),
            ),
            (
                key!("ec-p384-pkcs8"),
                Err(KeyError::NotRsa),
                Err(KeyError::NotP256),
            ),
            (
                key!("rsa-1024"),
                Err(KeyError::Unusable),
                Err(KeyError::NotP256),
            ),
            (
                key!("rsa-encrypted"),
                Err(KeyError::Encrypted),
                Err(KeyError::Encrypted),
            ),
            (
                key!("rsa-pkcs1-encrypted"),
                Err(KeyError::Encrypted),
                Err(KeyError::Encrypted),
            ),
            (key!("cert"), Err(certificate), Err(certificate)),
            (
                key!("rsa.pub"),
                Err(KeyError::NoPrivateKey("a public key")),
                Err(KeyError::NoPrivateKey("a public key")),
            ),
            (
                "MIIKXwIBAzCCChkGCSqGSIb3",
                Err(KeyError::NotPem),
                Err(KeyError::NotPem),
            ),
            ("", Err(KeyError::NotPem), Err(KeyError::NotPem)),
        ];
        for (index, (pem, rs256, es256)) in rows.into_iter().enumerate() {
            let read = |algorithm| SigningKey::parse(&Secret::new(pem), algorithm).map(drop);
            assert_eq!((read(Rs256), read(Es256)), (rs256, es256), "row {index}");
        }
    }

    #[test]
    fn what_happened_to_a_key_on_its_way_is_told_or_read_over() {
        let key = key!("rsa");
        let (cut, _) = key.split_at(500);
        let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----";
        let rows = [
            (key.replace('\n', "\\n"), Err(KeyError::OneLine)),
            (key.replace('\n', " "), Err(KeyError::RunTogether)),
            (cut.to_owned(), Err(KeyError::CutOff)),
            (ssh.to_owned(), Err(KeyError::OpenSsh)),
            (
                key.replace("KEY-----\nM", "KEY-----\n*"),
                Err(KeyError::Unusable),
            ),
            (format!("\u{feff}{}", key.replace('\n', "\r\n  ")), Ok(())),
        ];
        for (index, (pem, expected)) in rows.into_iter().enumerate() {
            let read = SigningKey::parse(&Secret::new(pem), Algorithm::Rs256).map(drop);
            assert_eq!(read, expected, "row {index}");
        }
    }

    #[test]
    fn what_is_signed_can_be_verified_with_the_public_key() {
        let rows: [(_, _, _, &dyn VerificationAlgorithm); 4] = [
            (
                key!("rsa"),
                key!("rsa.pub"),
                Algorithm::Rs256,
                &RSA_PKCS1_2048_8192_SHA256,
            ),
            (
                key!("rsa-pkcs1"),
                key!("rsa.pub"),
                Algorithm::Rs256,
                &RSA_PKCS1_2048_8192_SHA256,
            ),
            (
                key!("ec"),
                key!("ec.pub"),
                Algorithm::Es256,
                &ECDSA_P256_SHA256_FIXED,
            ),
            (
                key!("ec-sec1"),
                key!("ec.pub"),
                Algorithm::Es256,
                &ECDSA_P256_SHA256_FIXED,
            ),
        ];
        for (private, public, algorithm, verification) in rows {
            let key = SigningKey::parse(&Secret::new(private), algorithm).unwrap();
            let signature = key.sign(b"message").unwrap();
            let public = <(SectionKind, Vec<u8>)>::from_pem_slice(public.as_bytes())
                .unwrap()
                .1;
            let public = UnparsedPublicKey::new(verification, public);
            assert!(public.verify(b"message", &signature).is_ok());
            assert!(public.verify(b"another", &signature).is_err());
        }
        assert_eq!(
            format!(
                "{:?}",
                SigningKey::parse(&Secret::new(key!("rsa")), Algorithm::Rs256)
            ),
            "Ok(SigningKey)"
        );
    }
}
