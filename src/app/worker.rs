//! One data worker: a thread, its runtime, its connections.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::{Semaphore, oneshot};

use super::StartError;
use super::accounts::Accounts;
use super::listeners::{Listeners, guard};
use super::routes::Ways;
use crate::clock::Clock;
use crate::config::{Config, Upstream as UpstreamConfig};
use crate::egress::{Client, Profile};
use crate::message::{Guard, forwarding};
use crate::proxy::{self, BLOCK, Buffers, Callers, Proxy, Upstream};
use crate::secret::{hex, random};
use crate::server::{self, Door, Floor};
use crate::telemetry::{AccessLog, Ids, Metrics};

/// What every worker is built from.
pub(super) struct Shared {
    config: Config,
    accounts: Arc<Accounts>,
    ways: Ways,
    guard: Guard,
    metrics: Metrics,
    log: AccessLog,
    clock: Clock,
    ids: Arc<Ids>,
    in_flight: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    instance: String,
}

/// A running worker.
pub(super) struct Worker {
    pub(super) thread: JoinHandle<()>,
    /// Told when the worker has nothing left to do.
    pub(super) ended: oneshot::Receiver<()>,
}

impl Shared {
    pub(super) fn new(
        config: &Config,
        accounts: Arc<Accounts>,
        listeners: &Listeners,
        metrics: &Metrics,
        log: AccessLog,
        clock: Clock,
    ) -> Self {
        let limits = &config.server.limits;
        Self {
            accounts,
            ways: Ways::of(config, listeners),
            guard: guard(config),
            metrics: metrics.clone(),
            log,
            clock,
            ids: Arc::new(Ids::new()),
            in_flight: Arc::new(Semaphore::new(limits.requests_in_flight)),
            memory: Arc::new(Semaphore::new(limits.buffer_bytes / BLOCK)),
            instance: hex(&random::<8>()),
            config: config.clone(),
        }
    }

    fn proxy(&self) -> Proxy {
        let upstreams: Vec<_> = self
            .config
            .upstreams
            .iter()
            .enumerate()
            .filter_map(|(id, upstream)| self.upstream(id, upstream).map(Arc::new))
            .collect();
        let limits = &self.config.server.limits;
        Proxy {
            table: self.ways.table(&upstreams),
            guard: self.guard.clone(),
            callers: Callers::new(&self.config.access.keys, |name| self.metrics.key(name)),
            client: Client::default(),
            in_flight: self.in_flight.clone(),
            buffers: Buffers {
                replay_bytes: limits.replay_bytes,
                memory: self.memory.clone(),
                patience: limits.idle_timeout,
            },
            via: forwarding::via(&self.instance),
            instance: self.instance.clone(),
            public_url: self.config.server.public_url.clone(),
            ids: self.ids.clone(),
            log: self.log.clone(),
            clock: self.clock.clone(),
        }
    }

    fn upstream(&self, id: usize, config: &UpstreamConfig) -> Option<Upstream> {
        let account = self.accounts.get(&config.name)?;
        let metrics = self.metrics.for_worker(&config.name);
        Some(Upstream {
            name: Arc::from(config.name.as_str()),
            label: HeaderValue::from_str(&config.name).ok()?,
            provider: account.provider.clone(),
            policy: config.policy.clone(),
            local_login: config.local_login,
            set_headers: config.set_headers.clone(),
            remove_headers: config.remove_headers.clone(),
            token_wait: config.token_wait,
            response_timeout: config.response_timeout,
            profile: Profile {
                id,
                tls: account.api_tls.clone(),
                proxy: account.proxy.clone(),
                connect_timeout: config.api.connect_timeout,
                connections: config.connections,
                metrics: metrics.clone(),
            },
            tokens: account.tokens.clone(),
            metrics,
        })
    }
}

/// Starts one thread per worker.
pub(super) fn start(
    listeners: Listeners,
    shared: &Arc<Shared>,
    floor: &Floor,
) -> Result<Vec<Worker>, StartError> {
    let doors = listeners.into_doors(shared.config.server.workers);
    doors
        .into_iter()
        .enumerate()
        .map(|(index, doors)| spawn(index, doors, shared, floor))
        .collect()
}

fn spawn(
    index: usize,
    doors: Vec<Door>,
    shared: &Arc<Shared>,
    floor: &Floor,
) -> Result<Worker, StartError> {
    let (end, ended) = oneshot::channel();
    let (shared, floor) = (shared.clone(), floor.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            runtime.block_on(run(doors, &shared, floor));
            // A name that is still being resolved for a request long gone must not keep the thread.
            runtime.shutdown_background();
            let _ = end.send(());
        })
        .map_err(StartError::Thread)?;
    Ok(Worker { thread, ended })
}

async fn run(doors: Vec<Door>, shared: &Shared, floor: Floor) {
    let proxy = Arc::new(shared.proxy());
    let client = proxy.client.clone();
    let serve = server::serve(doors, floor, move |arrival| {
        proxy::stack(proxy.clone(), arrival)
    });
    let sweep = async {
        loop {
            tokio::time::sleep(SWEEP).await;
            client.sweep();
        }
    };
    tokio::select! {
        () = serve => {}
        () = sweep => {}
    }
}

/// How often idle upstream connections are looked over.
const SWEEP: Duration = Duration::from_secs(5);
