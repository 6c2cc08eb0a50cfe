//! Binding, and accepting: a taken port is an error, a full table of files is waited out.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::socket::{Acceptor, Socket, SocketFile, Stream, bind_unix};
use crate::config::server::{Address, Listen};

/// The sockets of one `listen` entry.
pub struct Bound {
    /// The addresses that are really bound, all with the same port; of a unix socket also its file.
    pub addrs: Vec<(Address, Option<SocketFile>)>,
    /// For each worker its own sockets, one per address.
    pub sockets: Vec<Vec<Socket>>,
}

/// What this process listens on already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ours<'a> {
    /// Stays as it is, and is not bound again.
    pub kept: &'a [Address],
    /// What the new listener comes beside, or in the place of. Where it has such a port it does not listen before
    /// [`Socket::listen`]: calls that the others get today would be its own from then on.
    pub others: &'a [Address],
}

/// Binds `listen` for `workers` workers, without what is kept of `ours`.
///
/// A plain bind comes first, so that a port somebody else listens on is an error; with `SO_REUSEPORT` alone both
/// programs would get a share of the connections. Port 0 takes a free port, the same for all addresses.
pub fn bind(listen: &Listen, workers: usize, ours: Ours<'_>) -> io::Result<Bound> {
    let mut bound = Bound {
        addrs: Vec::new(),
        sockets: (0..workers).map(|_| Vec::new()).collect(),
    };
    let (kept, missing): (Vec<&Address>, Vec<&Address>) = listen
        .addrs
        .iter()
        .partition(|addr| ours.kept.contains(addr));
    let mut port = None;
    for addr in missing {
        match addr {
            Address::Unix(path) => bound.unix(path, workers)?,
            Address::Tcp(addr) => {
                let addr = SocketAddr::new(addr.ip(), port.unwrap_or(addr.port()));
                // A port of our own is nobody else's, and would look taken: 0.0.0.0 where there was 127.0.0.1.
                let mut others = ours.others.iter().filter_map(Address::tcp);
                let known = others.any(|ours| ours.port() == addr.port());
                match bind_address(addr, workers, known) {
                    Ok((addr, sockets)) => {
                        port = Some(addr.port());
                        bound.add((Address::Tcp(addr), None), sockets);
                    }
                    // `localhost` is both families; a machine without IPv6 has the other one.
                    Err(error)
                        if absent_family(&error)
                            && !(bound.addrs.is_empty() && kept.is_empty()) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(bound)
}

impl Bound {
    fn add(&mut self, addr: (Address, Option<SocketFile>), sockets: Vec<Socket>) {
        self.addrs.push(addr);
        for (worker, socket) in self.sockets.iter_mut().zip(sockets) {
            worker.push(socket);
        }
    }

    /// All workers accept at one socket: a file has no more than one, and the kernel wakes whoever is free.
    fn unix(&mut self, path: &Path, workers: usize) -> io::Result<()> {
        let (socket, file) = bind_unix(path)?;
        let sockets = (0..workers).map(|_| socket.try_clone());
        let sockets = sockets.collect::<io::Result<_>>()?;
        self.add((Address::Unix(path.to_owned()), Some(file)), sockets);
        Ok(())
    }
}

fn bind_address(
    addr: SocketAddr,
    workers: usize,
    known: bool,
) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let addr = if known { addr } else { probe(addr)? };
    let sockets = (0..workers.max(1)).map(|_| bound(addr).map(Socket::Tcp));
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    if !known {
        sockets.iter().try_for_each(Socket::listen)?;
    }
    Ok((addr, sockets))
}

/// The address as a plain bind gets it: an error if it is taken.
fn probe(addr: SocketAddr) -> io::Result<SocketAddr> {
    let probe = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    probe.set_reuse_address(true)?;
    if addr.is_ipv6() {
        probe.set_only_v6(true)?;
    }
    probe.bind(&addr.into())?;
    let addr = probe.local_addr()?.as_socket();
    addr.ok_or_else(|| io::Error::other("not an IP socket"))
}

fn bound(addr: SocketAddr) -> io::Result<StdListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // For what is accepted there (`socket::of_tcp`).
    socket.set_tcp_nodelay(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

fn absent_family(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

/// Accepts until `closing`, and then until the queue is empty: a connection that the kernel has completed is not
/// lost.
pub(super) async fn accept(
    socket: Socket,
    closing: &CancellationToken,
    places: &Arc<Semaphore>,
    mut take: impl FnMut(Stream, Option<SocketAddr>, OwnedSemaphorePermit),
) {
    let listener = match Acceptor::new(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be used");
            return;
        }
    };
    let mut closing = std::pin::pin!(closing.cancelled());
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            // In this order: callers that come without end would keep a door open.
            biased;
            () = &mut closing => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                // After the accept: a place kept by a listener that nobody calls would be missing at the others.
                let permit = tokio::select! {
                    biased;
                    permit = places.clone().acquire_owned() => permit,
                    () = &mut closing => break,
                };
                let Ok(permit) = permit else { break };
                take(stream, peer, permit);
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                // Out of files or memory: connections that end will help, spinning will not.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
    match listener.into_socket() {
        Ok(socket) => drain_queue(&socket, places, take),
        Err(error) => tracing::warn!(%error, "callers who wait at a listener that closes are lost"),
    }
}

/// Asks the kernel itself: the runtime's listener says "nothing now" when a task has done much in one go.
///
/// What this cannot mend: a connection that the kernel completes between the last look and the end of the socket is
/// reset. No call does both at once, and a connection of a closing socket moves to the others of its address only where
/// the machine says so (`net.ipv4.tcp_migrate_req`). So no socket is closed whose address is listened on further, and
/// one that is closed has been without new callers for a while wherever `app` could arrange it. Lost, too, are those for
/// whom there is no place among all connections.
fn drain_queue(
    socket: &Socket,
    places: &Arc<Semaphore>,
    mut take: impl FnMut(Stream, Option<SocketAddr>, OwnedSemaphorePermit),
) {
    while let Ok(permit) = places.clone().try_acquire_owned() {
        match socket.accept_now() {
            Ok((stream, peer)) => take(stream, peer, permit),
            Err(error) if of_one_connection(&error) => {}
            Err(_) => break,
        }
    }
}

fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn listen(addrs: &[&str]) -> Listen {
        let addrs = addrs.iter().map(|addr| addr.parse().unwrap());
        Listen {
            host: "localhost".to_owned(),
            addrs: addrs.map(Address::Tcp).collect(),
        }
    }

    fn addrs(bound: &Bound) -> Vec<SocketAddr> {
        let addrs = bound.addrs.iter();
        addrs.filter_map(|(addr, _)| addr.tcp()).collect()
    }

    fn port(bound: &Bound) -> u16 {
        addrs(bound)[0].port()
    }

    #[test]
    fn port_0_is_one_free_port_for_all_workers_and_families() {
        let bound = bind(&listen(&["127.0.0.1:0", "[::1]:0"]), 3, Ours::default()).unwrap();
        assert_ne!(port(&bound), 0);
        assert!(addrs(&bound).iter().all(|addr| addr.port() == port(&bound)));
        assert_eq!(bound.sockets.len(), 3);
        let each = bound.sockets.iter();
        assert!(each.map(Vec::len).all(|count| count == bound.addrs.len()));
    }

    #[tokio::test]
    async fn what_is_written_to_a_caller_is_not_held_back_by_the_system() {
        let bound = bind(&listen(&["127.0.0.1:0"]), 1, Ours::default()).unwrap();
        let addr = addrs(&bound)[0];
        let socket = bound.sockets.into_iter().flatten().next().unwrap();
        let acceptor = Acceptor::new(socket).unwrap();
        let (caller, accepted) =
            tokio::join!(tokio::net::TcpStream::connect(addr), acceptor.accept());
        caller.unwrap();
        let tokio_util::either::Either::Left(stream) = accepted.unwrap().0 else {
            panic!("not a port");
        };
        assert!(stream.nodelay().unwrap());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let first = bind(&listen(&["127.0.0.1:0"]), 2, Ours::default()).unwrap();
        let taken = addrs(&first)[0].to_string();
        let error = bind(&listen(&[&taken]), 2, Ours::default()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn what_is_kept_is_left_out_and_a_port_of_ours_is_no_strangers() {
        let first = bind(&listen(&["127.0.0.1:0"]), 2, Ours::default()).unwrap();
        let old = [first.addrs[0].0.clone()];
        let kept = Ours {
            kept: &old,
            ..Ours::default()
        };
        let same = listen(&[&addrs(&first)[0].to_string()]);
        assert!(bind(&same, 2, kept).unwrap().addrs.is_empty());
        let wider = listen(&[&format!("0.0.0.0:{}", port(&first))]);
        assert!(bind(&wider, 2, kept).is_err());
        let beside = Ours {
            others: &old,
            ..Ours::default()
        };
        let bound = bind(&wider, 2, beside).unwrap();
        assert_eq!((port(&bound), bound.sockets.len()), (port(&first), 2));
    }

    #[test]
    fn a_listener_takes_no_calls_from_another_of_ours_before_it_is_told_to() {
        let wide = bind(&listen(&["0.0.0.0:0"]), 1, Ours::default()).unwrap();
        let old = [wide.addrs[0].0.clone()];
        let addr = SocketAddr::from(([127, 0, 0, 1], port(&wide)));
        let beside = Ours {
            others: &old,
            ..Ours::default()
        };
        let narrow = bind(&listen(&[&addr.to_string()]), 1, beside).unwrap();
        let answers = |bound: &Bound| {
            let _caller = std::net::TcpStream::connect(addr).unwrap();
            let Socket::Tcp(socket) = &bound.sockets[0][0] else {
                panic!("not a port");
            };
            socket.accept().is_ok()
        };
        assert!(answers(&wide));
        narrow.sockets[0][0].listen().unwrap();
        assert!(answers(&narrow));
    }

    #[test]
    fn the_file_of_a_unix_socket_gives_way_only_if_nobody_listens_and_goes_with_its_owner() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let path = std::env::temp_dir().join(format!("upauth-{name}.sock"));
        let listen: Listen = format!("unix:{}", path.display()).parse().unwrap();
        let try_bind = || bind(&listen, 2, Ours::default());
        // Left over by one that was killed.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let bound = try_bind().unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, bound.sockets.len()), (0o660, 2));
        UnixStream::connect(&path).unwrap();
        let taken = try_bind().err().unwrap().kind();
        assert_eq!(taken, io::ErrorKind::AddrInUse);
        drop(bound);
        assert!(!path.exists());
        // Another's file is left alone, whatever it is.
        let bound = try_bind().unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "text").unwrap();
        drop(bound);
        let there = try_bind().err().unwrap().kind();
        assert_eq!(there, io::ErrorKind::AlreadyExists);
        std::fs::remove_file(&path).unwrap();
    }
}
