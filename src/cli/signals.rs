//! SIGTERM and SIGINT: the first asks for a drain, the second for an end. SIGHUP asks for a reload.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The wishes to stop, in order.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// The first signal came.
    pub(super) stop: CancellationToken,
    /// The second one came.
    pub(super) now: CancellationToken,
    /// SIGHUP came.
    pub(super) reload: Arc<Notify>,
}

impl Signals {
    /// Listens from now on, on a thread of its own: the runtimes of the proxy come and go.
    pub(super) fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        let told = signals.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (registered, registering) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let mut streams = match Streams::new() {
                        Ok(streams) => streams,
                        Err(error) => return drop(registered.send(Err(error))),
                    };
                    let _ = registered.send(Ok(()));
                    streams.next(&told.reload).await;
                    told.stop.cancel();
                    streams.next(&told.reload).await;
                    told.now.cancel();
                });
            })?;
        registering.recv().map_err(std::io::Error::other)??;
        Ok(signals)
    }
}

#[cfg(unix)]
struct Streams {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Streams {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next wish to stop.
    async fn next(&mut self, reload: &Notify) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload.notify_one(),
            }
        }
    }
}

#[cfg(not(unix))]
struct Streams;

#[cfg(not(unix))]
impl Streams {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self, _: &Notify) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
