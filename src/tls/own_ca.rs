//! The own CA of `tls = "auto"`: `ca.key` and `ca.pem` in the state directory, and leaf certificates by it.
//!
//! Invariant: the key decides. Name and key identifier of the CA follow from it, so a lost `ca.pem` is
//! made again and leaf certificates verify with the old copy as with the new one. Hence two processes
//! that start at once need no lock: one key wins, and either's `ca.pem` is right.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use super::Error;
use crate::clock::Clock;
use crate::secret::Digest;
use crate::secret::private::{self, Unfit};

/// The CA with its key.
pub(super) struct OwnCa {
    issuer: Issuer<'static, KeyPair>,
    chain: Vec<CertificateDer<'static>>,
}

pub(super) fn certificate_path(state: &Path) -> PathBuf {
    state.join("ca.pem")
}

pub(super) fn key_path(state: &Path) -> PathBuf {
    state.join("ca.key")
}

/// Reads the CA kept in `state`; makes it on first use.
pub(super) fn open(state: &Path) -> Result<OwnCa, Error> {
    let (key_path, certificate_path) = (key_path(state), certificate_path(state));
    if !key_path.exists() {
        let key = KeyPair::generate()?;
        let made = private::make_folder(state)
            .and_then(|()| private::create(&key_path, key.serialize_pem().as_bytes()));
        made.map_err(written(&key_path))?;
    }
    let key = read_key(&key_path)?;
    let params = params(&key)?;
    if !certificate_path.exists() || !is_of_this_time(&certificate_path)? {
        let certificate = params.self_signed(&key)?;
        private::replace(&certificate_path, certificate.pem().as_bytes())
            .map_err(written(&certificate_path))?;
    }
    let chain = super::certificates(&certificate_path)?;
    let pair = CertifiedKey::from_der(
        chain.clone(),
        PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        &super::provider(),
    );
    pair.map_err(|source| Error::Pair {
        cert: certificate_path,
        key: key_path,
        source,
    })?;
    Ok(OwnCa {
        issuer: Issuer::new(params, key),
        chain,
    })
}

impl OwnCa {
    /// A new certificate chain and key for `names` and the loopback names.
    pub(super) fn leaf(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let mut all: Vec<String> = LOOPBACK.map(str::to_owned).to_vec();
        for name in names {
            let name = name.trim_start_matches('[').trim_end_matches(']');
            if !name.is_ascii() {
                return Err(Error::Name(name.to_owned()));
            }
            if !name.is_empty() && !all.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                all.push(name.to_ascii_lowercase());
            }
        }
        let mut params = CertificateParams::new(all)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid_for(&mut params, LEAF_LIFE);
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let mut chain = vec![leaf.der().clone()];
        chain.extend(self.chain.iter().cloned());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok((chain, key))
    }
}

/// What the CA says about itself; all of it but the dates follows from the key.
fn params(key: &KeyPair) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Two CAs of one name and different keys confuse trust stores, so the name carries the key.
    let digest = Digest::of(&key.subject_public_key_info()).to_hex();
    let name = format!("upauth own CA {}", digest.get(..8).unwrap_or_default());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, CA_LIFE);
    Ok(params)
}

/// Whether the certificate of the CA is valid now, and as long as a leaf made now. One that was made while the clock
/// was wrong, or years ago, would be refused by every client that trusts it.
fn is_of_this_time(path: &Path) -> Result<bool, Error> {
    let Some(certificate) = super::certificates(path)?.into_iter().next() else {
        return Ok(false);
    };
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider()).build();
    let Ok(verifier) = verifier else {
        return Ok(false);
    };
    let now = Clock::system().now().wall;
    let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
    // A CA is no server; what else is wrong with it comes after its time.
    Ok([now, now + LEAF_LIFE].into_iter().all(|at| {
        let at = UnixTime::since_unix_epoch(at);
        let judged = verifier.verify_server_cert(&certificate, &[], &name, &[], at);
        !matches!(
            judged,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
            ))
        )
    }))
}

/// Valid from a day ago, for clients whose clock is behind.
fn valid_for(params: &mut CertificateParams, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Clock::system().now().wall;
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = params.not_before + life;
}

fn written(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Write {
        path: path.to_owned(),
        source,
    }
}

/// Who knows the key can stand between a caller and this proxy.
fn read_key(path: &Path) -> Result<KeyPair, Error> {
    let text = private::read(path).map_err(|why| match why {
        Unfit::Io(source) => Error::Read {
            path: path.to_owned(),
            source,
        },
        why => Error::Unfit {
            path: path.to_owned(),
            why,
        },
    })?;
    let key = String::from_utf8(text).ok();
    key.and_then(|text| KeyPair::from_pem(&text).ok())
        .ok_or_else(|| Error::Pem {
            path: path.to_owned(),
            what: "is not the key of the own CA: delete it and ca.pem to get a new CA",
        })
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Browsers refuse certificates that are valid for longer than 398 days.
const LEAF_LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);
const CA_LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
