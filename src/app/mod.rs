//! The wiring, nothing else: builds every room from the configuration, runs them, stops them.
//!
//! Two kinds of runtimes: N data workers, each a thread with a current-thread runtime that accepts, proxies and owns
//! its connections; and one control runtime for logins, secrets and admin. Nothing of a worker outlives it, and no
//! client is shared across runtimes.

mod accounts;
mod listeners;
pub mod live;
mod looking;
pub mod remote;
mod routes;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use self::accounts::Accounts;
use self::listeners::{Listeners, guard};
use self::looking::Looking;
use self::worker::{Shared, Worker};
use crate::clock::Clock;
use crate::config::log::{AccessLog as AccessLogKind, Format as LogFormat};
use crate::config::{Config, Log};
use crate::server::{Floor, drain};
use crate::telemetry::{AccessLog, Format, Metrics};
use crate::token::Handle;

/// The running proxy.
pub struct App {
    addrs: Addresses,
    accounts: Arc<Accounts>,
    floor: Floor,
    admin_end: CancellationToken,
    workers: Vec<Worker>,
    control: Option<Runtime>,
    drain_delay: Duration,
    drain_timeout: Duration,
}

/// What is really bound.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// `[server] listen`.
    pub server: Vec<SocketAddr>,
    /// The listeners of an upstream's own, by name.
    pub upstreams: BTreeMap<String, Vec<SocketAddr>>,
    /// `[admin] listen`.
    pub admin: Option<SocketAddr>,
    /// `[admin] health_listen`.
    pub health: Option<SocketAddr>,
}

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {addr}: {source} (another upauth? choose with `listen`, or `run --listen`)"
    )]
    Listen {
        /// The address as configured.
        addr: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate, key or CA file cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::tls::Error),
    /// A login client cannot be made.
    #[error("cannot set up the logins of upstream `{upstream}`: {why}")]
    Endpoint {
        /// The upstream.
        upstream: String,
        /// What went wrong.
        why: String,
    },
    /// The access log cannot be opened.
    #[error("cannot write the access log: {0}")]
    AccessLog(std::io::Error),
    /// A thread or runtime cannot be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request ended by itself.
    Drained,
    /// Some were cut at the deadline.
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
        let listeners = Listeners::bind(config)?;
        let control = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let accounts = Arc::new(Accounts::open(config, &clock, metrics, control.handle())?);
        let floor = Floor::new(config.server.limits.clone());
        let mut addrs = listeners.addresses();
        let admin_end = CancellationToken::new();
        let looking = Looking {
            config,
            accounts: &accounts,
            metrics,
            floor: &floor,
            clock: &clock,
            guard: guard(config),
        };
        looking.serve(&mut addrs, &admin_end, control.handle())?;
        let shared = Arc::new(Shared::new(
            config,
            accounts.clone(),
            &listeners,
            metrics,
            log,
            clock,
        ));
        let workers = worker::start(listeners, &shared, &floor)?;
        Ok(Self {
            addrs,
            accounts,
            floor,
            admin_end,
            workers,
            control: Some(control),
            drain_delay: config.server.drain_delay,
            drain_timeout: config.server.drain_timeout,
        })
    }

    /// What is really bound.
    pub fn addrs(&self) -> &Addresses {
        &self.addrs
    }

    /// The credential of an upstream.
    pub fn tokens(&self, upstream: &str) -> Option<&Handle> {
        self.accounts.get(upstream).map(|account| &account.tokens)
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
        let drained = control.block_on(async {
            tokio::select! {
                drained = drain(&self.floor, self.drain_delay, self.drain_timeout, all_ended) => drained,
                () = now => false,
            }
        });
        self.end();
        if drained {
            for thread in threads {
                let _ = thread.join();
            }
        }
        control.shutdown_timeout(Duration::from_secs(1));
        if drained {
            Stopped::Drained
        } else {
            Stopped::Cut
        }
    }

    fn end(&self) {
        self.floor.drain.cancel();
        self.floor.cut.cancel();
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

/// Opens the access log as configured.
pub fn access_log(log: &Log, terminal: bool) -> Result<AccessLog, StartError> {
    let format = log_format(log.format, terminal);
    match &log.access {
        AccessLogKind::Off => Ok(AccessLog::off()),
        AccessLogKind::Stdout => AccessLog::stdout(format),
        AccessLogKind::File(path) => AccessLog::file(path, format),
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
