//! Callers' certificates: whom the handshake lets in, and what a caller is called.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
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

const LONGEST_NAME: usize = 100;
