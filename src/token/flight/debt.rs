//! [`Debt`]: what a flight, or a look into the store, owes to everyone who waits.

use std::sync::Arc;

use super::Account;
use crate::provider::LoginFailure;
use crate::secret::random;
use crate::telemetry::Seconds;
use crate::token::life::{Arrived, Event, Landed};

/// The event that a flight owes to everyone, from before its task first runs.
pub(super) struct Debt {
    account: Arc<Account>,
    /// What is paid if nothing else is.
    least: Option<fn() -> Event>,
}

impl Debt {
    pub(super) fn new(account: &Arc<Account>, least: fn() -> Event) -> Self {
        Self {
            account: Arc::clone(account),
            least: Some(least),
        }
    }

    fn pay(&mut self, event: Event) {
        self.least = None;
        let name = self.account.name.load();
        let account = name.as_str();
        match &event {
            Event::FlightEnded { landed, .. } => match landed {
                Landed::Credential(Arrived { credential, .. }) => {
                    let lifetime = credential.lifetime();
                    tracing::info!(account, %lifetime, "token obtained");
                    if let Some(lacks) = &credential.told().lacks {
                        tracing::warn!(account, %lacks, "the token lacks scope that was asked for");
                    }
                }
                Landed::Failed { failure, .. } => tracing::warn!(account, %failure, "no token"),
                Landed::PutOff { failure, .. } => {
                    tracing::info!(account, %failure, "renewal put off");
                }
            },
            Event::Restored { found, .. } => match found {
                Some(Arrived { age, .. }) => {
                    tracing::info!(account, age = %Seconds(*age), "token restored");
                }
                None => tracing::debug!(account, "no token in the store"),
            },
            _ => {}
        }
        self.account.step(event);
        self.account.landed.send_replace(());
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        if let Some(least) = self.least {
            self.pay(least());
        }
    }
}

pub(super) async fn fly_once(mut debt: Debt) {
    let account = &debt.account;
    // A task of its own, because a panic in the source ends the task it runs in.
    let login = account.runtime.spawn(Arc::clone(account).log_in());
    let event = match login.await {
        Ok(landed) => Event::FlightEnded {
            landed,
            jitter: jitter(),
        },
        Err(error) if error.is_panic() => broken("the login panicked"),
        Err(_) => broken("the login was cut short"),
    };
    debt.pay(event);
}

pub(super) async fn restore_once(mut debt: Debt) {
    let account = &debt.account;
    let found = account.runtime.spawn(Arc::clone(account).restore()).await;
    debt.pay(Event::Restored {
        found: found.unwrap_or_default(),
        jitter: jitter(),
    });
}

pub(super) fn broken(text: &str) -> Event {
    let landed = Landed::Failed {
        failure: LoginFailure::transient(text),
        again: None,
    };
    let jitter = jitter();
    Event::FlightEnded { landed, jitter }
}

fn jitter() -> f64 {
    f64::from(u16::from_le_bytes(random())) / 65536.0
}
