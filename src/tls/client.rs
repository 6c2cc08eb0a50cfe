//! Callers' certificates: whom the handshake lets in, and what a caller is called.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Error, authorities, provider};

/// Lets in whoever has a certificate of one of these authorities, and nobody else.
pub(super) fn verifier(ca: &Path) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities(ca)? {
        roots.add(certificate)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|source| Error::Callers {
            path: ca.to_owned(),
            source,
        })
}

/// The name in a certificate that the handshake has accepted: the subject's common name, else the first name it is
/// for; at most 100 characters of it. Not fit for a log as it is: whoever made the certificate chose it.
pub fn caller_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common = certificate
        .subject()
        .iter_common_name()
        .find_map(|name| name.as_str().ok().filter(|name| !name.is_empty()));
    let name = match common {
        Some(common) => Some(common),
        None => {
            let names = certificate.subject_alternative_name().ok()??;
            let mut names = names.value.general_names.iter();
            names.find_map(|name| match name {
                GeneralName::DNSName(name)
                | GeneralName::RFC822Name(name)
                | GeneralName::URI(name) => Some(*name),
                _ => None,
            })
        }
    };
    name.map(|name| name.chars().take(LONGEST_NAME).collect())
}

/// Why a handshake let a caller not in, if its certificate or the lack of one was it: half a sentence.
pub fn why_refused(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let wrong = match error {
        rustls::Error::NoCertificatesPresented => {
            return Some("it showed no certificate".to_owned());
        }
        rustls::Error::InvalidCertificate(wrong) => wrong,
        _ => return None,
    };
    let why = match wrong {
        CertificateError::UnknownIssuer => "its certificate is of no authority in client_ca",
        CertificateError::BadSignature => {
            "its certificate was not made with the key of an authority in client_ca"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: are the clocks right?"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for clients: extendedKeyUsage lacks clientAuth"
        }
        // rustls has no names for these.
        other if names(other, "UnsupportedCertVersion") => {
            "its certificate is of version 1 of X.509: make it with extensions (openssl x509 -req -extfile ...)"
        }
        other if names(other, "CaUsedAsEndEntity") => {
            "its certificate is an authority's: make one with CA:FALSE, signed by an authority in client_ca"
        }
        other => return Some(format!("its certificate cannot be used: {other}")),
    };
    Some(why.to_owned())
}

fn names(error: &CertificateError, kind: &str) -> bool {
    error.to_string().contains(kind)
}

const LONGEST_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_caller_is_said_and_other_ends_are_not_its_certificates() {
        let wrong = |error| Some(rustls::Error::InvalidCertificate(error));
        let rows = [
            (
                Some(rustls::Error::NoCertificatesPresented),
                Some("it showed no certificate"),
            ),
            (
                wrong(CertificateError::UnknownIssuer),
                Some("its certificate is of no authority in client_ca"),
            ),
            (
                wrong(CertificateError::Expired),
                Some("its certificate has expired"),
            ),
            (
                wrong(CertificateError::Revoked),
                Some("its certificate cannot be used: Revoked"),
            ),
            (Some(rustls::Error::HandshakeNotComplete), None),
            (None, None),
        ];
        for (error, expected) in rows {
            let error = match error {
                Some(error) => io::Error::new(io::ErrorKind::InvalidData, error),
                None => io::ErrorKind::UnexpectedEof.into(),
            };
            assert_eq!(why_refused(&error).as_deref(), expected, "{error}");
        }
    }
}
