//! Making a connection: names, happy eyeballs, the check of the address, TLS.

use std::io;
use std::net::SocketAddr;
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
use super::address::is_public;
use super::failure::{Failure, Phase, chain};
use super::names::Names;
use crate::message::Origin;
use crate::message::origin::Scheme;
use crate::tls::{ClientConfig, NO_PROTOCOL, NO_TLS, ServerName, is_no_protocol, is_no_tls};

/// A connected stream, plain or TLS.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// What the other side is offered to speak (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Nothing in particular, which is HTTP/1.1.
    Nothing,
    /// HTTP/2, then HTTP/1.1.
    Http2,
    /// HTTP/1.1 alone.
    Http1,
}

/// What the other side chose of that, if it says so: `h2`, `http/1.1`.
pub(super) fn chosen(stream: &Stream) -> Option<&[u8]> {
    match stream {
        Either::Left(_) => None,
        Either::Right(tls) => tls.get_ref().1.alpn_protocol(),
    }
}

/// Has little wait unsent in the socket: whatever is written next stands behind it, of which other requests know nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn keep_unsent_short(stream: &Stream) {
    let tcp = match stream {
        Either::Left(tcp) => tcp,
        Either::Right(tls) => tls.get_ref().0,
    };
    // Without it all goes on, later.
    let _ = socket2::SockRef::from(tcp).set_tcp_notsent_lowat(MOST_UNSENT);
}

/// There is no way to say so here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn keep_unsent_short(_: &Stream) {}

/// Connects within the profile's time.
pub(super) async fn connect<B>(
    to: Destination<'_>,
    names: &Names,
    offer: Offer,
) -> Result<Stream, Failure<B>> {
    let limit = to.profile.connect_timeout;
    match tokio::time::timeout(limit, connect_unbounded(to, names, offer)).await {
        Ok(connected) => connected,
        Err(_) => Err(late()),
    }
}

pub(super) fn late<B>() -> Failure<B> {
    Failure::new(Phase::Connect, "no connection in time").timed_out()
}

async fn connect_unbounded<B>(
    to: Destination<'_>,
    names: &Names,
    offer: Offer,
) -> Result<Stream, Failure<B>> {
    match to.origin.scheme() {
        Scheme::Http => Ok(Either::Left(tcp(to, names).await?)),
        Scheme::Https => {
            let trusted = match offer {
                Offer::Nothing => to.profile.tls.get().await,
                Offer::Http2 => to.profile.tls.get_http2().await,
                Offer::Http1 => to.profile.tls.get_http1().await,
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
        let connector = connector(names, false, to.profile.connect_timeout);
        return proxy.connect(uri, connector).await;
    }
    let connector = connector(names, to.public_only, to.profile.connect_timeout);
    let connected = connector.oneshot(uri).await;
    let stream = connected.map_err(|error| {
        let text = chain(&error);
        let phase = if text.contains(NOT_PUBLIC) {
            Phase::Address
        } else {
            Phase::Connect
        };
        Failure {
            timeout: is_late(&error),
            ..Failure::new(phase, text)
        }
    })?;
    Ok(stream.into_inner())
}

/// Whether it took too long to connect.
pub(super) fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    kinds.any(|kind| kind == io::ErrorKind::TimedOut)
}

/// Connects to a name's addresses in turn, IPv4 beside IPv6, each with its part of `limit`: one that does not answer leaves
/// time for the next.
pub(super) fn connector(
    names: &Names,
    public_only: bool,
    limit: Duration,
) -> HttpConnector<Resolver> {
    let names = names.clone();
    let mut connector = HttpConnector::new_with_resolver(Resolver { names, public_only });
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_connect_timeout(Some(limit));
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
        .map_err(|error| {
            if is_no_tls(&error) {
                Failure::new(Phase::Tls, NO_TLS)
            } else if is_no_protocol(&error) {
                Failure::new(Phase::Tls, NO_PROTOCOL)
            } else {
                Failure::new(Phase::Tls, chain(&error))
            }
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
            let (mut allowed, refused): (Vec<_>, Vec<_>) =
                addrs.partition(|addr| !public_only || is_public(addr.ip()));
            if allowed.is_empty() && !refused.is_empty() {
                return Err(io::Error::other(NOT_PUBLIC));
            }
            let (mut v4, mut v6) = (0, 0);
            allowed.retain(|addr| {
                let count = if addr.is_ipv4() { &mut v4 } else { &mut v6 };
                *count += 1;
                *count <= MOST_TRIED
            });
            Ok(allowed.into_iter())
        })
    }
}

const NOT_PUBLIC: &str = "the name resolves to an address that is not public";
/// Enough for a fast way, and less than what a body has waiting here.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST_UNSENT: u32 = 128 * 1024;
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Addresses of either family that are tried: the more, the less time each has to answer from afar.
const MOST_TRIED: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_a_name_leads_to_is_looked_at_for_each_connection() {
        let rows = [
            ("8.8.8.8 10.0.0.1", Ok("8.8.8.8")),
            ("10.0.0.1 ::1", Err(NOT_PUBLIC)),
            ("", Ok("")),
            ("8.8.4.4", Ok("8.8.4.4")),
            (
                "8.8.8.1 2600::1 8.8.8.2 10.0.0.1 8.8.8.3 8.8.8.4 8.8.8.5",
                Ok("8.8.8.1 2600::1 8.8.8.2 8.8.8.3 8.8.8.4"),
            ),
        ];
        let next = AtomicUsize::new(0);
        let names = Names::new(move |_| {
            let (found, _) = rows[next.fetch_add(1, Ordering::SeqCst)];
            let ips = found.split_whitespace().map(|ip| ip.parse().unwrap());
            Ok(ips.map(|ip| SocketAddr::new(ip, 0)).collect())
        });
        let mut resolver = Resolver {
            names,
            public_only: true,
        };
        for (_, expected) in rows {
            let found = resolver.call("api.example".parse().unwrap()).await;
            let found = found.map(|addrs| {
                let ips: Vec<_> = addrs.map(|addr| addr.ip().to_string()).collect();
                ips.join(" ")
            });
            let found = found.map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(|text| &**text), expected);
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod silent {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::config;
    use crate::egress::{Profile, Proxy};
    use crate::telemetry::Metrics;
    use crate::tls::Trust;

    /// Somewhere else on the port of an address that does not answer: there is no room in its queue.
    async fn beside_a_dead_address() -> (TcpListener, Vec<TcpStream>, TcpListener) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let dead = socket.listen(0).unwrap();
        let addr = dead.local_addr().unwrap();
        let enter = || tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(addr));
        let mut queue = Vec::new();
        while let Ok(entered) = enter().await {
            queue.push(entered.unwrap());
        }
        let alive = TcpListener::bind(("127.0.0.2", addr.port())).await;
        (dead, queue, alive.unwrap())
    }

    /// A proxy that connects nobody.
    async fn serve(listener: &TcpListener) {
        let mut callers = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            callers.push(stream);
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let (_dead, _queue, alive) = beside_a_dead_address().await;
        let port = alive.local_addr().unwrap().port();
        let names = |ips: &'static [&str]| {
            Names::new(move |_| {
                let addrs = ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
                Ok(addrs.collect())
            })
        };
        let proxy = Proxy::of(&config::Proxy {
            url: format!("http://proxy.example:{port}").parse().unwrap(),
            user: None,
            except: String::new(),
        });
        let (proxy, metrics) = (proxy.map(Arc::new), Metrics::new());
        let dead_first: &[&str] = &["127.0.0.1", "127.0.0.2"];
        for (proxied, ips, limit, expected) in [
            (false, dead_first, 4, Ok(())),
            (true, dead_first, 4, Ok(())),
            (false, &["127.0.0.1", "127.0.0.1"], 1, Err(true)),
            (true, &["127.0.0.1", "127.0.0.1"], 1, Err(true)),
        ] {
            let profile = Profile {
                id: 0,
                tls: Trust::new(&[]),
                proxy: proxy.clone().filter(|_| proxied),
                connect_timeout: Duration::from_secs(limit),
                connections: 1,
                http2: false,
                metrics: metrics.upstream("api"),
            };
            let to = Destination {
                profile: &profile,
                origin: &format!("https://api.example:{port}").parse().unwrap(),
                public_only: false,
                fresh: false,
            };
            let names = names(ips);
            let connected = tcp::<()>(to, &names);
            let connected = tokio::time::timeout(Duration::from_secs(30), async {
                tokio::select! {
                    connected = connected => connected,
                    () = serve(&alive) => unreachable!("it serves for ever"),
                }
            });
            let connected = connected.await.expect("the second was never tried");
            let connected = connected.map(drop).map_err(|failure| failure.timeout);
            assert_eq!(connected, expected, "{ips:?} through a proxy: {proxied}");
        }
    }
}
