//! Certificates made for a test, callers over TLS, and TLS in front of a scripted server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::caller::{Caller, PATIENCE};

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!(
            "upauth-e2e-{}",
            upauth::secret::hex(&upauth::secret::random::<8>())
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What a log says once it has so many lines, or for all time: a proxy that has ended may leave them to a slow disk.
    pub async fn logged(&self, name: &str, lines: usize) -> String {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.0.join(name)).unwrap();
            if text.lines().count() >= lines || began.elapsed() > PATIENCE {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An authority of the test's own.
pub struct Ca {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Certificate and key for `name`, as PEM.
    pub fn issue(&self, name: &str) -> (String, String) {
        self.issue_for(&[name])
    }

    fn issue_for(&self, names: &[&str]) -> (String, String) {
        self.issue_until(4096, names)
    }

    /// The same, good until this year begins.
    fn issue_until(&self, year: i32, names: &[&str]) -> (String, String) {
        let names = names.iter().map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Certificate and key of a caller with this common name, if any, for `names`.
    pub fn issue_caller(&self, common: Option<&str>, names: &[&str]) -> (String, String) {
        let names = names.iter().map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A TLS listener with a certificate for `name`; the bytes within go to `to`. Ends with the test's runtime.
    pub async fn front(&self, name: &str, to: SocketAddr) -> SocketAddr {
        self.front_for(&[name], to).await
    }

    /// The same for several names.
    pub async fn front_for(&self, names: &[&str], to: SocketAddr) -> SocketAddr {
        lead(self.acceptor(names, &[]), to).await
    }

    /// The same with a certificate that was good until a while ago.
    pub async fn expired_front(&self, name: &str, to: SocketAddr) -> SocketAddr {
        lead(accepts(self.issue_until(2020, &[name]), &[]), to).await
    }

    /// A TLS listener that answers one request with these bytes and hangs up, with TLS's own good-bye or without.
    pub async fn once(&self, name: &str, answer: &'static str, good_bye: bool) -> SocketAddr {
        let acceptor = self.acceptor(&[name], &[]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::task::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut caller = Caller::over(acceptor.accept(stream).await.unwrap());
            caller.request_head().await.unwrap();
            caller.write(answer).await;
            caller.stream.flush().await.unwrap();
            if good_bye {
                caller.stream.shutdown().await.unwrap();
            }
        });
        addr
    }

    /// Who takes TLS connections for these names, and speaks these protocols.
    pub fn acceptor(&self, names: &[&str], alpn: &[&str]) -> TlsAcceptor {
        accepts(self.issue_for(names), alpn)
    }
}

/// Takes TLS connections; the bytes within go to `to`.
async fn lead(acceptor: TlsAcceptor, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::task::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::task::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inside = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    addr
}

/// Who takes TLS connections with this certificate and key, and speaks these protocols.
fn accepts((certificate, key): (String, String), alpn: &[&str]) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols(alpn);
    TlsAcceptor::from(Arc::new(config))
}

/// Connects over TLS to `name` at `addr`, trusting `ca` alone. `Err`: what the handshake said.
pub async fn connect(
    addr: SocketAddr,
    name: &str,
    ca: &str,
    alpn: &[&str],
) -> Result<TlsStream<TcpStream>, String> {
    connect_as(None, addr, name, ca, alpn).await
}

/// The same as the owner of this certificate and key.
pub async fn connect_as(
    caller: Option<&(String, String)>,
    addr: SocketAddr,
    name: &str,
    ca: &str,
    alpn: &[&str],
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match caller {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = protocols(alpn);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, TcpStream::connect(addr).await.unwrap())
        .await
        .map_err(|error| error.to_string())
}

fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
