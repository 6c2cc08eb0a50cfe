//! Ports that nobody takes by chance between the moment they are found and the one they are listened on.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where no system finds a port by itself, for a call or for port 0: Linux does from 32768, others from 49152 (RFC 6335, 6).
const FROM: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port that nobody has at any address, each time another one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // What runs beside this process, and is numbered next to it, begins elsewhere.
    let first = std::process::id().wrapping_mul(997);
    let taken = |addr: IpAddr, port| {
        let bound = TcpListener::bind((addr, port));
        bound.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    loop {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FROM + next % COUNT).unwrap();
        if !taken(Ipv4Addr::UNSPECIFIED.into(), port) && !taken(Ipv6Addr::UNSPECIFIED.into(), port)
        {
            return port;
        }
    }
}
