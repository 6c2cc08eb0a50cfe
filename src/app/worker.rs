//! One data worker: a thread, its runtime, its connections; and its [`Desk`], where it is handed what it serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

use super::StartError;
use super::accounts::Member;
use super::served::Served;
use crate::clock::Clock;
use crate::config::keys::Key;
use crate::config::server::Limits;
use crate::egress::{Client, Files, Profile};
use crate::message::forwarding;
use crate::message::twins::Names;
use crate::provider::Provider;
use crate::proxy::{
    self, Anteroom, BLOCK, Buffers, Callers, Places, Proxy, RequestBody, Slot, Troubles, Upstream,
};
use crate::secret::{Digest, hex, random};
use crate::server::{self, Door, Floor};
use crate::telemetry::{Ids, Metrics};

/// What all proxies of the process share, whatever the configuration becomes.
pub(super) struct Shared {
    limits: Limits,
    metrics: Metrics,
    clock: Clock,
    ids: Ids,
    in_flight: Arc<Places>,
    anteroom: Arc<Anteroom>,
    memory: Arc<Semaphore>,
    files: Arc<Files<RequestBody>>,
    troubles: Troubles,
    instance: String,
}

/// A running worker.
pub(super) struct Worker {
    pub(super) thread: JoinHandle<()>,
    /// Told when the worker has nothing left to do.
    pub(super) ended: oneshot::Receiver<()>,
}

/// Where a worker is handed what it serves. Its connections to the upstreams stay, whatever that is.
pub(super) struct Desk {
    slot: Slot,
    client: Client<RequestBody>,
    doors: UnboundedSender<Door>,
    /// By name.
    upstreams: HashMap<String, (Arc<Member>, Arc<Upstream>)>,
}

impl Shared {
    /// With at most `outgoing` connections to upstreams.
    pub(super) fn new(limits: &Limits, outgoing: usize, metrics: &Metrics, clock: Clock) -> Self {
        Self {
            metrics: metrics.clone(),
            clock,
            ids: Ids::new(),
            in_flight: Places::new(limits.requests_in_flight),
            anteroom: Anteroom::new(limits.requests_in_flight, limits.header_timeout),
            memory: Arc::new(Semaphore::new(limits.buffer_bytes / BLOCK)),
            files: Files::new(outgoing),
            troubles: Troubles::default(),
            instance: hex(&random::<8>()),
            limits: limits.clone(),
        }
    }

    fn proxy(
        &self,
        served: &Served,
        upstreams: &[Arc<Upstream>],
        client: &Client<RequestBody>,
    ) -> Proxy {
        Proxy {
            table: served.ways.table(upstreams),
            guard: served.guard.clone(),
            callers: self.callers(served.config.access.keys.as_deref()),
            client: client.clone(),
            in_flight: self.in_flight.clone(),
            anteroom: self.anteroom.clone(),
            buffers: Buffers {
                replay_bytes: self.limits.replay_bytes,
                memory: self.memory.clone(),
                silence: self.limits.idle_timeout,
            },
            via: forwarding::via(&self.instance),
            instance: self.instance.clone(),
            public_url: served.config.server.public_url.clone(),
            ids: Arc::new(self.ids.for_worker()),
            log: served.log.for_worker(),
            troubles: self.troubles.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Who is let in. The proxy takes no keys for "nobody needs one", so where there is an empty list of them it is given one
    /// that nobody has, and that leads nowhere.
    fn callers(&self, keys: Option<&[Key]>) -> Callers {
        match keys {
            None => Callers::default(),
            Some([]) => {
                let nobodys = Key {
                    name: String::new(),
                    digest: Digest::of(&random::<32>()),
                    upstreams: Some(Vec::new()),
                    read_only: true,
                };
                Callers::new(&[nobodys], |_| Arc::default())
            }
            Some(keys) => Callers::new(keys, |name| self.metrics.key(name)),
        }
    }

    fn upstream(&self, member: &Member) -> Upstream {
        let config = &member.config;
        let rules = [Some(config), member.newer.as_ref()];
        let rules = rules.into_iter().flatten();
        let metrics = self.metrics.for_worker(&config.name);
        let set = config.set_headers.iter().map(|(name, _)| name);
        let removed = rules.clone().flat_map(|rules| &rules.remove_headers);
        Upstream {
            name: Arc::from(config.name.as_str()),
            // A name is made of letters, digits and hyphens.
            label: HeaderValue::from_str(&label(&config.name, &member.provider))
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            provider: member.provider.clone(),
            policies: rules.clone().map(|rules| rules.policy.clone()).collect(),
            local_login: rules.clone().all(|rules| rules.local_login),
            set_headers: config.set_headers.clone(),
            remove_headers: Names::of(removed.chain(set).map(HeaderName::as_str)),
            token_wait: config.token_wait,
            response_timeout: config.response_timeout,
            profile: Profile {
                id: member.profile,
                tls: member.api_tls.clone(),
                proxy: member.proxy.clone(),
                connect_timeout: config.api.connect_timeout,
                connections: config.connections,
                http2: config.http2,
                metrics: metrics.clone(),
            },
            tokens: member.tokens.clone(),
            metrics,
        }
    }

    /// The upstreams of `served` for one worker; those of members that did not change are taken over.
    fn upstreams(
        &self,
        served: &Served,
        mut known: HashMap<String, (Arc<Member>, Arc<Upstream>)>,
    ) -> Vec<(Arc<Member>, Arc<Upstream>)> {
        let upstreams =
            served
                .members
                .iter()
                .map(|member| match known.remove(member.config.name.as_str()) {
                    Some((same, upstream)) if Arc::ptr_eq(&same, member) => (same, upstream),
                    _ => (member.clone(), Arc::new(self.upstream(member))),
                });
        upstreams.collect()
    }
}

/// What answers say of the upstream they come from: `crm (sandbox)`.
fn label(name: &str, provider: &Provider) -> String {
    match provider.environment {
        Some(environment) => format!("{name} ({environment})"),
        None => name.to_owned(),
    }
}

impl Desk {
    fn new(shared: &Shared, served: &Served) -> (Self, UnboundedReceiver<Door>) {
        let client = Client::new(&shared.files);
        let upstreams = shared.upstreams(served, HashMap::new());
        let (doors, arriving) = unbounded_channel();
        let desk = Self {
            slot: Slot::new(shared.proxy(served, &only_upstreams(&upstreams), &client)),
            client,
            doors,
            upstreams: by_name(upstreams),
        };
        (desk, arriving)
    }

    /// Requests that arrive from now on are served by `served`.
    pub(super) fn publish(&mut self, shared: &Shared, served: &Served) {
        let upstreams = shared.upstreams(served, std::mem::take(&mut self.upstreams));
        let proxy = shared.proxy(served, &only_upstreams(&upstreams), &self.client);
        self.slot.replace(proxy);
        self.upstreams = by_name(upstreams);
    }

    /// The worker accepts at `door` from now on.
    pub(super) fn open(&self, door: Door) {
        // A worker that has ended accepts nothing more.
        let _ = self.doors.send(door);
    }
}

fn only_upstreams(all: &[(Arc<Member>, Arc<Upstream>)]) -> Vec<Arc<Upstream>> {
    all.iter().map(|(_, upstream)| upstream.clone()).collect()
}

fn by_name(
    all: Vec<(Arc<Member>, Arc<Upstream>)>,
) -> HashMap<String, (Arc<Member>, Arc<Upstream>)> {
    let named = all.into_iter();
    named
        .map(|pair| (pair.0.config.name.clone(), pair))
        .collect()
}

/// Starts one thread for each of `doors`.
pub(super) fn start(
    doors: Vec<Vec<Door>>,
    served: &Served,
    shared: &Shared,
    floor: &Floor,
) -> Result<(Vec<Worker>, Vec<Desk>), StartError> {
    let mut workers = Vec::new();
    let mut desks = Vec::new();
    for (index, doors) in doors.into_iter().enumerate() {
        let (desk, arriving) = Desk::new(shared, served);
        doors.into_iter().for_each(|door| desk.open(door));
        workers.push(spawn(index, &desk, arriving, floor)?);
        desks.push(desk);
    }
    Ok((workers, desks))
}

fn spawn(
    index: usize,
    desk: &Desk,
    doors: UnboundedReceiver<Door>,
    floor: &Floor,
) -> Result<Worker, StartError> {
    let (end, ended) = oneshot::channel();
    let (slot, client, floor) = (desk.slot.clone(), desk.client.clone(), floor.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            runtime.block_on(run(doors, slot, client, floor));
            // A name that is still being resolved for a request long gone must not keep the thread.
            runtime.shutdown_background();
            let _ = end.send(());
        })
        .map_err(StartError::Thread)?;
    Ok(Worker { thread, ended })
}

async fn run(
    doors: UnboundedReceiver<Door>,
    slot: Slot,
    client: Client<RequestBody>,
    floor: Floor,
) {
    let serve = server::serve(doors, floor, move |arrival| {
        proxy::stack(slot.clone(), arrival)
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
