//! `[server]`: where callers connect, and the limits that keep them from hurting anybody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::message::Origin;

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where callers connect. Default `localhost:7717`.
    pub listen: Vec<Listen>,
    /// The upstream that answers at `/` when there are several.
    pub default: Option<String>,
    /// What callers call this proxy, when it is not the scheme and Host of the request.
    pub public_url: Option<Origin>,
    /// Own CA, later the store. `None`: none was given and no home directory is known.
    pub state: Option<PathBuf>,
    /// Data workers. Default: as many as cores, at most 4.
    pub workers: usize,
    /// TLS of `listen`. Default off.
    pub tls: ListenTls,
    /// How long after SIGTERM new connections are still accepted. Default 0.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that. Default 25 s.
    pub drain_timeout: Duration,
    /// `[server.limits]`.
    pub limits: Limits,
}

/// One entry of `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The host as written (`localhost`, `127.0.0.1`, `0.0.0.0`, `[::]`, a name).
    pub host: String,
    /// The addresses to bind, all on one port. `localhost` is both loopback families; the second is
    /// left out where the machine does not have it. Port 0 takes a free one, the same for all.
    pub addrs: Vec<SocketAddr>,
}

/// `tls` of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListenTls {
    /// Plain text.
    #[default]
    Off,
    /// A certificate by the proxy's own CA, which is kept in the state directory.
    Auto,
    /// The operator's certificate chain and key, both PEM.
    Files {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

/// `[server.limits]`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request head. Default 64 KiB.
    pub header_bytes: usize,
    /// Most header fields. Default 100.
    pub header_fields: usize,
    /// Time for the first byte, the TLS handshake, and the whole head. Default 10 s.
    pub header_timeout: Duration,
    /// How long an idle connection is kept. Default 75 s.
    pub idle_timeout: Duration,
    /// Most connections at once. Default 10 000.
    pub connections: usize,
    /// Most requests at once. Default 4096.
    pub requests_in_flight: usize,
    /// Bodies up to this size can be sent again. Default 64 KiB.
    pub replay_bytes: usize,
    /// All such buffers together. Default 256 MiB.
    pub buffer_bytes: usize,
}
