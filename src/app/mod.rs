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
mod storage;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;

use self::accounts::Accounts;
use self::listeners::Listeners;
pub use self::reload::{Reader, ReloadError, Reloaded};
use self::reload::{Running, Turn};
use self::served::Served;
pub use self::start_error::StartError;
use self::storage::Storage;
use self::worker::{Shared, Worker};
use crate::clock::Clock;
use crate::config::log::{AccessLog as AccessLogKind, Format as LogFormat};
use crate::config::{Config, Log, Store};
use crate::server::{CUT, Floor, drain};
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

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request ended by itself, and what logins brought is stored.
    Drained,
    /// Some were cut at the deadline, or something is not stored.
    Cut,
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
        let floor = Floor::new(config.server.limits.clone());
        let admin_end = CancellationToken::new();
        let listeners = Listeners::new(config.server.workers, &floor, &admin_end);
        let next = listeners.next(config)?;
        let mut accounts = Accounts::new(&clock, metrics, control.handle(), storage);
        let members = accounts.members(config, &[], &BTreeSet::new())?;
        let served = Served::new(config.clone(), members, &next.listeners, log);
        let shared = Shared::new(&config.server.limits, metrics, clock.clone());
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
        let (running, blocking) = (Arc::downgrade(&self.running), control.handle().clone());
        control.spawn(async move {
            loop {
                told.notified().await;
                let Some(running) = running.upgrade() else {
                    return;
                };
                // What comes of it is logged and counted.
                let _ = blocking.spawn_blocking(move || running.reload()).await;
            }
        });
    }

    /// Runs until `stop` ends, then drains as [`App::stop`] does. Not to be called on a runtime's thread.
    pub fn run_until(
        self,
        stop: impl Future<Output = ()>,
        now: impl Future<Output = ()> + Send,
    ) -> Stopped {
        if let Some(control) = &self.control {
            control.block_on(stop);
        }
        tracing::info!("stopping: requests in flight are finished first");
        self.stop(now)
    }

    /// Drains and stops; blocks until the last thread has ended or was cut. `now` is a second wish to stop: it
    /// cuts at once. Not to be called on a runtime's thread.
    pub fn stop(mut self, now: impl Future<Output = ()> + Send) -> Stopped {
        let Some(control) = self.control.take() else {
            return Stopped::Cut;
        };
        let mut threads = Vec::new();
        let mut ends = Vec::new();
        for worker in self.workers.drain(..) {
            threads.push(worker.thread);
            ends.push(worker.ended);
        }
        let all_ended = async {
            for end in ends {
                let _ = end.await;
            }
        };
        let server = self.running.served().config.server.clone();
        let (delay, timeout) = (server.drain_delay, server.drain_timeout);
        let (mut now, mut all_ended) = (std::pin::pin!(now), std::pin::pin!(all_ended));
        let (drained, cut) = control.block_on(async {
            let floor = &self.running.floor;
            tokio::select! {
                drained = drain(floor, delay, timeout, &mut all_ended) => (drained, false),
                () = &mut now => (false, true),
            }
        });
        match (drained, cut) {
            (true, _) => tracing::info!("drained: every request in flight was finished"),
            (_, true) => tracing::warn!("asked to stop again: what is still in flight is cut"),
            _ => tracing::warn!("drain_timeout is over: what is still in flight is cut"),
        }
        self.end();
        if cut {
            // What was cut is logged as well.
            let _ = control.block_on(async { time::timeout(CUT, all_ended).await });
        }
        // What a login brought, and most of all a refresh token, is worth more than an exit in time.
        let settled = control.block_on(async {
            tokio::select! {
                settled = self.unfinished.settle(SETTLE), if !cut => settled,
                () = &mut now, if !cut => false,
                else => self.unfinished.settle(Duration::ZERO).await,
            }
        });
        if !settled {
            tracing::error!("stopping although the store was not done");
        }
        if drained {
            for thread in threads {
                let _ = thread.join();
            }
        }
        control.shutdown_timeout(Duration::from_secs(1));
        match drained && settled {
            true => Stopped::Drained,
            false => Stopped::Cut,
        }
    }

    fn end(&self) {
        self.running.floor.drain.cancel();
        self.running.floor.cut.cancel();
        // A file that is left over gives way to the next process.
        if let Some(mut turn) = self.running.turn_now() {
            turn.listeners.remove_files();
        }
        self.admin_end.cancel();
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

/// How long a stop waits for logins whose outcome is to be stored, and for the store.
const SETTLE: Duration = Duration::from_secs(20);

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
