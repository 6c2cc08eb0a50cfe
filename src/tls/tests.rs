//! Handshakes in memory, and the words for wrong files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{
    ClientConfig, ListenTls, ServerConfig, ServerName, client, own_ca, server, why_refused,
};
use crate::secret::{hex, random};

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let name = format!("upauth-tls-{}", hex(&random::<8>()));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn auto(state: &Path, names: &[&str]) -> Arc<ServerConfig> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    server(&ListenTls::Auto, &names, Some(state))
        .unwrap()
        .unwrap()
}

/// Shakes hands in memory; gives the protocol agreed on.
fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: &str,
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name)?;
    let mut server = ServerConnection::new(server)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(client.alpn_protocol().map(<[u8]>::to_vec))
}

#[test]
fn a_client_that_trusts_the_own_ca_shakes_hands_by_name_and_by_address() {
    let state = Directory::new();
    let server = auto(&state.0, &["CRM.localhost", "10.1.2.3", "[fd00::1]"]);
    let client = client(&[own_ca(&state.0)]).unwrap();
    let names = [
        "localhost",
        "crm.localhost",
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "fd00::1",
    ];
    for name in names {
        let agreed = handshake(client.clone(), server.clone(), name);
        assert_eq!(agreed, Ok(None), "{name}");
    }
    assert!(handshake(client, server, "other.example").is_err());
}

#[test]
fn a_client_that_does_not_know_the_own_ca_refuses() {
    let state = Directory::new();
    let server = auto(&state.0, &[]);
    assert!(handshake(client(&[]).unwrap(), server, "localhost").is_err());
}

#[test]
fn http_2_is_preferred_where_both_know_it() {
    let state = Directory::new();
    let server = auto(&state.0, &[]);
    let mut client = ClientConfig::clone(&client(&[own_ca(&state.0)]).unwrap());
    client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let agreed = handshake(Arc::new(client), server, "localhost");
    assert_eq!(agreed, Ok(Some(b"h2".to_vec())));
}

#[test]
fn the_second_start_uses_the_ca_of_the_first() {
    let state = Directory::new();
    auto(&state.0, &[]);
    let trusting_the_first = client(&[own_ca(&state.0)]).unwrap();
    let before = fs::read(own_ca(&state.0)).unwrap();
    let server = auto(&state.0, &[]);
    assert_eq!(fs::read(own_ca(&state.0)).unwrap(), before);
    assert!(handshake(trusting_the_first, server, "localhost").is_ok());
}

#[test]
fn a_certificate_of_another_time_is_made_again_with_the_same_key() {
    let state = Directory::new();
    auto(&state.0, &[]);
    let trusting_the_first = client(&[own_ca(&state.0)]).unwrap();
    let key_path = state.0.join("ca.key");
    let key_before = fs::read_to_string(&key_path).unwrap();
    let key = rcgen::KeyPair::from_pem(&key_before).unwrap();
    // Made while the clock was wrong, or years ago; and one that ends before a certificate it is to vouch for.
    for (from, to) in [(1970, 1980), (2100, 2110), (2020, 2027)] {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let wrong = params.self_signed(&key).unwrap().pem();
        fs::write(own_ca(&state.0), &wrong).unwrap();
        let server = auto(&state.0, &[]);
        assert_ne!(
            fs::read_to_string(own_ca(&state.0)).unwrap(),
            wrong,
            "{from}"
        );
        assert!(handshake(trusting_the_first.clone(), server, "localhost").is_ok());
    }
    assert_eq!(fs::read_to_string(&key_path).unwrap(), key_before);
}

#[test]
fn a_lost_certificate_is_made_again_and_the_old_copy_still_verifies() {
    let state = Directory::new();
    auto(&state.0, &[]);
    let trusting_the_first = client(&[own_ca(&state.0)]).unwrap();
    fs::remove_file(own_ca(&state.0)).unwrap();
    let server = auto(&state.0, &[]);
    assert!(own_ca(&state.0).exists());
    assert!(handshake(trusting_the_first, server, "localhost").is_ok());
}

#[test]
fn processes_that_start_at_once_end_up_with_one_ca() {
    let state = Directory::new();
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| auto(&state.0, &[])))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    let client = client(&[own_ca(&state.0)]).unwrap();
    for server in servers {
        assert!(handshake(client.clone(), server, "localhost").is_ok());
    }
    let left: Vec<_> = fs::read_dir(&state.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_state() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let parent = Directory::new();
    let state = parent.0.join("made/here");
    auto(&state, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let key = state.join("ca.key");
    assert_eq!(mode(&key), 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = server(&ListenTls::Auto, &[], Some(&state)).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn without_a_system_store_mozillas_roots_stand_in() {
    let roots = super::bundled_roots(Vec::new()).unwrap();
    assert!(roots.len() > 50);
}

#[test]
fn plain_text_needs_nothing() {
    assert!(server(&ListenTls::Off, &[], None).unwrap().is_none());
}

#[test]
fn wrong_files_are_named_with_what_to_do() {
    let directory = Directory::new();
    auto(&directory.0, &[]);
    let (cert, key) = (own_ca(&directory.0), directory.0.join("ca.key"));
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let junk = directory.file("junk.pem", "hello");
    let cut = directory.file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA");
    let encrypted = directory.file("locked.key", &pem("ENCRYPTED PRIVATE KEY"));
    let other = Directory::new();
    auto(&other.0, &[]);
    let strange = other.0.join("ca.key");
    let missing = directory.0.join("missing.pem");
    let rows: [(&Path, &Path, &str); 7] = [
        (&missing, &key, "cannot read"),
        (&junk, &key, "junk.pem holds no certificate"),
        (&cut, &key, "cut.pem is broken PEM"),
        (&key, &key, "ca.key holds no certificate"),
        (&cert, &cert, "ca.pem holds no private key"),
        (
            &cert,
            &encrypted,
            "locked.key holds an encrypted key: decrypt it",
        ),
        (&cert, &strange, "ca.key is not the key of"),
    ];
    for (cert, key, words) in rows {
        let files = ListenTls::Files {
            cert: cert.to_owned(),
            key: key.to_owned(),
            client_ca: None,
        };
        let error = server(&files, &[], None).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let with = |client_ca: Option<&Path>| ListenTls::Files {
        cert: cert.clone(),
        key: key.clone(),
        client_ca: client_ca.map(Path::to_owned),
    };
    assert!(server(&with(None), &[], None).unwrap().is_some());
    assert!(server(&with(Some(&cert)), &[], None).unwrap().is_some());
    for (ca, words) in [
        (&missing, "cannot read"),
        (&junk, "junk.pem holds no certificate"),
    ] {
        let error = server(&with(Some(ca)), &[], None).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// Shows whatever certificate it has.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_caller_who_is_turned_away_is_told_by_what_is_wrong_with_its_certificate() {
    let directory = Directory::new();
    let own = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let made = made.self_signed(&own).unwrap();
    let cert = directory.file("cert.pem", &made.pem());
    let files = ListenTls::Files {
        cert: cert.clone(),
        key: directory.file("key.pem", &own.serialize_pem()),
        client_ca: Some(cert.clone()),
    };
    let server = server(&files, &[], None).unwrap().unwrap();
    let key = include_str!("../../tests/keys/rsa.pem");
    let key = || PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let rows = [
        (
            include_str!("../../tests/keys/cert-v1.pem"),
            "version 1 of X.509",
        ),
        (
            include_str!("../../tests/keys/cert.pem"),
            "is an authority's",
        ),
    ];
    for (shown, words) in rows {
        let shown = CertificateDer::from_pem_slice(shown.as_bytes()).unwrap();
        let signs = super::provider().key_provider.load_private_key(key());
        let shows = Shows(Arc::new(CertifiedKey::new(vec![shown], signs.unwrap())));
        let mut client = ClientConfig::clone(&client(std::slice::from_ref(&cert)).unwrap());
        client.client_auth_cert_resolver = Arc::new(shows);
        let error = handshake(Arc::new(client), server.clone(), "localhost").unwrap_err();
        let why = why_refused(&std::io::Error::other(error)).unwrap();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn a_wrong_authority_name_or_state_is_named() {
    let directory = Directory::new();
    let junk = directory.file("junk.pem", "hello");
    let error = client(&[junk]).unwrap_err().to_string();
    assert!(error.contains("junk.pem holds no certificate"), "{error}");
    let error = server(&ListenTls::Auto, &[], None).unwrap_err().to_string();
    assert!(error.contains("set [server] state"), "{error}");
    let name = "z\u{fc}rich.example".to_owned();
    let error = server(&ListenTls::Auto, &[name], Some(&directory.0));
    assert!(error.unwrap_err().to_string().contains("z\u{fc}rich"));
    let file = directory.file("file", "");
    let error = server(&ListenTls::Auto, &[], Some(&file.join("state")));
    assert!(error.unwrap_err().to_string().contains("cannot write"));
}
