//! Making a connection: names, happy eyeballs, the check of the address, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower::{Service, ServiceExt};

use super::Destination;
use super::failure::{Failure, Phase, chain};
use super::names::Names;
use crate::message::Origin;
use crate::message::origin::Scheme;
use crate::tls::{ClientConfig, NO_TLS, ServerName, is_no_tls};

/// A connected stream, plain or TLS.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Whether the other side chose HTTP/2 in the handshake.
pub(super) fn chose_http2(stream: &Stream) -> bool {
    match stream {
        Either::Left(_) => false,
        Either::Right(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
    }
}

/// Connects within the profile's time.
pub(super) async fn connect<B>(to: Destination<'_>, names: &Names) -> Result<Stream, Failure<B>> {
    let limit = to.profile.connect_timeout;
    match tokio::time::timeout(limit, connect_unbounded(to, names)).await {
        Ok(connected) => connected,
        Err(_) => Err(late()),
    }
}

pub(super) fn late<B>() -> Failure<B> {
    Failure::new(Phase::Connect, "no connection in time").timed_out()
}

async fn connect_unbounded<B>(to: Destination<'_>, names: &Names) -> Result<Stream, Failure<B>> {
    match to.origin.scheme() {
        Scheme::Http => Ok(Either::Left(tcp(to, names).await?)),
        Scheme::Https => {
            let trusted = match to.profile.http2 {
                true => to.profile.tls.get_http2().await,
                false => to.profile.tls.get().await,
            };
            let trusted = trusted.map_err(|error| Failure::new(Phase::Trust, error))?;
            Ok(Either::Right(
                tls(tcp(to, names).await?, to.origin, trusted).await?,
            ))
        }
    }
}

async fn tcp<B>(to: Destination<'_>, names: &Names) -> Result<TcpStream, Failure<B>> {
    if to.public_only && to.origin.ip().is_some_and(|ip| !is_public(ip)) {
        return Err(Failure::new(Phase::Address, NOT_PUBLIC));
    }
    let uri = http::Uri::builder()
        .scheme("http")
        .authority(format!("{}:{}", to.origin.host(), to.origin.port()))
        .path_and_query("/")
        .build()
        .map_err(|error| Failure::new(Phase::Connect, error))?;
    if let Some(proxy) = to.profile.proxy.as_deref()
        && proxy.takes(to.origin)
    {
        // The proxy may be anywhere, and it alone sees to which address the target's name leads.
        return proxy.connect(uri, connector(names, false)).await;
    }
    let connected = connector(names, to.public_only).oneshot(uri).await;
    let stream = connected.map_err(|error| {
        let text = chain(&error);
        let phase = if text.contains(NOT_PUBLIC) {
            Phase::Address
        } else {
            Phase::Connect
        };
        Failure::new(phase, text)
    })?;
    Ok(stream.into_inner())
}

pub(super) fn connector(names: &Names, public_only: bool) -> HttpConnector<Resolver> {
    let names = names.clone();
    let mut connector = HttpConnector::new_with_resolver(Resolver { names, public_only });
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector
}

async fn tls<B>(
    tcp: TcpStream,
    origin: &Origin,
    trusted: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, Failure<B>> {
    let name = ServerName::try_from(origin.server_name().to_owned())
        .map_err(|error| Failure::new(Phase::Tls, error))?;
    TlsConnector::from(trusted)
        .connect(name, tcp)
        .await
        .map_err(|error| match is_no_tls(&error) {
            true => Failure::new(Phase::Tls, NO_TLS),
            false => Failure::new(Phase::Tls, chain(&error)),
        })
}

/// Leaves out addresses that are not allowed; what it gives is what is connected to.
#[derive(Clone)]
pub(super) struct Resolver {
    names: Names,
    public_only: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { names, public_only } = self.clone();
        Box::pin(async move {
            let addrs = names.find(name.as_str()).await?.into_iter();
            let (allowed, refused): (Vec<_>, Vec<_>) =
                addrs.partition(|addr| !public_only || is_public(addr.ip()));
            if allowed.is_empty() && !refused.is_empty() {
                return Err(io::Error::other(NOT_PUBLIC));
            }
            Ok(allowed.into_iter())
        })
    }
}

/// Whether `ip` is an address of the public internet: not private, loopback, link-local, shared, documentation,
/// benchmarking, multicast or unspecified (IANA special-purpose registries, RFC 6890).
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            // Only global unicast 2000::/3; within it no Teredo, documentation or 6to4 detours.
            (a & 0xe000) == 0x2000 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x2002
        }
    }
}

const NOT_PUBLIC: &str = "the name resolves to an address that is not public";
const KEEPALIVE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let rows = [
            ("8.8.8.8", true),
            ("101.53.164.1", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("172.16.3.4", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2600:1f18::1", true),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
            ("64:ff9b::a00:1", false),
        ];
        for (ip, expected) in rows {
            assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[tokio::test]
    async fn what_a_name_leads_to_is_looked_at_for_each_connection() {
        let rows: [(&[&str], Result<&[&str], &str>); 4] = [
            (&["8.8.8.8", "10.0.0.1"], Ok(&["8.8.8.8"])),
            (&["10.0.0.1", "::1"], Err(NOT_PUBLIC)),
            (&[], Ok(&[])),
            (&["8.8.4.4"], Ok(&["8.8.4.4"])),
        ];
        let next = AtomicUsize::new(0);
        let names = Names::new(move |_| {
            let (found, _) = rows[next.fetch_add(1, Ordering::SeqCst)];
            let addr = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 0);
            Ok(found.iter().map(addr).collect())
        });
        let mut resolver = Resolver {
            names,
            public_only: true,
        };
        for (_, expected) in rows {
            let found = resolver.call("api.example".parse().unwrap()).await;
            let found = found.map(|addrs| addrs.map(|addr| addr.ip().to_string()).collect());
            let expected = expected.map(|ips| ips.iter().map(|ip| (*ip).to_owned()).collect());
            let found: Result<Vec<String>, String> = found.map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
    }
}
