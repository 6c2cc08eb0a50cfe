//! TLS from the configuration, in and out: the only room that builds rustls configurations.
//!
//! The crypto provider is named at each builder, so nothing depends on a process-wide default (and a
//! library that installs another one changes nothing here). Deliberately absent: a switch that turns
//! verification off, and renewal of the leaf certificate while running (it is made at each start and each reload).

mod client;
mod own_ca;
mod plain;
#[cfg(test)]
mod tests;
mod trust;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

pub use self::client::{caller_name, why_refused};
pub use self::plain::{NO_PROTOCOL, NO_TLS, is_no_protocol, is_no_tls};
pub use self::trust::Trust;
pub use rustls::{ClientConfig, ServerConfig};
pub use rustls_pki_types::ServerName;

use crate::config::Pem;
use crate::config::server::ListenTls;
use crate::secret::in_time;
use crate::secret::private::Unfit;

/// Why there is no TLS configuration; each says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state directory or a file in it could not be written.
    #[error("cannot write {path}: {source}; point [server] state to a directory that is writable")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} {what}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it lacks, and what to do.
        what: &'static str,
    },
    /// Certificate and key are of different pairs, or of a kind that cannot be used.
    #[error("{key} is not the key of {cert}: {source}")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// `tls = "auto"` without a state directory.
    #[error(
        "tls = \"auto\" keeps its CA in the state directory, and none is known: set [server] state"
    )]
    NoState,
    /// Others may know the key of the own CA.
    #[error("{path} {why}; or delete it to get a new CA")]
    Unfit {
        /// The key.
        path: PathBuf,
        /// What speaks against it.
        why: Unfit,
    },
    /// A name that no certificate can be for.
    #[error("no certificate can be made for `{0}`: write international names in their xn-- form")]
    Name(String),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The authorities of callers' certificates cannot be used.
    #[error("{path} cannot be used for callers' certificates: {source}")]
    Callers {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        source: rustls::server::VerifierBuilderError,
    },
    /// rustls refused the settings.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// The configuration for connections to the outside: trusts the system's store and the PEM files
/// `extra_ca`; where the system has no store, Mozilla's roots stand in for it.
fn client(extra_ca: &[PathBuf]) -> Result<Arc<ClientConfig>, Error> {
    let mut extra = Vec::new();
    for path in extra_ca {
        extra.extend(authorities(path)?);
    }
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    // Asked without the extra authorities: with them the verifier takes an empty system store for enough.
    let system = match Verifier::new(provider.clone()) {
        Ok(verifier) if extra.is_empty() => Some(verifier),
        Ok(_) => Some(Verifier::new_with_extra_roots(extra.clone(), provider)?),
        Err(error) => {
            tracing::debug!(%error, "no system trust store, Mozilla's roots are used");
            None
        }
    };
    let config = match system {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_root_certificates(bundled_roots(extra)?),
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

/// The configuration of a listener, `None` for plain text. `names` are the DNS names and addresses
/// that a certificate of `tls = "auto"` is for, besides the loopback ones; a name under `.localhost`
/// must be among them, since clients accept no wildcard there.
pub fn server(
    tls: &ListenTls,
    names: &[String],
    state: Option<&Path>,
) -> Result<Option<Arc<ServerConfig>>, Error> {
    let (chain, key, from) = match tls {
        ListenTls::Off => return Ok(None),
        ListenTls::Auto => {
            let state = state.ok_or(Error::NoState)?;
            let (chain, key) = own_ca::open(state)?.leaf(names)?;
            let from = (own_ca::certificate_path(state), own_ca::key_path(state));
            (chain, key, from)
        }
        ListenTls::Files { cert, key, .. } => (
            certificates(cert)?,
            private_key(key)?,
            (cert.clone(), key.clone()),
        ),
    };
    let callers = match tls {
        ListenTls::Files {
            client_ca: Some(ca),
            ..
        } => Some(client::verifier(ca)?),
        _ => None,
    };
    let asks = callers.is_some();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(callers.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_single_cert(chain, key)
        .map_err(|source| Error::Pair {
            cert: from.0,
            key: from.1,
            source,
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if asks {
        // Resumed, a session would outlive the certificate it began with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // Tickets keep resumption stateless: no table shared by the workers.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    }
    Ok(Some(Arc::new(config)))
}

/// Whether a file holds what it should.
pub fn check(path: &Path, what: Pem) -> Result<(), Error> {
    match what {
        Pem::Authorities => authorities(path).map(drop),
        Pem::Chain => certificates(path).map(drop),
        Pem::Key => private_key(path).map(drop),
    }
}

/// Where the certificate of the own CA is kept, for clients that must trust it.
pub fn own_ca(state: &Path) -> PathBuf {
    own_ca::certificate_path(state)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn bundled_roots(extra: Vec<CertificateDer<'static>>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in extra {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The authorities in a PEM file, each one usable.
fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = certificates(path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| Error::Pem {
            path: path.to_owned(),
            what: "holds a certificate that cannot be used as an authority",
        })?;
    }
    Ok(certificates)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |what| Error::Pem {
        path: path.to_owned(),
        what,
    };
    let text = read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| wrong("is broken PEM: copy it again, from BEGIN to END line"))?;
    if certificates.is_empty() {
        return Err(wrong(
            "holds no certificate: expected PEM with a line `-----BEGIN CERTIFICATE-----`",
        ));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let encrypted = text
            .windows(ENCRYPTED.len())
            .any(|window| window == ENCRYPTED);
        Error::Pem {
            path: path.to_owned(),
            what: match error {
                _ if encrypted => {
                    "holds an encrypted key: decrypt it with `openssl pkey -in KEY -out PLAIN`"
                }
                pem::Error::NoItemsFound => {
                    "holds no private key: expected PEM with a line `-----BEGIN PRIVATE KEY-----`"
                }
                _ => "is broken PEM: copy it again, from BEGIN to END line",
            },
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    in_time::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";
