//! [`Listen`]: the address of a listener, and what may not be said about several of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::de::DeValue;

use super::reading::{Door, ForWhom, Reading};
use super::section::Section;
use super::server::{Address, Listen, ListenTls};
use super::{Access, Config};
use crate::code;

/// Why a text is not the address of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// No port, or one that is not a number up to 65535.
    #[error("has no port, or one that is not a number from 0 to 65535")]
    Port,
    /// Neither an IP address nor `localhost`.
    #[error("does not begin with an IP address or localhost")]
    Host,
    /// A unix socket without a path, or with one that is too long for the system.
    #[error("is not the path of a unix socket, which has 1 to 100 bytes")]
    Unix,
    /// Others could reach it, and nothing says that they may.
    #[error("can be reached by others; [access] keys lets in who has one, open = true everybody")]
    NotLoopback,
    /// Another listener has it.
    #[error("is also the address of another listener")]
    Taken,
}

impl Listen {
    /// Whether only this machine can connect.
    pub fn is_loopback(&self) -> bool {
        self.addrs.iter().all(|addr| match addr {
            Address::Tcp(addr) => addr.ip().to_canonical().is_loopback(),
            Address::Unix(_) => true,
        })
    }

    /// The first address of the network.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.addrs.iter().find_map(Address::tcp)
    }

    /// The path, if it is a unix socket.
    pub fn unix(&self) -> Option<&Path> {
        self.addrs.iter().find_map(|addr| match addr {
            Address::Tcp(_) => None,
            Address::Unix(path) => Some(path.as_path()),
        })
    }

    /// The same with the path of a unix socket as `place` has it.
    fn at(mut self, place: impl Fn(&Path) -> PathBuf) -> Result<Self, ListenError> {
        for addr in &mut self.addrs {
            if let Address::Unix(path) = addr {
                *path = place(path);
                if path.as_os_str().len() > LONGEST_PATH {
                    return Err(ListenError::Unix);
                }
            }
        }
        Ok(self)
    }

    fn clashes(&self, other: &Self) -> bool {
        let same = |a: &Address, b: &Address| !a.is_free_port() && (a.covers(b) || b.covers(a));
        self.addrs
            .iter()
            .any(|a| other.addrs.iter().any(|b| same(a, b)))
    }
}

impl Address {
    /// The address, if it is one of the network.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }

    /// Whether who calls `other` is heard here: it is the same, or one of all the addresses that this is.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(all), Self::Tcp(one)) => {
                let every = all.ip().is_unspecified() && all.is_ipv4() == one.is_ipv4();
                all.port() == one.port() && (every || all.ip() == one.ip())
            }
            (all, one) => all == one,
        }
    }

    /// Whether it takes whatever port is free.
    pub fn is_free_port(&self) -> bool {
        self.tcp().is_some_and(|addr| addr.port() == 0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(ListenError::Unix);
            }
            return Ok(Self {
                host: String::new(),
                addrs: vec![Address::Unix(path.into())],
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or(ListenError::Port)?;
        if host.is_empty() || (host.contains(':') && !host.ends_with(']')) {
            return Err(ListenError::Host);
        }
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ListenError::Port);
        }
        let port = port.parse().map_err(|_| ListenError::Port)?;
        let host = host.to_ascii_lowercase();
        let ips: Vec<IpAddr> = match host.as_str() {
            "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            host => {
                let v6 = host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'));
                let ip = match v6 {
                    Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::from),
                    None => host.parse::<Ipv4Addr>().map(IpAddr::from),
                };
                vec![ip.map_err(|_| ListenError::Host)?]
            }
        };
        let addrs = ips
            .into_iter()
            .map(|ip| Address::Tcp(SocketAddr::new(ip, port)))
            .collect();
        Ok(Self { host, addrs })
    }
}

impl Config {
    /// Listens on `text` instead of `[server] listen`, for `--listen`; the rules for listeners hold for it too.
    pub fn listen_on(&mut self, text: &str) -> Result<(), ListenError> {
        let listen: Listen = text.parse()?;
        let guarded = self.access.serves_strangers() || self.server.tls.asks_for_certificates();
        if !listen.is_loopback() && !guarded {
            return Err(ListenError::NotLoopback);
        }
        let admin = [&self.admin.listen, &self.admin.health_listen];
        let upstreams = self.upstreams.iter().flat_map(|upstream| &upstream.listen);
        let routes = self.routes.iter().flat_map(|route| &route.listen);
        let mut others = upstreams.chain(routes).chain(admin.into_iter().flatten());
        if others.any(|other| other.clashes(&listen)) {
            return Err(ListenError::Taken);
        }
        self.server.listen = vec![listen];
        Ok(())
    }
}

impl Section<'_> {
    /// `listen` and the like: an address, or a list of them. `None` if the key is absent.
    pub(super) fn listen(
        &mut self,
        key: &'static str,
        for_whom: ForWhom,
        reading: &mut Reading<'_>,
    ) -> Option<Vec<Listen>> {
        let item = self.take(key, reading)?;
        if let DeValue::Integer(_) = item.value {
            let help = format!("write the address, too: {key} = \"localhost:7717\"");
            item.wrong_type("ADDRESS:PORT in quotation marks", &help, reading);
            return None;
        }
        let texts = item.text_or_texts(reading)?;
        let mut listens = Vec::new();
        for text in texts {
            let read = text.text.parse::<Listen>();
            // A path is relative to the file that writes it.
            let place = |path: &Path| reading.path(text.span.start, &path.display().to_string());
            match read.and_then(|listen| listen.at(place)) {
                Ok(listen) => {
                    note(&listen, text.span, for_whom, reading);
                    listens.push(listen);
                }
                Err(why) => {
                    let message = format!("{} {why}", text.quoted());
                    let help = match text.text.starts_with(['/', '.']) && !text.hidden {
                        true => format!("for a unix socket: \"unix:{}\"", text.text),
                        false => FORMS.to_owned(),
                    };
                    reading
                        .problem(&code::BAD_LISTEN, text.span, message)
                        .help(help);
                }
            }
        }
        Some(listens)
    }
}

/// Notes a listener, so that all can be looked at together.
pub(super) fn note(
    listen: &Listen,
    span: Range<usize>,
    for_whom: ForWhom,
    reading: &mut Reading<'_>,
) {
    let listen = listen.clone();
    reading.doors.push(Door {
        listen,
        span,
        for_whom,
    });
}

/// What is said of the listeners that were noted from `from` on: they have this TLS.
pub(super) fn behind(tls: &ListenTls, from: usize, reading: &mut Reading<'_>) {
    if tls.asks_for_certificates() {
        for door in reading.doors.iter_mut().skip(from) {
            door.for_whom = ForWhom::Certified;
        }
    }
}

/// What must hold for all listeners: strangers only by an explicit word, where operators are never, and an address for each.
pub(super) fn check(access: &Access, reading: &mut Reading<'_>) {
    let mut doors = std::mem::take(&mut reading.doors);
    nobody_listens(&doors, reading);
    // Defaults have no place in the file; they come first, so that the one that was written is the problem.
    doors.sort_by_key(|door| door.span.start);
    for (at, door) in doors.iter().enumerate() {
        let (may, message, help) = match door.for_whom {
            ForWhom::Callers => (access.serves_strangers(), ACT, CALLERS),
            ForWhom::Certified | ForWhom::Anybody => (true, "", ""),
            ForWhom::Operators => (false, CHANGE, OPERATORS),
        };
        if !may && !door.listen.is_loopback() {
            reading
                .problem(&code::NOT_LOOPBACK, door.span.clone(), message)
                .label("not a loopback address")
                .help(help);
        }
        if doors
            .iter()
            .take(at)
            .any(|other| other.listen.clashes(&door.listen))
        {
            reading
                .problem(
                    &code::SAME_ADDRESS,
                    door.span.clone(),
                    "another listener has this address already",
                )
                .help("give each listener an address of its own");
        }
    }
    reading.doors = doors;
}

/// What is wrong if callers can connect nowhere. A listener that could not be read was meant to be there.
fn nobody_listens(doors: &[Door], reading: &mut Reading<'_>) {
    let Some(place) = reading.switched_off.take() else {
        return;
    };
    let for_callers = |door: &Door| matches!(door.for_whom, ForWhom::Callers | ForWhom::Certified);
    let mut problems = reading.problems.iter();
    if doors.iter().any(for_callers) || problems.any(|each| each.code() == &code::BAD_LISTEN) {
        return;
    }
    reading
        .problem(&code::NO_LISTENER, place, "nothing listens for callers")
        .label("this switches off the listener of all upstreams")
        .help("remove it, which is listen = \"localhost:7717\", or give an upstream or a route a `listen` of its own");
}

const FORMS: &str = "write ADDRESS:PORT with an IP address or localhost, or unix:PATH: \"localhost:7717\", \"0.0.0.0:7717\", \"[::1]:7717\", \"unix:/run/upauth.sock\"";
const CALLERS: &str = "listen on localhost, or ask callers for [access] keys (`upauth key NAME` makes one) or for certificates (tls with client_ca), or say [access] open = true if something else keeps strangers away";
const OPERATORS: &str = "no key opens the admin listener, nor does [access] open: let it listen on localhost or \"unix:PATH\"; probes and metrics from elsewhere: [admin] health_listen";
const ACT: &str = "others can reach this listener and would act with the upstream's credential";
const CHANGE: &str = "others can reach this listener and could have it log in anew or reload";

/// What every system takes.
const LONGEST_PATH: usize = 100;
