//! [`bind`]: every worker listens at every address; a taken port is an error.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;

use socket2::{Domain, Protocol, SockRef, Type};

use super::socket::{BACKLOG, Socket, SocketFile, bind_unix};
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
/// The first socket does not share its port until it listens, so that a port somebody else listens on is an error; with
/// `SO_REUSEPORT` alone both programs would get a share of the connections. Port 0 takes a free port, the same for all addresses.
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
    let mut sockets = Vec::new();
    let addr = match known {
        true => addr,
        false => {
            let first = alone(addr)?;
            let addr = first.local_addr()?;
            sockets.push(Socket::Tcp(first));
            addr
        }
    };
    for _ in sockets.len()..workers.max(1) {
        let socket = Socket::Tcp(shared(addr)?);
        if !known {
            socket.listen()?;
        }
        sockets.push(socket);
    }
    Ok((addr, sockets))
}

/// Listens where nobody else does, and shares the address from then on. Only `listen` decides between two programs that
/// begin at once, and only as long as neither socket would share: two may bind what nobody listens on yet.
fn alone(addr: SocketAddr) -> io::Result<StdListener> {
    let socket = unbound(addr)?;
    socket.bind(&addr.into())?;
    let listener = StdListener::from(socket);
    let socket = SockRef::from(&listener);
    socket.listen(BACKLOG)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    Ok(listener)
}

/// Does not listen yet.
fn shared(addr: SocketAddr) -> io::Result<StdListener> {
    let socket = unbound(addr)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

fn unbound(addr: SocketAddr) -> io::Result<socket2::Socket> {
    let domain = Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // For what is accepted there (`socket::of_tcp`).
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn absent_family(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::Barrier;

    use super::*;
    use crate::server::socket::Acceptor;

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
    fn of_many_who_begin_at_one_port_at_once_one_gets_it() {
        let mut begun = 0;
        for _ in 0..50 {
            // A port that is free: nobody listens on it.
            let free = bind(&listen(&["127.0.0.1:0"]), 1, Ours::default()).unwrap();
            let wanted = listen(&[&addrs(&free)[0].to_string()]);
            drop(free);
            let together = Barrier::new(4);
            let one = || {
                together.wait();
                bind(&wanted, 2, Ours::default())
            };
            let got: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            // None, where a stranger took the free port.
            let those = got.iter().filter(|got| got.is_ok()).count();
            assert!(those <= 1, "{those} got it");
            begun += those;
        }
        assert!(begun > 0);
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
