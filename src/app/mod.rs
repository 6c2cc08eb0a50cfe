//! The wiring, nothing else: builds every room from the configuration, runs them, changes them, stops them.
//!
//! Two kinds of runtimes: N data workers, each a thread with a current-thread runtime that accepts, proxies and owns
//! its connections; and one control runtime for logins, secrets and admin. Nothing of a worker outlives it, and no
//! client is shared across runtimes.

mod accounts;
mod authorities;
mod change;
pub mod leftovers;
mod listeners;
pub mod live;
mod looking;
mod metered;
mod reload;
pub mod remote;
mod routes;
mod served;
mod start_error;
mod stopping;
mod storage;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use tokio::runtime::{self, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use self::accounts::Accounts;
use self::listeners::Listeners;
pub use self::reload::{Reader, ReloadError, Reloaded};
use self::reload::{Running, Turn};
use self::served::Served;
pub use self::start_error::StartError;
pub use self::stopping::Stopped;
use self::storage::Storage;
use self::worker::{Shared, Worker};
use crate::clock::Clock;
use crate::config::log::{AccessLog as AccessLogKind, Format as LogFormat};
use crate::config::{Config, Log, Store};
use crate::server::{Floor, fitted};
use crate::telemetry::{AccessLog, Format, Metrics};
use crate::token::{Handle, Unfinished, store};

/// The running proxy.
pub struct App {
    running: Arc<Running>,
    unfinished: Unfinished,
    admin_end: CancellationToken,
    workers: Vec<Worker>,
    control: Option<Runtime>,
}

/// What is really bound.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// `[server] listen`.
    pub server: Vec<SocketAddr>,
    /// The listeners of an upstream's own, by name.
    pub upstreams: BTreeMap<String, Vec<SocketAddr>>,
    /// Those of a route's own, by name.
    pub routes: BTreeMap<String, Vec<SocketAddr>>,
    /// `[admin] listen`.
    pub admin: Option<SocketAddr>,
    /// `[admin] health_listen`.
    pub health: Option<SocketAddr>,
}

impl App {
    /// Binds, builds and starts everything. Returns when callers are served.
    pub fn start(config: &Config, metrics: &Metrics, log: AccessLog) -> Result<Self, StartError> {
        Self::start_with(config, metrics, log, Clock::system())
    }

    /// The same with a clock of one's own.
    pub fn start_with(
        config: &Config,
        metrics: &Metrics,
        log: AccessLog,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let control = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let storage = open_store(&config.store, metrics, control.handle())?;
        let unfinished = storage.keeping.unfinished.clone();
        let (limits, outgoing) = fitted(config.server.limits.clone());
        let floor = Floor::new(limits);
        let admin_end = CancellationToken::new();
        let listeners = Listeners::new(config.server.workers, &floor, &admin_end);
        let next = listeners.next(config)?;
        let mut accounts = Accounts::new(&clock, metrics, control.handle(), storage);
        let members = accounts.members(config, &[], &BTreeSet::new())?;
        let served = Served::new(config.clone(), members, &next.listeners, None, log);
        let shared = Shared::new(&config.server.limits, outgoing, metrics, clock.clone());
        next.listen()?;
        let (listeners, opened) = next.commit();
        let (workers, desks) = worker::start(opened.workers, &served, &shared, &floor)?;
        accounts.tell(served.everybody(), [].into_iter());
        accounts.sweep(served.everybody());
        let turn = Turn {
            accounts,
            listeners,
            desks,
            shared,
            retired: Vec::new(),
        };
        let rooms = (metrics, clock, &floor);
        let running = Running::new(turn, served, rooms, control.handle().clone());
        looking::serve(opened.admin, &running, control.handle());
        Ok(Self {
            running,
            unfinished,
            admin_end,
            workers,
            control: Some(control),
        })
    }

    /// What is really bound.
    pub fn addrs(&self) -> Addresses {
        self.running.turn().listeners.addresses()
    }

    /// The credential of an upstream.
    pub fn tokens(&self, upstream: &str) -> Option<Handle> {
        let served = self.running.served();
        served.member(upstream).map(|member| member.tokens.clone())
    }

    /// Says where the configuration is read again, by [`App::reload`], [`App::reload_when`] or the admin listener.
    pub fn read_with(&self, reader: Reader) {
        self.running.read_with(reader);
    }

    /// Reads the configuration again and puts it to work, or leaves everything as it is. Not to be called on a
    /// runtime's thread.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.running.reload()
    }

    /// Reloads whenever it is told to.
    pub fn reload_when(&self, told: Arc<Notify>) {
        let Some(control) = &self.control else { return };
        let (running, control) = (Arc::downgrade(&self.running), control.handle().clone());
        let threads = control.clone();
        control.spawn(async move {
            loop {
                told.notified().await;
                let Some(running) = running.upgrade() else {
                    return;
                };
                // What comes of it is logged and counted.
                match apart(&threads, move || running.reload()) {
                    Ok(reload) => {
                        if reload.await.is_err() {
                            tracing::error!("the reload was cut short");
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "no thread to reload with: the configuration was not read");
                    }
                }
            }
        });
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
    }
}

/// Does what may block on a thread of its own, if one can be started: the runtime would keep the work until it has a thread, whatever
/// was said of it meanwhile. What is received is an error if the work panics.
fn apart<T: Send + 'static>(
    control: &runtime::Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let control = control.clone();
    let thread = std::thread::Builder::new().name("reload".to_owned());
    thread.spawn(move || {
        let _entered = control.enter();
        let _ = done.send(work());
    })?;
    Ok(result)
}

/// Opens the store where its work is done; waits for it.
fn open_store(
    store: &Store,
    metrics: &Metrics,
    control: &runtime::Handle,
) -> Result<Storage, StartError> {
    let (store, metrics, runtime) = (store.clone(), metrics.clone(), control.clone());
    let (done, opened) = mpsc::channel();
    control.spawn(async move { done.send(Storage::open(&store, metrics, runtime).await) });
    opened.recv().unwrap_or(Err(store::Unusable::Cut.into()))
}

/// Opens the access log as configured.
pub fn access_log(log: &Log, terminal: bool) -> Result<AccessLog, StartError> {
    let format = log_format(log.format, terminal);
    match &log.access {
        AccessLogKind::Off => Ok(AccessLog::off()),
        AccessLogKind::Stdout => AccessLog::stdout(format),
        AccessLogKind::File(path) => AccessLog::file(path, format)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
    .map_err(StartError::AccessLog)
}

/// Text on a terminal, JSON otherwise, unless the operator says which.
pub fn log_format(format: LogFormat, terminal: bool) -> Format {
    match format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
        LogFormat::Auto if terminal => Format::Text,
        LogFormat::Auto => Format::Json,
    }
}
