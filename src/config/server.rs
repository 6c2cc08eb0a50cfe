//! `[server]`: where callers connect, and the limits that keep them from hurting anybody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::listen;
use super::origin;
use super::reading::{ForWhom, Pem, Reading};
use super::reference::is_reference;
use super::section::{Item, Leftover, Section};
use super::value::Zero;
use crate::code;
use crate::message::Origin;
use crate::message::origin::Scheme;

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where callers reach every upstream. Default `localhost:7717`; empty: only listeners of upstreams and routes.
    pub listen: Vec<Listen>,
    /// The upstream that answers at `/` when there are several.
    pub default: Option<String>,
    /// What callers call this proxy, when it is not the scheme and Host of the request.
    pub public_url: Option<Origin>,
    /// Own CA and store. `None`: none was given and no home directory is known.
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
    /// The host as written (`localhost`, `127.0.0.1`, `0.0.0.0`, `[::]`); empty for a unix socket.
    pub host: String,
    /// The addresses to bind, all on one port. `localhost` is both loopback families; the second is
    /// left out where the machine does not have it. Port 0 takes a free one, the same for all.
    pub addrs: Vec<Address>,
}

/// Where a listener is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of the network or of loopback.
    Tcp(SocketAddr),
    /// A unix socket: `unix:PATH`.
    Unix(PathBuf),
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
        /// The authorities that callers must have a certificate of, PEM; `None`: they need none.
        client_ca: Option<PathBuf>,
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

impl Server {
    /// Whether callers speak http without TLS, to this process and to what may be in front of it.
    pub(super) fn speaks_plain_http(&self) -> bool {
        let public = self.public_url.as_ref().map(Origin::scheme);
        matches!(self.tls, ListenTls::Off) && public != Some(Scheme::Https)
    }

    /// `[server]` but for `default`.
    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let from = reading.doors.len();
        let listen = listen_or_default(&mut table, reading);
        let tls = ListenTls::read(&mut table, reading);
        listen::behind(&tls, from, reading);
        let server = Self {
            listen,
            tls,
            default: None,
            public_url: origin::optional(&mut table, "public_url", reading),
            state: state(&mut table, reading),
            workers: workers(table.number("workers", 0, 0..=256, reading)),
            drain_delay: table.duration("drain_delay", Duration::ZERO, Zero::Allowed, reading),
            drain_timeout: table.duration("drain_timeout", DRAIN_TIMEOUT, Zero::Allowed, reading),
            limits: Limits::read(table.section("limits", reading), reading),
        };
        table.finish(Leftover::default(), reading);
        server
    }
}

impl ListenTls {
    /// How a URL of the listener begins.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Off => "http",
            Self::Auto | Self::Files { .. } => "https",
        }
    }

    /// Whether callers need a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        matches!(
            self,
            Self::Files {
                client_ca: Some(_),
                ..
            }
        )
    }

    /// `tls` of a section.
    pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Self {
        let tls = table.take("tls", reading);
        let tls = tls.and_then(|item| Self::of(item, reading));
        tls.unwrap_or_default()
    }

    fn of(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        const REMEDY: &str = "\"off\", \"auto\", or { cert = { file = \"PATH\" }, key = { file = \"PATH\" } }, perhaps with client_ca = { file = \"PATH\" }";
        match &item.value {
            value if matches!(value, DeValue::String(_)) || is_reference(value) => {
                let text = item.text(reading)?;
                match text.text.as_str() {
                    "" | "off" => Some(Self::Off),
                    "auto" => Some(Self::Auto),
                    _ => {
                        let message = format!("unknown tls {}", text.quoted());
                        reading
                            .problem(&code::BAD_VALUE, text.span, message)
                            .help(REMEDY);
                        None
                    }
                }
            }
            DeValue::Table(_) => {
                let mut files = item.into_section(reading)?;
                let span = files.span.clone();
                let mut file = |key, pem, reading: &mut Reading<'_>| {
                    let item = files.take(key, reading)?;
                    item.file(pem, reading)
                };
                let before = reading.problems.len();
                let cert = file("cert", Pem::Chain, reading);
                let key = file("key", Pem::Key, reading);
                let client_ca = file("client_ca", Pem::Authorities, reading);
                files.finish(Leftover::default(), reading);
                match (cert, key) {
                    // A wrong `client_ca` must not become none.
                    _ if reading.problems.len() > before => None,
                    (Some(cert), Some(key)) => Some(Self::Files {
                        cert,
                        key,
                        client_ca,
                    }),
                    _ => {
                        let message = "`tls` needs both `cert` and `key`";
                        reading
                            .problem(&code::MISSING_KEY, span, message)
                            .help(REMEDY);
                        None
                    }
                }
            }
            _ => {
                item.wrong_type("text or a table", REMEDY, reading);
                None
            }
        }
    }
}

impl Limits {
    fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let span = table.span.clone();
        let limits = Self {
            // The HTTP library cannot do with less than 8 KiB.
            header_bytes: table.number("header_bytes", 64 * KIB, 8 * KIB..=16 * MIB, reading),
            header_fields: table.number("header_fields", 100, 1..=10_000, reading),
            header_timeout: table.duration(
                "header_timeout",
                HEADER_TIMEOUT,
                Zero::Refused,
                reading,
            ),
            idle_timeout: table.duration("idle_timeout", IDLE_TIMEOUT, Zero::Refused, reading),
            connections: table.number("connections", 10_000, 1..=1_000_000, reading),
            requests_in_flight: table.number("requests_in_flight", 4096, 1..=1_000_000, reading),
            replay_bytes: table.number("replay_bytes", 64 * KIB, 0..=64 * MIB, reading),
            buffer_bytes: table.number("buffer_bytes", 256 * MIB, 0..=1024 * 1024 * MIB, reading),
        };
        table.finish(
            Leftover {
                later: &["soap_bytes"],
                ..Leftover::default()
            },
            reading,
        );
        if limits.buffer_bytes < limits.replay_bytes {
            reading
                .problem(
                    &code::BAD_NUMBER,
                    span,
                    "`buffer_bytes` is smaller than `replay_bytes`",
                )
                .help(
                    "buffer_bytes is for all buffers together: make it several times replay_bytes",
                );
        }
        limits
    }
}

fn listen_or_default(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<Listen> {
    let (given, place) = (table.has("listen"), table.span_of("listen"));
    let before = reading.problems.len();
    let listens = table.listen("listen", ForWhom::Callers, reading);
    if given {
        let listens = listens.unwrap_or_default();
        if listens.is_empty() && reading.problems.len() == before {
            reading.switched_off = Some(place);
        }
        return listens;
    }
    let default: Vec<Listen> = DEFAULT_LISTEN.parse().into_iter().collect();
    for each in &default {
        listen::note(each, 0..0, ForWhom::Callers, reading);
    }
    default
}

/// The default depends on the environment, as the XDG base directory specification and systemd have it.
fn state(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<PathBuf> {
    if let Some(text) = table.text("state", reading) {
        return Some(reading.path(text.span.start, &text.text));
    }
    let env = |name: &str| reading.env(name).filter(|value| !value.is_empty());
    // systemd separates several directories by colons.
    let systemd = env("STATE_DIRECTORY");
    let systemd = systemd.and_then(|paths| paths.split(':').next().map(PathBuf::from));
    let xdg = || {
        let base = PathBuf::from(env("XDG_STATE_HOME")?);
        base.is_absolute().then(|| base.join("upauth"))
    };
    let home = || Some(PathBuf::from(env("HOME")?).join(".local/state/upauth"));
    systemd.or_else(xdg).or_else(home)
}

fn workers(given: usize) -> usize {
    match given {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
        given => given,
    }
}

const DEFAULT_LISTEN: &str = "localhost:7717";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
