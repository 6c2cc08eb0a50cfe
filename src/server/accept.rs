//! [`accept`]: connections of one socket, until it closes; a full table of files is waited out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::socket::{Acceptor, Socket, Stream};

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
