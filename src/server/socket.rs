//! [`Socket`]: what a listener is bound to, TCP or a unix socket, and the connections it accepts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(unix)]
use std::os::unix::{fs::MetadataExt, fs::PermissionsExt, net::UnixListener as StdUnixListener};

use socket2::SockRef;
#[cfg(unix)]
use socket2::{Domain, SockAddr, Type};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
#[cfg(unix)]
use tokio_util::either::Either;

use super::folder;

/// A bound listener that does not belong to a runtime yet.
#[derive(Debug)]
pub enum Socket {
    /// One of the network or of loopback.
    Tcp(std::net::TcpListener),
    /// A file.
    #[cfg(unix)]
    Unix(StdUnixListener),
}

/// The same on a runtime.
#[derive(Debug)]
pub enum Acceptor {
    /// One of the network or of loopback.
    Tcp(TcpListener),
    /// A file.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// An accepted connection.
#[cfg(unix)]
pub type Stream = Either<TcpStream, UnixStream>;
/// An accepted connection.
#[cfg(not(unix))]
pub type Stream = TcpStream;

/// The file of a unix socket: goes with this value, if it is still the same one.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Tells one file from another that took its place: a file system may give the number of one that went to the next.
type Identity = (u64, u64, Option<SystemTime>);

impl Socket {
    /// The same socket once more.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    /// Its address, if it is one of the network.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// From now on callers get in; they wait in the system's queue. Once more, it changes nothing.
    pub fn listen(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket).listen(BACKLOG),
            #[cfg(unix)]
            Self::Unix(socket) => SockRef::from(socket).listen(BACKLOG),
        }
    }

    /// A connection that is there already; an error if there is none.
    pub(super) fn accept_now(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                stream.set_nonblocking(true)?;
                Ok((of_tcp(TcpStream::from_std(stream)?), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                stream.set_nonblocking(true)?;
                Ok((Either::Right(UnixStream::from_std(stream)?), None))
            }
        }
    }
}

impl Acceptor {
    /// Accepts on the current runtime from now on.
    pub fn new(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(socket) => TcpListener::from_std(socket).map(Self::Tcp),
            #[cfg(unix)]
            Socket::Unix(socket) => UnixListener::from_std(socket).map(Self::Unix),
        }
    }

    /// Accepts no more on this runtime.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => listener.into_std().map(Socket::Tcp),
            #[cfg(unix)]
            Self::Unix(listener) => listener.into_std().map(Socket::Unix),
        }
    }

    /// The next connection, and the caller's address if it has one. Cancel-safe.
    pub async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((of_tcp(stream), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), None))
            }
        }
    }
}

/// The address that the caller has called, if it is one of the network.
pub(super) fn reached(stream: &Stream) -> Option<SocketAddr> {
    #[cfg(unix)]
    return match stream {
        Either::Left(tcp) => tcp.local_addr().ok(),
        Either::Right(_) => None,
    };
    #[cfg(not(unix))]
    return stream.local_addr().ok();
}

fn of_tcp(stream: TcpStream) -> Stream {
    // Linux has given it the listener's option already.
    #[cfg(not(target_os = "linux"))]
    let _ = stream.set_nodelay(true);
    #[cfg(unix)]
    return Either::Left(stream);
    #[cfg(not(unix))]
    return stream;
}

/// Binds a unix socket that its owner and group may connect to. A file that nobody listens behind is left over from a
/// process that was killed, and gives way. In a folder where strangers may put something else in its place there is none.
#[cfg(unix)]
pub(super) fn bind_unix(path: &Path) -> io::Result<(Socket, SocketFile)> {
    folder::guarded(path)?;
    let _turn = folder::turn(path);
    make_way(path)?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // Before it listens: until then nobody gets in.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    let socket = StdUnixListener::from(std::os::fd::OwnedFd::from(socket));
    let socket = Socket::Unix(socket);
    socket.listen()?;
    Ok((socket, file))
}

#[cfg(not(unix))]
pub(super) fn bind_unix(_: &Path) -> io::Result<(Socket, SocketFile)> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn make_way(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is not a socket",
        ));
    }
    let probe = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A process that accepts nothing any more would be waited for without end.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

impl SocketFile {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    let there = std::fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino(), there.created().ok()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> io::Result<Identity> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _turn = folder::turn(&self.path);
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Connections that wait to be accepted.
pub(super) const BACKLOG: i32 = 1024;

#[cfg(all(test, unix))]
mod tests {
    use std::sync::{Barrier, mpsc};
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_those_who_start_at_once_over_a_file_that_was_left_one_has_it() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let path = std::env::temp_dir().join(format!("upauth-{name}.sock"));
        for _ in 0..50 {
            let left = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            left.bind(&SockAddr::unix(&path).unwrap()).unwrap();
            drop(left);
            let all = Barrier::new(4);
            let bound: Vec<_> = std::thread::scope(|scope| {
                let start = || {
                    all.wait();
                    bind_unix(&path)
                };
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                starts
                    .into_iter()
                    .map(|start| start.join().unwrap())
                    .collect()
            });
            assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
            std::os::unix::net::UnixStream::connect(&path).unwrap();
            drop(bound);
            assert!(!path.exists());
        }
    }

    #[test]
    fn whoever_ends_leaves_the_socket_alone_that_another_has_put_in_its_place() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let path = std::env::temp_dir().join(format!("upauth-{name}.sock"));
        // Many times, for the second file often gets the number of the first.
        for _ in 0..20 {
            let (first, file) = bind_unix(&path).unwrap();
            drop(first);
            let (_second, own) = bind_unix(&path).unwrap();
            drop(file);
            assert!(path.exists());
            drop(own);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_unix_socket_whose_owner_accepts_nothing_is_taken_and_not_waited_for() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let path = std::env::temp_dir().join(format!("upauth-{name}.sock"));
        let owner = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let addr = SockAddr::unix(&path).unwrap();
        owner.bind(&addr).unwrap();
        owner.listen(0).unwrap();
        let mut waiting = Vec::new();
        loop {
            let caller = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            caller.set_nonblocking(true).unwrap();
            if caller.connect(&addr).is_err() {
                break;
            }
            waiting.push(caller);
        }
        let (done, bound) = mpsc::channel();
        let at = path.clone();
        std::thread::spawn(move || done.send(bind_unix(&at).err()));
        let taken = bound.recv_timeout(Duration::from_secs(30));
        std::fs::remove_file(&path).unwrap();
        let taken = taken.expect("it waits").unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
