//! [`Handle`]: what the proxy holds of an account. The current credential is a lock-free read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::TokenSource;
use super::flight::{Account, Kept, nanos, secrets_look};
use super::issued::{Issued, Rejected, Unavailable};
use super::life::{Event, Life};
use super::refusals::Refusals;
use super::status::Status;
use crate::clock::Clock;
use crate::provider::Budget;

#[cfg(test)]
mod claims;
#[cfg(test)]
mod known;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod threads;

/// What is particular to one account's logins.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long one login may take.
    pub token_timeout: Duration,
    /// How many logins the provider grants.
    pub budget: Option<Budget>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_timeout: Duration::from_secs(15),
            budget: None,
        }
    }
}

/// An account's credential. Cheap to clone; shared by all workers and upstreams of the account.
#[derive(Clone)]
pub struct Handle(Arc<Holder>);

/// All handles together; the account's timer ends with it.
struct Holder(Arc<Account>);

impl Handle {
    /// An account whose flights run on `runtime`. Nobody logs in before a token is wanted.
    pub fn spawn(
        name: String,
        source: Arc<dyn TokenSource>,
        clock: Clock,
        settings: Settings,
        refusals: Refusals,
        runtime: &runtime::Handle,
    ) -> Self {
        let Settings {
            token_timeout,
            budget,
        } = settings;
        let mut life = Life::new(clock.now(), token_timeout);
        if source.keeps() {
            life = life.with_store();
        }
        let account = Arc::new(Account {
            name: ArcSwap::from_pointee(name),
            source,
            clock,
            token_timeout,
            budget,
            refusals,
            runtime: runtime.clone(),
            life: Kept::new(life),
            snapshot: ArcSwapOption::empty(),
            unproven: AtomicU64::new(0),
            hopeless: AtomicU64::new(0),
            landed: watch::Sender::new(()),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
        });
        runtime.spawn(Arc::clone(&account).keep_time());
        Self(Arc::new(Holder(account)))
    }

    /// The current credential if it is valid at `now`: a lock-free read, never a wait.
    ///
    /// Once a second of use the life is told under its lock: it judges by both clocks and renews early if due.
    pub fn current(&self, now: Instant) -> Option<Issued> {
        let account = self.account();
        let mono = nanos(account.clock.mono(now));
        let snapshot = account.snapshot.load();
        let current = snapshot.as_ref()?;
        if mono >= current.until.load(Ordering::Acquire) {
            return None;
        }
        if mono < current.tell_from.load(Ordering::Relaxed) {
            return Some(current.issued.clone());
        }
        let now = account.clock.at(now);
        account.step_then(now, Event::Used, |life, _| {
            life.view(now).map(|(issued, _)| issued.clone())
        })
    }

    /// Waits for a valid credential until `deadline`. Cancel-safe: dropping it cancels nothing.
    pub async fn obtain(&self, deadline: Instant) -> Result<Issued, Unavailable> {
        self.obtain_after(0, deadline).await
    }

    /// The same for one who met a dead session with `generation`: the credential is a newer one, even if others get that
    /// for lack of a better one.
    pub async fn obtain_after(
        &self,
        generation: u64,
        deadline: Instant,
    ) -> Result<Issued, Unavailable> {
        let account = self.account();
        let mut landed = account.landed.subscribe();
        let _waiter = Waiter::new(account);
        loop {
            if let Some(answer) = account.answer(generation, deadline) {
                return answer;
            }
            if timeout_at(deadline, landed.changed()).await.is_err() {
                return account.answer(generation, deadline).unwrap_or(Err(TIMEOUT));
            }
        }
    }

    /// The upstream said that this credential is dead: it is no longer handed out, unless the answer says otherwise or no
    /// login brings another.
    pub fn reject(&self, issued: &Issued) -> Rejected {
        let (account, generation) = (self.account(), issued.generation);
        let actions = account.step(Event::Rejected { generation });
        let verdict = actions.verdict.unwrap_or(Rejected::Renewing);
        let told = &account.hopeless;
        if verdict == Rejected::Exhausted && told.swap(generation, Ordering::Relaxed) != generation
        {
            let account = account.name.load();
            tracing::warn!(%account, "the upstream refuses tokens again and again: its answers pass, and the next login is put off");
        }
        verdict
    }

    /// A good answer came with this credential; one atomic load when that is no news.
    pub fn confirm(&self, issued: &Issued) {
        let account = self.account();
        let generation = issued.generation;
        if account.unproven.load(Ordering::Relaxed) == generation {
            account.step(Event::Proven { generation });
        }
    }

    /// An operator asks for a new token: forgets refusals, logs in now (or joins the login under way), and says how
    /// that one login ended. A valid credential stays if it failed.
    pub async fn renew(&self, deadline: Instant) -> Result<Issued, Unavailable> {
        let account = self.account();
        account.source.reread();
        if let Ok(Ok(prints)) = timeout_at(deadline, account.prints()).await {
            account.refusals.forget(prints.user);
        }
        let mut landed = account.landed.subscribe();
        let before = account.step_then(account.clock.now(), Event::OperatorRetry, |life, _| {
            life.logins()
        });
        loop {
            let ended = timeout_at(deadline, landed.changed()).await;
            let now = account.clock.now();
            let outcome = account.step_then(now, Event::Tick, |life, _| {
                (life.logins() > before)
                    .then(|| life.outcome(now))
                    .flatten()
            });
            match outcome {
                Some(outcome) => return outcome,
                None if ended.is_err() => return Err(TIMEOUT),
                None => {}
            }
        }
    }

    /// An operator says that files may be other ones now: what failed because of them may be tried again. Ends when the
    /// secrets behind a refusal were looked at.
    pub async fn reread(&self) {
        let account = self.account();
        account.source.reread();
        let refused = account.step_then(account.clock.now(), Event::Reread, |life, _| {
            life.waits_for_secrets()
        });
        if refused {
            secrets_look(Arc::clone(account)).await;
        }
    }

    /// Keeps a credential ready from now on although nobody uses it, or no longer: logs in at once if there is none.
    pub fn keep_warm(&self, warm: bool) {
        self.account().step(Event::Warm(warm));
    }

    /// What logs call the account from now on.
    pub fn rename(&self, name: &str) {
        self.account().name.store(Arc::new(name.to_owned()));
        self.account().source.rename(name);
    }

    /// What an operator may know. Never the token.
    pub fn status(&self) -> Status {
        let account = self.account();
        let now = account.clock.now();
        account.step_then(now, Event::Tick, |life, _| life.status(now))
    }

    fn account(&self) -> &Arc<Account> {
        &self.0.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.account().name.load();
        f.debug_tuple("Handle").field(&**name).finish()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Account {
    fn answer(
        self: &Arc<Self>,
        newer_than: u64,
        deadline: Instant,
    ) -> Option<Result<Issued, Unavailable>> {
        let now = self.clock.now();
        let deadline = self.clock.mono(deadline);
        self.step_then(now, Event::Tick, |life, _| {
            life.answer(now, newer_than, deadline)
        })
    }
}

/// One who waits; a flight begins only while there is one.
struct Waiter<'a>(&'a Arc<Account>);

impl<'a> Waiter<'a> {
    fn new(account: &'a Arc<Account>) -> Self {
        account.step(Event::Wanted);
        Self(account)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.step(Event::Left);
    }
}

const TIMEOUT: Unavailable = Unavailable::Timeout {
    retry_after: Duration::from_secs(1),
};
