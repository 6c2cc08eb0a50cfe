//! What to call a listener: an address that is its own in full, so that a caller's key goes to nobody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::server::{Address, Listen};

/// Host and port by which this machine reaches the first of `listens` that is one of the network, where these are `bound`,
/// in the same order.
///
/// `localhost` is `::1` as well as `127.0.0.1`, and to most programs first. Where only one of them is bound, anybody on the
/// machine may listen on the other and be sent what was meant for here.
pub(super) fn authority(listens: &[Listen], bound: &[SocketAddr]) -> Option<String> {
    let listen = listens.iter().find(|listen| listen.tcp().is_some())?;
    let addr = bound.first()?;
    let port = addr.port();
    let both = bound.iter().any(|other| {
        other.port() == port && other.is_ipv4() != addr.is_ipv4() && is_localhost(other.ip())
    });
    // Who wrote `localhost` has both, but on a machine that does not have one of them, where it is nobody's.
    if listen.host == LOCALHOST || (both && is_localhost(addr.ip())) {
        return Some(format!("{LOCALHOST}:{port}"));
    }
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, port).to_string())
}

/// The same of a configuration that nobody may serve yet. `None`: it has a port that is chosen at the start, or is a file.
pub(super) fn written(listens: &[Listen]) -> Option<String> {
    let addrs = listens.iter().flat_map(|listen| &listen.addrs);
    let addrs: Vec<_> = addrs.filter_map(Address::tcp).collect();
    let is_known = addrs.first().is_some_and(|addr| addr.port() != 0);
    authority(listens, &addrs).filter(|_| is_known)
}

/// Whether programs resolve `host` as they do `localhost` (RFC 6761, section 6.3).
pub(super) fn is_like_localhost(host: &str) -> bool {
    host.ends_with(".localhost")
}

/// Whether `authority` is `localhost`, whose names below it lead to the same listener.
pub(super) fn is_by_name(authority: &str) -> bool {
    authority.split(':').next() == Some(LOCALHOST)
}

/// Whether who calls `localhost` may be heard there.
fn is_localhost(ip: IpAddr) -> bool {
    ip.is_unspecified() || [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].contains(&ip)
}

const LOCALHOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_called_by_an_address_that_nobody_else_can_listen_on() {
        let rows: &[(&[&str], &str)] = &[
            (&["localhost:7717"], "localhost:7717"),
            (&["127.0.0.1:7717"], "127.0.0.1:7717"),
            (&["[::1]:7717"], "[::1]:7717"),
            (&["0.0.0.0:7717"], "127.0.0.1:7717"),
            (&["[::]:7717"], "[::1]:7717"),
            (&["127.0.0.2:7717"], "127.0.0.2:7717"),
            (&["192.0.2.1:7717"], "192.0.2.1:7717"),
            (&["[2001:db8::1]:7717"], "[2001:db8::1]:7717"),
            (&["0.0.0.0:7717", "[::]:7717"], "localhost:7717"),
            (&["[::]:7717", "127.0.0.1:7717"], "localhost:7717"),
            (&["127.0.0.1:7717", "[::1]:7717"], "localhost:7717"),
            (&["127.0.0.1:7717", "[::1]:7718"], "127.0.0.1:7717"),
            (&["127.0.0.1:7717", "localhost:7718"], "127.0.0.1:7717"),
            (&["127.0.0.2:7717", "[::1]:7717"], "127.0.0.2:7717"),
            (&["192.0.2.1:7717", "[::]:7717"], "192.0.2.1:7717"),
            (&["unix:/s", "0.0.0.0:7717"], "127.0.0.1:7717"),
        ];
        for (texts, expected) in rows {
            let listens: Vec<Listen> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let called = written(&listens);
            assert_eq!(called.as_deref(), Some(*expected), "{texts:?}");
        }
        let chosen: Listen = "0.0.0.0:0".parse().unwrap();
        assert_eq!(written(&[chosen]), None);
    }

    #[test]
    fn where_the_machine_has_one_family_localhost_is_what_is_bound_of_it() {
        let localhost: Listen = "localhost:0".parse().unwrap();
        let bound = "127.0.0.1:7717".parse().unwrap();
        let called = authority(&[localhost], &[bound]);
        assert_eq!(called.as_deref(), Some("localhost:7717"));
    }
}
