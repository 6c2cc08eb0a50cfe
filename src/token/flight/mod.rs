//! [`Account`]: one account's life, shared by all who hold it, and its flights on the control runtime.
//!
//! Every event goes through [`Account::step`] under one short lock; what comes out is published to the snapshot
//! under the same lock, and acted upon after it. A flight is a task of its own: no caller can cancel it, and it
//! ends in an outcome for everyone, even if the source panics or the runtime drops it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use self::debt::{Debt, broken, fly_once, restore_once};
use super::issued::Issued;
use super::life::{Actions, Arrived, Event, Landed, Life};
use super::refusals::{Demand, Known, Refusals};
use super::{Prints, TokenSource};
use crate::clock::{Clock, Now};
use crate::provider::{Budget, LoginFailure};
use crate::telemetry::Seconds;

mod debt;

/// One account: its life, its snapshot, its flights.
pub(super) struct Account {
    /// For logs.
    pub(super) name: ArcSwap<String>,
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) clock: Clock,
    pub(super) token_timeout: Duration,
    pub(super) budget: Option<Budget>,
    pub(super) refusals: Refusals,
    pub(super) runtime: runtime::Handle,
    pub(super) life: Mutex<Kept>,
    pub(super) snapshot: ArcSwapOption<Current>,
    /// The generation of which a good answer would be news; zero: none.
    pub(super) unproven: AtomicU64,
    /// The generation of which it was told last that no new one is worth a login yet; zero: none.
    pub(super) hopeless: AtomicU64,
    /// Changes when a flight ended.
    pub(super) landed: watch::Sender<()>,
    /// The timer is to look again.
    pub(super) wake: Notify,
    /// Nobody holds the account any more.
    pub(super) closed: AtomicBool,
}

/// What the lock keeps.
pub(super) struct Kept {
    pub(super) life: Life,
    /// When the timer ticks next.
    wake_at: Option<Duration>,
}

/// The snapshot that the request path reads.
pub(super) struct Current {
    pub(super) issued: Issued,
    /// Until when it may be handed out, in nanoseconds of the monotonic clock.
    pub(super) until: AtomicU64,
    /// From when on a use is told to the life, which judges by both clocks; zero: at once.
    pub(super) tell_from: AtomicU64,
}

impl Kept {
    pub(super) fn new(life: Life) -> Mutex<Self> {
        Mutex::new(Self {
            life,
            wake_at: None,
        })
    }
}

impl Account {
    /// Tells the life what happened now, and does what it says.
    pub(super) fn step(self: &Arc<Self>, event: Event) -> Actions {
        self.step_then(self.clock.now(), event, |_, actions| actions)
    }

    /// As [`step`](Self::step), with a look at the life before anybody else has one.
    pub(super) fn step_then<T>(
        self: &Arc<Self>,
        now: Now,
        event: Event,
        look: impl FnOnce(&mut Life, Actions) -> T,
    ) -> T {
        let mut kept = self.lock();
        let actions = kept.life.step(now, event);
        let (fly, look_at_secrets) = (actions.fly, actions.look_at_secrets);
        let restore = actions.restore;
        let (noted, forgotten) = (actions.note_use.clone(), actions.forget.clone());
        let seen = look(&mut kept.life, actions);
        self.publish(&kept.life, now);
        let wake_at = kept.life.next_wake(now);
        let timer_changed = wake_at != kept.wake_at;
        kept.wake_at = wake_at;
        drop(kept);
        if restore {
            let debt = Debt::new(self, || Event::Restored {
                found: None,
                jitter: 0.0,
            });
            self.runtime.spawn(restore_once(debt));
        }
        if fly {
            let debt = Debt::new(self, || broken("the login was cut short"));
            self.runtime.spawn(fly_once(debt));
        }
        if let Some(credential) = noted {
            self.source.used(&credential);
        }
        if let Some(credential) = forgotten {
            self.source.rejected(&credential);
        }
        if look_at_secrets {
            self.runtime.spawn(secrets_look(Arc::clone(self)));
        }
        if timer_changed {
            self.wake.notify_one();
        }
        seen
    }

    /// Ticks when the life asks for it; ends when nobody holds the account.
    ///
    /// A token that nobody uses sets no timer. Nor does a gap between the clocks need one: whoever uses or awaits
    /// a token has it judged by both clocks, at the latest a second after the last such judgement.
    pub(super) async fn keep_time(self: Arc<Self>) {
        while !self.closed.load(Ordering::Acquire) {
            let wake_at = self.lock().wake_at;
            let Some(wake_at) = wake_at else {
                self.wake.notified().await;
                continue;
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(self.clock.instant(wake_at)) => {
                    self.step(Event::Tick);
                }
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, life: &Life, now: Now) {
        let unproven = life.unproven().unwrap_or_default();
        self.unproven.store(unproven, Ordering::Release);
        let Some((issued, until)) = life.view(now) else {
            self.snapshot.store(None);
            return;
        };
        let current = self.snapshot.load();
        if let Some(current) = current.as_ref()
            && Arc::ptr_eq(&current.issued.credential, &issued.credential)
            && current.issued.generation == issued.generation
        {
            current.until.store(nanos(until), Ordering::Release);
            if life.was_told(now) {
                let tell_from = nanos(now.mono + TELL_EVERY);
                current.tell_from.store(tell_from, Ordering::Relaxed);
            }
            return;
        }
        self.snapshot.store(Some(Arc::new(Current {
            issued: issued.clone(),
            until: AtomicU64::new(nanos(until)),
            tell_from: AtomicU64::new(0),
        })));
    }

    /// One login in its turn, with deadlines on every wait but the turn's (whoever is ahead has deadlines too).
    async fn log_in(self: Arc<Self>) -> Landed {
        let prints = match self.prints().await {
            Ok(prints) => prints,
            Err(failure) => {
                return Landed::Failed {
                    failure,
                    again: None,
                };
            }
        };
        let demand = Demand {
            budget: self.budget,
            can_wait: self.lock().life.can_wait(self.clock.now()),
        };
        let ticket = match self.refusals.admit(prints, demand).await {
            Ok(ticket) => ticket,
            Err(Known {
                failure,
                again,
                put_off,
            }) => {
                let again = again.map(|at| self.clock.mono(at));
                return match again.filter(|_| put_off) {
                    Some(until) => Landed::PutOff { until, failure },
                    None => Landed::Failed { failure, again },
                };
            }
        };
        let sent = self.clock.now();
        // The source ends by itself, and knows better what did not answer.
        let longest = self.token_timeout + self.source.extra() + GUARD;
        let outcome = match timeout(longest, self.source.login()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = format!("no answer within {}", Seconds(longest));
                Err(LoginFailure::transient(text))
            }
        };
        let again = ticket.close(&outcome, Instant::now());
        match outcome {
            Ok(obtained) => Landed::Credential(Arrived {
                credential: Arc::new(obtained.credential),
                sent,
                age: obtained.age,
            }),
            Err(failure) => Landed::Failed {
                failure,
                again: again.map(|at| self.clock.mono(at)),
            },
        }
    }

    async fn restore(self: Arc<Self>) -> Option<Arrived> {
        let sent = self.clock.now();
        let found = timeout(RESTORE_TIMEOUT, self.source.restore()).await;
        let obtained = found.ok().flatten()?;
        if let Ok(prints) = self.prints().await {
            self.refusals.were_good(prints);
        }
        Some(Arrived {
            credential: Arc::new(obtained.credential),
            sent,
            age: obtained.age,
        })
    }

    /// Who would log in now, and with what.
    pub(super) async fn prints(&self) -> Result<Prints, LoginFailure> {
        let prints = timeout(SECRETS_TIMEOUT, self.source.secrets());
        prints.await.unwrap_or_else(|_| {
            Err(LoginFailure::Secret {
                text: format!(
                    "reading the secrets took longer than {}",
                    Seconds(SECRETS_TIMEOUT)
                ),
            })
        })
    }
}

/// Tells the life if the secrets are other ones than those that were refused.
pub(super) async fn secrets_look(account: Arc<Account>) {
    if let Ok(prints) = account.prints().await
        && !account.refusals.knows(prints)
    {
        account.step(Event::SecretsChanged);
    }
}

/// A duration of the monotonic clock as the snapshot keeps it.
pub(super) fn nanos(mono: Duration) -> u64 {
    u64::try_from(mono.as_nanos()).unwrap_or(u64::MAX)
}

/// How often a use is told to the life.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// By how much a login may be late.
const GUARD: Duration = Duration::from_secs(1);
/// The deadline of a look into the store: a little more than the store has.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(6);
/// The deadline of reading the secrets: a little more than a secret's program has.
const SECRETS_TIMEOUT: Duration = Duration::from_secs(12);
