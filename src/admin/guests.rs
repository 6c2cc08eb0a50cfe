//! Who is at the listener: when there is no place left, the oldest without a request gives way to who comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::oneshot;

/// One connection, known where its bytes are read and where its requests are answered. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Guest(Arc<Known>);

#[derive(Default)]
struct Known {
    /// Requests that are not answered.
    asking: AtomicUsize,
    has_asked: AtomicBool,
}

/// A request that is not answered.
pub(super) struct Asking(Guest);

/// All connections, the oldest first, each with the word that sends it away.
#[derive(Default)]
pub(super) struct Guests(VecDeque<(Guest, oneshot::Sender<()>)>);

impl Guest {
    /// Whether a whole head has come.
    pub(super) fn has_asked(&self) -> bool {
        self.0.has_asked.load(Ordering::Relaxed)
    }

    fn is_asking(&self) -> bool {
        self.0.asking.load(Ordering::Relaxed) > 0
    }

    /// A request begins.
    pub(super) fn ask(&self) -> Asking {
        self.0.has_asked.store(true, Ordering::Relaxed);
        self.0.asking.fetch_add(1, Ordering::Relaxed);
        Asking(self.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Guests {
    /// One who comes; the other end is told when it is to go.
    pub(super) fn welcome(&mut self) -> (Guest, oneshot::Receiver<()>) {
        self.0.retain(|(_, word)| !word.is_closed());
        let (word, told) = oneshot::channel();
        let guest = Guest::default();
        self.0.push_back((guest.clone(), word));
        (guest, told)
    }

    /// Sends away the oldest that has no request under way, if there is one.
    pub(super) fn make_room(&mut self) {
        self.0.retain(|(_, word)| !word.is_closed());
        let idle = self.0.iter().position(|(guest, _)| !guest.is_asking());
        if let Some((_, word)) = idle.and_then(|at| self.0.remove(at)) {
            let _ = word.send(());
        }
    }
}

/// Around all answers: a guest with a request under way is not sent away.
pub(super) async fn counted(request: Request, next: Next) -> Response {
    let guest = request.extensions().get::<ConnectInfo<Guest>>();
    let _asking = guest.map(|ConnectInfo(guest)| guest.ask());
    next.run(request).await
}
