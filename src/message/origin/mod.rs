//! [`Origin`]: scheme, host and port of a server; and, in a file of their own, [`HostRules`]: which hosts are allowed.
//!
//! An origin is parsed, never pieced together: no user information, path, query or fragment fits in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderValue;
use http::uri::{Authority, Scheme as UriScheme};

mod rules;

pub use self::rules::{Allowed, HostRule, HostRules};

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The scheme's name as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454). The host is lower case, without a trailing dot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
    authority: Authority,
}

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Neither `http://` nor `https://`.
    #[error("must start with https:// or http://")]
    Scheme,
    /// User information before the host.
    #[error("must not contain a user name or password")]
    UserInfo,
    /// Something after the host and port.
    #[error("must be scheme, host and port only, without a path or query")]
    Path,
    /// No host, or one that cannot be a host.
    #[error("has no valid host")]
    Host,
    /// A port that is not a number from 1 to 65535.
    #[error("has no valid port")]
    Port,
}

impl Origin {
    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as a TLS server name: an IPv6 address without its brackets.
    pub fn server_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, given or implied by the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as they stand in a `Host` header: without the port that the scheme implies.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// [`Origin::authority`] as a header value.
    pub fn host_value(&self) -> HeaderValue {
        // An authority is visible ASCII, so this cannot fail.
        HeaderValue::from_str(self.authority.as_str()).unwrap_or(HeaderValue::from_static(""))
    }

    /// The scheme as a part for building a URI.
    pub fn uri_scheme(&self) -> UriScheme {
        match self.scheme {
            Scheme::Http => UriScheme::HTTP,
            Scheme::Https => UriScheme::HTTPS,
        }
    }

    /// The address, when the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.server_name().parse().ok()
    }

    /// Whether the host is a name or an address of this machine's own.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether two ports are one to callers, whoever ends TLS.
    pub(in crate::message) fn has_port_of(&self, other: &Self) -> bool {
        let is_default = |origin: &Self| origin.port == origin.scheme.default_port();
        self.port == other.port || is_default(self) && is_default(other)
    }

    /// Takes the origin off an absolute URL and gives the rest (`/path?query`), for links that are
    /// turned back to the proxy.
    pub fn split_url(url: &str) -> Option<(Self, &str)> {
        let after_scheme = url.find("://")? + 3;
        let rest = url.get(after_scheme..)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let origin = url.get(..after_scheme + end)?.parse().ok()?;
        Some((origin, rest.get(end..)?))
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = split_scheme(text).ok_or(OriginError::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(OriginError::Path);
        }
        if rest.contains('@') {
            return Err(OriginError::UserInfo);
        }
        let (host, port) = split_port(rest)?;
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
        if !is_host(&host) {
            return Err(OriginError::Host);
        }
        let port = port.unwrap_or(scheme.default_port());
        let authority = if port == scheme.default_port() {
            host.clone()
        } else {
            format!("{host}:{port}")
        };
        let authority = authority.parse().map_err(|_| OriginError::Host)?;
        Ok(Self {
            scheme,
            host,
            port,
            authority,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else {
        None
    }
}

/// Splits `host[:port]`; an IPv6 host keeps its brackets.
pub fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginError> {
    let end = match authority.starts_with('[') {
        // Behind the whole address.
        true => authority.rfind(']').ok_or(OriginError::Host)? + 1,
        false => {
            let colon = authority.bytes().position(|byte| byte == b':');
            colon.unwrap_or(authority.len())
        }
    };
    let (host, port) = authority.split_at_checked(end).ok_or(OriginError::Host)?;
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').ok_or(OriginError::Host)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OriginError::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(OriginError::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

/// Whether `host` (lower case) is a loopback address, `localhost` or a name under it (RFC 6761 section 6.3).
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let front = host.strip_suffix(".localhost");
    host == "localhost"
        || front.is_some_and(|front| !front.is_empty())
        || address
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether `host` (lower case) is a DNS name of plausible labels or an IP address.
pub fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    let last_is_number = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(label)
        // `127.1` and `0x7f.1` are addresses to some resolvers and names to others.
        && (!last_is_number || host.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests;
