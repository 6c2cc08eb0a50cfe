//! [`Door`]: one listener of one worker. Doors open and close while the others go on; where they lead may change, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio_util::sync::CancellationToken;

use super::socket::{Socket, Stream, reached};
use crate::config::server::Address;
use crate::tls::ServerConfig;

/// One listener of one worker, ready to be served.
pub struct Door {
    /// The worker's own socket.
    pub socket: Socket,
    /// Where its connections go.
    pub passage: Passage,
    /// Cancelled when this door closes: no new connections. A child of the floor's drain.
    pub closing: CancellationToken,
}

/// Where connections go, and stay: who is counted, served and sent away together.
pub struct Hall {
    /// Handed on in [`Arrival`](super::Arrival).
    pub listener: usize,
    /// Cancelled when its connections are to end: idle ones at once, others after their request. A child of the
    /// floor's drain.
    pub drain: CancellationToken,
    barred: Arc<AtomicBool>,
    tls: ArcSwapOption<ServerConfig>,
}

/// Where the connections of a listener go: exchanged whole while it listens. Clones are the same.
#[derive(Clone)]
pub struct Passage(Arc<ArcSwap<Leading>>);

struct Leading {
    hall: Arc<Hall>,
    /// Connections to these addresses go elsewhere.
    but: Vec<(Address, Arc<Hall>)>,
}

impl Hall {
    /// An empty one, for plain text.
    pub fn new(listener: usize, drain: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            listener,
            drain,
            barred: Arc::default(),
            tls: ArcSwapOption::empty(),
        })
    }

    /// From now on new connections get `tls`; those that are there keep theirs.
    pub fn secure(&self, tls: Option<Arc<ServerConfig>>) {
        self.tls.store(tls);
    }

    /// From now on no request begins here: what those who are in have shown is not believed any more. To drain is not enough
    /// for that: a caller of HTTP/2 may ask on until it has heard the good-bye.
    pub fn bar(&self) {
        self.barred.store(true, Ordering::Relaxed);
    }

    /// Told of that, too.
    pub(super) fn barred(&self) -> Arc<AtomicBool> {
        self.barred.clone()
    }

    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.load_full()
    }
}

impl Passage {
    /// Into `hall`.
    pub fn to(hall: Arc<Hall>) -> Self {
        let but = Vec::new();
        Self(Arc::new(ArcSwap::from_pointee(Leading { hall, but })))
    }

    /// From now on new connections go to `hall`, but for those to one of these addresses: the first that covers theirs
    /// counts.
    pub fn lead(&self, hall: Arc<Hall>, but: Vec<(Address, Arc<Hall>)>) {
        self.0.store(Arc::new(Leading { hall, but }));
    }

    /// Whether this is not the only one.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(super) fn hall(&self, stream: &Stream) -> Arc<Hall> {
        self.hall_for(|| reached(stream).map(Address::Tcp))
    }

    /// Where a connection goes to an address that is told if it makes a difference: the system must be asked for it.
    pub fn hall_for(&self, called: impl FnOnce() -> Option<Address>) -> Arc<Hall> {
        let leading = self.0.load();
        let elsewhere = || {
            let to = called()?;
            leading.but.iter().find(|(addr, _)| addr.covers(&to))
        };
        let elsewhere = (!leading.but.is_empty()).then(elsewhere).flatten();
        elsewhere.map_or(&leading.hall, |(_, hall)| hall).clone()
    }
}
