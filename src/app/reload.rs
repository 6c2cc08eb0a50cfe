//! [`Running`]: reads the configuration again and puts it to work as a whole, or leaves everything as it is.
//!
//! First everything that can fail is done beside what serves: reading, logins' clients, certificates, sockets, the
//! access log. Then each worker is handed its new proxy, new doors open, and what is gone closes. A request ends on
//! the configuration it began with. An upstream that logs in as somebody else serves as before until it has done so, but
//! for what callers may no longer do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::{Accounts, Member};
use super::listeners::{GRACE, Listeners, Next};
use super::looking;
use super::served::{Served, Waiting};
use super::worker::{Desk, Shared};
use super::{StartError, access_log, apart, change};
use crate::clock::Clock;
use crate::config::{Change, Config};
use crate::server::Floor;
use crate::telemetry::metrics::Log;
use crate::telemetry::{AccessLog, Metrics};

/// Reads the configuration again; the text says what is wrong with it.
pub type Reader = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// What a reload changed.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// What is written in another way than before.
    pub changes: Vec<Change>,
    /// Keys among them, with their section, that take effect at the next start only.
    pub at_next_start: Vec<String>,
    /// What an operator may not mean: that callers need no key any more, that none is let in, that an upstream has no token.
    pub warnings: Vec<String>,
    /// Upstreams that log in as somebody else now: the earlier ones serve until they have, as far as both allow.
    pub logging_in: Vec<String>,
}

/// Why everything stayed as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong: its problems, as `check` draws them.
    #[error("{0}")]
    Refused(String),
    /// The configuration is right, and cannot be put to work.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no file behind this configuration.
    #[error("this proxy was not started from a file")]
    NoFile,
    /// What it would open nobody would serve.
    #[error("this proxy is stopping")]
    Stopping,
}

/// The proxy at work, as its control side has it.
pub(super) struct Running {
    /// One reload at a time.
    turn: Mutex<Turn>,
    /// A look is a clone: nobody waits for a reload in order to see what is served.
    served: Mutex<Arc<Served>>,
    reader: OnceLock<Reader>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) floor: Floor,
    control: runtime::Handle,
    /// For those that the admin listener is asked for: one is at work, and one waits, which reads whatever was written meanwhile.
    pub(super) places: Arc<Semaphore>,
}

/// What a reload works with.
pub(super) struct Turn {
    pub(super) accounts: Accounts,
    pub(super) listeners: Listeners,
    pub(super) desks: Vec<Desk>,
    pub(super) shared: Shared,
    /// Access logs that requests under way may still write to.
    pub(super) retired: Vec<AccessLog>,
}

impl Running {
    pub(super) fn new(
        turn: Turn,
        served: Served,
        (metrics, clock, floor): (&Metrics, Clock, &Floor),
        control: runtime::Handle,
    ) -> Arc<Self> {
        metrics.reloaded(Some(clock.now().wall));
        Arc::new(Self {
            turn: Mutex::new(turn),
            served: Mutex::new(Arc::new(served)),
            reader: OnceLock::new(),
            metrics: metrics.clone(),
            clock,
            floor: floor.clone(),
            control,
            places: Arc::new(Semaphore::new(2)),
        })
    }

    pub(super) fn served(&self) -> Arc<Served> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.clone()
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing while a reload is under way, which may wait for a file for ever.
    pub(super) fn turn_now(&self) -> Option<MutexGuard<'_, Turn>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// From now on reloads read with `reader`.
    pub(super) fn read_with(&self, reader: Reader) {
        let _ = self.reader.set(reader);
    }

    /// Reads the configuration again. Blocks while files are read.
    pub(super) fn reload(self: &Arc<Self>) -> Result<Reloaded, ReloadError> {
        // Whatever comes of it, and although the one before still waits for a file: who has moved the log away tells so by
        // the same signal.
        self.served().log.reopen();
        let mut turn = self.turn();
        let reloaded = self.try_reload(&mut turn);
        match &reloaded {
            Ok(reloaded) => {
                self.metrics.reloaded(Some(self.clock.now().wall));
                change::tell(reloaded);
            }
            Err(error) => {
                self.metrics.reloaded(None);
                tracing::error!("the configuration stays as it was: {error}");
            }
        }
        reloaded
    }

    fn try_reload(self: &Arc<Self>, turn: &mut Turn) -> Result<Reloaded, ReloadError> {
        let reader = self.reader.get().ok_or(ReloadError::NoFile)?;
        let mut config = reader().map_err(ReloadError::Refused)?;
        let old = self.served();
        let changes = old.config.written.changes(&config.written);
        let at_next_start = change::leave_for_next_start(&changes, &old.config, &mut config);
        change::lose_no_grant(&config)?;
        let touched = change::touched(&changes, &config);
        let known: Vec<_> = old.everybody().cloned().collect();
        let members = turn.accounts.members(&config, &known, &touched)?;
        let next = turn.listeners.next(&config)?;
        let log = if config.log.access == old.config.log.access {
            old.log.clone()
        } else {
            access_log(
                &config.log,
                std::io::IsTerminal::is_terminal(&std::io::stdout()),
            )?
        };
        // Asked only now: it takes long to read what waits for a program, or a pipe.
        if self.floor.leaving.is_cancelled() {
            return Err(ReloadError::Stopping);
        }
        next.listen()?;

        // From here on nothing fails.
        let mut served = Served::new(config, members, &next.listeners, Some(&old.ways), log);
        let forbidden = self.let_wait(&old, &mut served);
        if served.config.log.access != old.config.log.access {
            self.metrics
                .count_dropped(Log::Access, served.log.dropped());
            turn.retired.retain(AccessLog::is_shared);
            turn.retired.push(old.log.clone());
        }
        let reloaded = Reloaded {
            changes,
            at_next_start,
            warnings: change::warnings(&old.config, &served.config, &forbidden),
            logging_in: served.waiting.keys().cloned().collect(),
        };
        turn.accounts.sweep(served.everybody());
        self.publish(turn, served);
        self.open(turn, next);
        let served = self.served();
        turn.accounts.reread(served.everybody());
        let gone = old.members.iter().map(|member| &member.config.name);
        for name in gone.filter(|name| served.member(name).is_none()) {
            self.metrics.forget(name);
        }
        Ok(reloaded)
    }

    /// Opens what is new and closes what is gone.
    fn open(self: &Arc<Self>, turn: &mut Turn, next: Next) {
        let (listeners, opened) = next.commit();
        turn.listeners = listeners;
        for (desk, doors) in turn.desks.iter().zip(opened.workers) {
            doors.into_iter().for_each(|door| desk.open(door));
        }
        looking::serve(opened.admin, self, &self.control);
        turn.listeners.close(Instant::now());
        if !turn.listeners.are_closing() {
            return;
        }
        let (running, control) = (Arc::downgrade(self), self.control.clone());
        self.control.spawn(async move {
            tokio::time::sleep(GRACE).await;
            let close = move || {
                if let Some(running) = running.upgrade() {
                    running.turn().listeners.close(Instant::now());
                }
            };
            at_last(&control, close).await;
        });
    }

    /// Lets the earlier members serve on where the new ones log in as somebody else and a valid token would be lost; but not with
    /// a token that the new ones would throw away for its host or its org: these are named.
    fn let_wait(self: &Arc<Self>, old: &Served, served: &mut Served) -> Vec<String> {
        let mut forbidden = Vec::new();
        let mut waiting = BTreeMap::new();
        for member in &mut served.members {
            let name = &member.config.name;
            let Some(earlier) = old.member(name) else {
                continue;
            };
            if earlier.shares_account(member) {
                continue;
            }
            let Some(held) = earlier.tokens.current(Instant::now()) else {
                continue;
            };
            if !member.provider.accepts(&earlier.provider, &held.credential) {
                forbidden.push(name.clone());
                continue;
            }
            let meanwhile = earlier.until(member);
            let newcomer = std::mem::replace(member, meanwhile);
            let name = newcomer.config.name.clone();
            let already = old.waiting.get(&name);
            let wait = match already.filter(|already| already.member.is_as(&newcomer)) {
                Some(already) => already.clone(),
                None => self.try_until_it_logs_in(newcomer),
            };
            waiting.insert(name, wait);
        }
        served.waiting = waiting;
        forbidden
    }

    fn try_until_it_logs_in(self: &Arc<Self>, member: Arc<Member>) -> Waiting {
        let given_up = CancellationToken::new();
        let trying = Arc::new(given_up.clone().drop_guard());
        let (running, newcomer) = (Arc::downgrade(self), member.clone());
        let control = self.control.clone();
        self.control.spawn(async move {
            tokio::select! {
                () = given_up.cancelled() => {}
                () = logged_in(&newcomer) => at_last(&control, move || take_over(&running, &newcomer)).await,
            }
        });
        Waiting {
            member,
            _trying: trying,
        }
    }

    /// Hands every worker what is served from now on.
    pub(super) fn publish(&self, turn: &mut Turn, served: Served) {
        let before = self.served();
        turn.accounts.tell(served.everybody(), before.everybody());
        for desk in &mut turn.desks {
            desk.publish(&turn.shared, &served);
        }
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(served);
    }
}

/// Does on a thread of its own what must be done as soon as one can be started.
async fn at_last(control: &runtime::Handle, work: impl Fn() + Clone + Send + 'static) {
    while apart(control, work.clone()).is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends when `member` has a token. Its life says when it may try; this only goes on wanting one.
async fn logged_in(member: &Member) {
    while member
        .tokens
        .obtain(Instant::now() + PATIENCE)
        .await
        .is_err()
    {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The newcomer has logged in: it serves from now on, unless another has taken its place.
fn take_over(running: &Weak<Running>, newcomer: &Arc<Member>) {
    let Some(running) = running.upgrade() else {
        return;
    };
    let mut turn = running.turn();
    let mut served = Served::clone(&running.served());
    let name = &newcomer.config.name;
    let waits = served.waiting.remove(name);
    if !waits.is_some_and(|waiting| Arc::ptr_eq(&waiting.member, newcomer)) {
        return;
    }
    for member in &mut served.members {
        if member.config.name == *name {
            *member = newcomer.clone();
        }
    }
    running.publish(&mut turn, served);
    tracing::info!(upstream = %name, "logged in with the new configuration, which serves from now on");
}

/// How long one wait for a newcomer's token may last.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long after a failure a newcomer's token is wanted again.
const PAUSE: Duration = Duration::from_secs(2);
