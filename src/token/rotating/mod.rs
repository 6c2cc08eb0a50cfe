//! [`Rotating`]: a token source whose logins redeem a refresh token that may have a successor.
//!
//! The record of the lineage holds the refresh token to be used next, and what came with it. A login is, in this
//! order: *lease* · read · *intent written* · *lease checked* · *redeem* · *successor stored, and the intent with it
//! cleared* · handed out. Killed anywhere, the next process goes on from the record: see [`redeem`]. Others that share
//! the lineage wait for the lease, and find in the record what its holder got.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::kept::{self, Keeping};
use super::store::{self, Grant, Name, StoreError, millis};
use super::{Exchange, Lineage, LoginFuture, Obtained, RestoreFuture, SecretsFuture, TokenSource};
use crate::clock::Clock;
use crate::provider::{CarrierForm, Credential, LoginFailure, Rotation};
use crate::secret::{Fingerprint, Fingerprinter};

mod redeem;
mod saving;

use self::redeem::Redeemed;

/// A token source over `E`, whose refresh token has a lineage in a store.
pub struct Rotating<E>(Arc<Inner<E>>);

/// What is particular to one account among those that share a lineage.
#[derive(Clone)]
pub struct Redeeming {
    /// For logs, at first.
    pub account: String,
    /// Who may take over an access token from another: whoever asks for the same.
    pub asks: String,
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// How long one exchange may take.
    pub token_timeout: Duration,
}

struct Inner<E> {
    exchange: E,
    clock: Clock,
    prints: Fingerprinter,
    keeping: Keeping,
    account: ArcSwap<String>,
    settings: Redeeming,
    hand: Mutex<Hand>,
}

/// What this process has in hand.
#[derive(Default)]
struct Hand {
    /// Of which lineage, and how often that was redeemed when the record was last looked at for this account.
    seen: Option<(Name, u64)>,
    /// The access token that came with it.
    token: Option<Fingerprint>,
    /// Why the next refresh token is not stored yet, while that is tried again and again.
    unsaved: Option<String>,
}

impl<E: Exchange> Rotating<E> {
    /// A source that redeems with `exchange`, and keeps what comes of it in `keeping`.
    pub fn new(exchange: E, clock: Clock, keeping: Keeping, settings: Redeeming) -> Self {
        Self(Arc::new(Inner {
            exchange,
            clock,
            prints: Fingerprinter::new(),
            keeping,
            account: ArcSwap::from_pointee(settings.account.clone()),
            settings,
            hand: Mutex::default(),
        }))
    }
}

impl<E: Exchange> TokenSource for Rotating<E> {
    /// A task of its own: a redemption that has begun goes on, whatever becomes of who asked for it.
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(async {
            let inner = Arc::clone(&self.0);
            let under_way = self.0.keeping.unfinished.begin();
            let redeeming = self.0.keeping.runtime.spawn(async move {
                let _under_way = under_way;
                inner.redeem().await
            });
            let redeemed = redeeming.await;
            let redeemed = redeemed
                .unwrap_or_else(|_| Err(LoginFailure::transient("the redemption was cut short")))?;
            Ok(self.0.take(redeemed))
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        self.0.exchange.secrets()
    }

    fn reread(&self) {
        self.0.exchange.reread();
    }

    fn rename(&self, account: &str) {
        self.0.account.store(Arc::new(account.to_owned()));
    }

    fn extra(&self) -> Duration {
        self.0.settings.token_timeout + LEASE_LONGER + SAVE + Duration::from_secs(5)
    }

    fn keeps(&self) -> bool {
        true
    }

    fn restore(&self) -> RestoreFuture<'_> {
        Box::pin(async {
            let lineage = self.0.exchange.lineage().await.ok()?;
            match self.0.read(&lineage).await {
                Ok((grant, _)) => {
                    let found = self.0.in_record(&lineage, &grant)?;
                    Some(self.0.take(found))
                }
                Err(error) => {
                    let account = self.0.account();
                    tracing::error!(%account, %error, "the stored refresh token cannot be read");
                    None
                }
            }
        })
    }

    fn used(&self, credential: &Credential) {
        let now = millis(self.0.clock.now().wall);
        self.amend(credential, move |grant| {
            if let Some(answer) = &mut grant.answer {
                answer.used(now);
            }
        });
    }

    fn rejected(&self, credential: &Credential) {
        self.amend(credential, |grant| grant.answer = None);
    }
}

impl<E: Exchange> Rotating<E> {
    /// Changes what the record says of the access token in hand, if that is `credential` and nobody has redeemed since.
    fn amend(&self, credential: &Credential, change: impl FnOnce(&mut Grant) + Send + 'static) {
        let hand = self.0.hand();
        let ours = hand.token == Some(self.0.print(credential));
        let Some((name, seen)) = hand.seen.clone().filter(|_| ours) else {
            return;
        };
        drop(hand);
        let (inner, under_way) = (Arc::clone(&self.0), self.0.keeping.unfinished.begin());
        self.0.keeping.runtime.spawn(async move {
            let _under_way = under_way;
            if let Err(error) = inner.amend(&name, seen, change).await {
                let account = inner.account();
                tracing::warn!(%account, %error, "the record of the refresh token is not up to date");
            }
        });
    }
}

impl<E: Exchange> Inner<E> {
    async fn amend(
        &self,
        name: &Name,
        seen: u64,
        change: impl FnOnce(&mut Grant) + Send,
    ) -> Result<(), StoreError> {
        let store = &self.keeping.store;
        // Whoever redeems writes under its lease and must not be disturbed.
        let _lease = store.lease(name, self.lease_wait()).await?;
        let Some(record) = store.get(name).await? else {
            return Ok(());
        };
        let mut grant: Grant = store::decode(&record)?;
        if grant.redeemed == seen && grant.account == self.settings.asks {
            change(&mut grant);
            store
                .put(name, record.version, store::encode(&grant))
                .await?;
        }
        Ok(())
    }

    /// The grant of `lineage` and the version of its record; of a new lineage it is the configured token.
    async fn read(&self, lineage: &Lineage) -> Result<(Grant, u64), StoreError> {
        match self.keeping.store.get(&lineage.name).await? {
            Some(record) => Ok((store::decode(&record)?, record.version)),
            None => {
                let seed = lineage.seed.as_ref();
                let grant = Grant {
                    refresh_token: seed.map(|seed| seed.expose().to_owned()),
                    ..Grant::default()
                };
                Ok((grant, 0))
            }
        }
    }

    /// The access token that the record holds for this account.
    fn in_record(&self, lineage: &Lineage, grant: &Grant) -> Option<Redeemed> {
        let ours = grant.account == self.settings.asks;
        let answer = grant.answer.clone().filter(|_| ours)?;
        let now = self.clock.now().wall;
        let account = self.account();
        let (obtained, _) = kept::reread(&self.exchange, answer, now, &account)?;
        Some(Redeemed {
            obtained,
            name: lineage.name.clone(),
            redeemed: grant.redeemed,
        })
    }

    /// What was redeemed is in hand from now on.
    fn take(&self, redeemed: Redeemed) -> Obtained {
        let token = self.print(&redeemed.obtained.credential);
        let mut hand = self.hand();
        hand.seen = Some((redeemed.name, redeemed.redeemed));
        hand.token = Some(token);
        redeemed.obtained
    }

    fn print(&self, credential: &Credential) -> Fingerprint {
        let token = credential.value(CarrierForm::Token);
        self.prints.of([token.as_bytes()])
    }

    /// For logs.
    fn account(&self) -> Arc<String> {
        self.account.load_full()
    }

    fn lease_wait(&self) -> Duration {
        self.settings.token_timeout + LEASE_LONGER
    }

    /// Invariant: nothing panics while it is locked, so a poisoned lock holds whole values.
    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By how much a lease is waited for longer than an exchange takes: its holder has to store what came of it.
const LEASE_LONGER: Duration = Duration::from_secs(5);
/// For how long a login waits until the successor is stored; it is tried for longer.
const SAVE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
