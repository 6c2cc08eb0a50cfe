//! SIGTERM, SIGINT and SIGQUIT: the first asks for a drain, a second one for an end. SIGHUP asks for a reload. SIGUSR1 and SIGUSR2, by
//! which other servers open their logs anew, end nothing, and nor does a file that is as large as the process may make one.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The wishes to stop, in order.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// The first signal came.
    pub(super) stop: CancellationToken,
    /// Another one came that is not an echo of the first.
    pub(super) now: CancellationToken,
    /// SIGHUP came.
    pub(super) reload: Arc<Notify>,
}

impl Signals {
    /// SIGHUP ends it, as when its terminal is closed: there is nothing to reload.
    pub(super) async fn end_at_hangup(self) {
        self.reload.notified().await;
        self.stop.cancel();
    }
}

/// SIGHUP no longer ends the process; whoever listens is told of one that has come until then.
pub(super) struct Held {
    runtime: Runtime,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Held {
    /// For the time in which there is nothing to reload yet, and a wish to stop still ends the process.
    pub(super) fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        #[cfg(unix)]
        let hangup = {
            use tokio::signal::unix::{SignalKind, signal};
            let _within = runtime.enter();
            // From here on, for good, none of them ends the process; whoever writes gets an error instead.
            for mild in [
                SignalKind::from_raw(SIGXFSZ),
                SignalKind::user_defined1(),
                SignalKind::user_defined2(),
            ] {
                drop(signal(mild)?);
            }
            signal(SignalKind::hangup())?
        };
        Ok(Self {
            runtime,
            #[cfg(unix)]
            hangup,
        })
    }

    /// Listens from now on, on a thread of its own: the runtimes of the proxy come and go.
    pub(super) fn listen(self) -> std::io::Result<Signals> {
        let signals = Signals::default();
        let told = signals.clone();
        let (registered, registering) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let streams = {
                    let _within = self.runtime.enter();
                    Streams::new(
                        #[cfg(unix)]
                        self.hangup,
                    )
                };
                let mut streams = match streams {
                    Ok(streams) => streams,
                    Err(error) => return drop(registered.send(Err(error))),
                };
                let _ = registered.send(Ok(()));
                self.runtime.block_on(async move {
                    streams.next(&told.reload).await;
                    let first = Instant::now();
                    told.stop.cancel();
                    loop {
                        streams.next(&told.reload).await;
                        if first.elapsed() > ECHO {
                            break;
                        }
                        tracing::info!("asked to stop twice within a second: taken as once");
                    }
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
    /// By itself it would leave the memory of the process in a file.
    quit: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    user: [tokio::signal::unix::Signal; 2],
}

#[cfg(unix)]
impl Streams {
    fn new(hangup: tokio::signal::unix::Signal) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup,
            user: [
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ],
        })
    }

    /// The next wish to stop.
    async fn next(&mut self, reload: &Notify) {
        let [first, second] = &mut self.user;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.quit.recv() => return,
                _ = self.hangup.recv() => reload.notify_one(),
                _ = first.recv() => tracing::warn!("SIGUSR1 {MEANT}"),
                _ = second.recv() => tracing::warn!("SIGUSR2 {MEANT}"),
            }
        }
    }
}

/// A file is as large as the process may make one (`ulimit -f`): the number on Linux (but MIPS) and macOS.
#[cfg(unix)]
const SIGXFSZ: std::ffi::c_int = 25;
#[cfg(unix)]
const MEANT: &str =
    "does nothing here: SIGHUP opens the access log anew, and reads the configuration again";

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

/// For how long a signal is the first one again: who is run by another program gets one from that and one from the terminal or
/// as a member of its group, and nobody has wished for an end twice.
const ECHO: Duration = Duration::from_secs(1);
