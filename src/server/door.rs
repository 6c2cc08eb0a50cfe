//! [`Door`]: one listener of one worker. Doors open and close while the others go on.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio_util::sync::CancellationToken;

use super::socket::Socket;

use crate::tls::ServerConfig;

/// One listener of one worker, ready to be served.
pub struct Door {
    /// Handed on in [`Arrival`](super::Arrival).
    pub listener: usize,
    /// The worker's own socket.
    pub socket: Socket,
    /// TLS, if any.
    pub tls: TlsSlot,
    /// Cancelled when this door closes: no new connections, idle ones end. A child of the floor's drain.
    pub closing: CancellationToken,
}

/// The TLS of a listener, replaced whole while it listens. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TlsSlot(Arc<ArcSwapOption<ServerConfig>>);

impl TlsSlot {
    /// From now on new connections get `tls`; those that are there keep theirs.
    pub fn replace(&self, tls: Option<Arc<ServerConfig>>) {
        self.0.store(tls);
    }

    pub(super) fn current(&self) -> Option<Arc<ServerConfig>> {
        self.0.load_full()
    }
}
