//! One redemption, step by step, and what a record says about one that was cut short.
//!
//! A record with an intent was left by a process that died, or by an exchange whose answer nobody heard: the refresh
//! token may have been used up. Then:
//!
//! | rotation | the token is presented again |
//! |---|---|
//! | once, with grace | yes: within its grace the provider expects that. After it too, but with an alarm |
//! | unless given, and it never was | yes: it stays |
//! | unless given, and it was | yes, with an alarm: if it was used up, its successor is lost and there is nothing more to lose, and if not, all is well |
//! | stays | always; there is no intent |
//!
//! An answer that is lost is a failure like any other: the next login comes after the usual wait, until there is an answer that says
//! yes or no.
//!
//! If nothing was sent, or the endpoint said no, the record is as it was before: that try used nothing up. A successor is kept even
//! if the access token beside it cannot be used, or the answer is no more than begun, or if it looks like a word for one. Of these the
//! predecessor is known until they have brought a token, and is tried only if they are denied for good. Not of others: a good one that is
//! denied by mistake (a lock, a replica that lags) would end with all of its family where a second use is watched for.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::provider::{LoginFailure, Refused, Rotation};
use crate::secret::Secret;
use crate::telemetry::Seconds;
use crate::token::store::{Grant, Intent, Lease, Name, StoreError, millis};
use crate::token::{Exchange, Exchanged, Lineage, NotExchanged, Obtained, Presented};

/// What a redemption brought, or another's did.
pub(super) struct Redeemed {
    pub(super) obtained: Obtained,
    pub(super) name: Name,
    /// How often the lineage was redeemed.
    pub(super) redeemed: u64,
}

/// A redemption under way.
pub(super) struct Turn {
    /// `None`: the store does not work, and the operator says that nothing is lost by it.
    pub(super) lease: Option<Lease>,
    pub(super) name: Name,
    /// The record as it is in the store.
    pub(super) grant: Grant,
    pub(super) version: u64,
}

impl<E: Exchange> Inner<E> {
    pub(super) async fn redeem(self: Arc<Self>) -> Result<Redeemed, LoginFailure> {
        if let Some(text) = self.hand().unsaved.clone() {
            return Err(LoginFailure::Store { text });
        }
        let lineage = self.exchange.lineage().await?;
        let mut turn = match self.begin(&lineage).await {
            Ok(turn) => turn,
            Err(error) => self.without_store(&lineage, &error)?,
        };
        if let Some(found) = self.pick_up(&lineage, &turn.grant) {
            return Ok(found);
        }
        let before = turn.grant.clone();
        self.intend(&mut turn).await?;
        match self.present(&lineage, &mut turn).await {
            Ok(exchanged) => self.save(turn, exchanged).await,
            Err(NotExchanged { failure, presented }) => Err(match presented {
                Presented::Never | Presented::InVain | Presented::Denied => {
                    self.take_back(&mut turn, before).await;
                    failure
                }
                Presented::Perhaps => self.perhaps_used(&turn.grant, failure),
                Presented::Replaced(successor) => self
                    .save_alone(turn, &successor)
                    .await
                    .err()
                    .unwrap_or(failure),
            }),
        }
    }

    async fn begin(&self, lineage: &Lineage) -> Result<Turn, StoreError> {
        let store = &self.keeping.store;
        let lease = store.lease(&lineage.name, self.lease_wait()).await?;
        let (grant, version) = self.read(lineage).await?;
        Ok(Turn {
            lease: Some(lease),
            name: lineage.name.clone(),
            grant,
            version,
        })
    }

    /// Where the operator says that the token stays, no request fails because the store does.
    fn without_store(&self, lineage: &Lineage, error: &StoreError) -> Result<Turn, LoginFailure> {
        let account = self.account();
        if self.settings.rotation != Rotation::Stays {
            tracing::error!(%account, %error, "the refresh token cannot be read or leased: it is not used");
            return Err(unusable(error));
        }
        tracing::warn!(%account, %error, "going on with the configured refresh token");
        let seed = lineage.seed.as_ref();
        Ok(Turn {
            lease: None,
            name: lineage.name.clone(),
            grant: Grant {
                refresh_token: seed.map(|seed| seed.expose().to_owned()),
                ..Grant::default()
            },
            version: 0,
        })
    }

    /// What somebody else got since this account last looked.
    fn pick_up(&self, lineage: &Lineage, grant: &Grant) -> Option<Redeemed> {
        let seen = self.hand().seen.clone();
        let last = seen.filter(|(name, _)| *name == lineage.name);
        if grant.redeemed <= last.map_or(0, |(_, redeemed)| redeemed) {
            return None;
        }
        let found = self.in_record(lineage, grant)?;
        let alive = found.obtained.is_alive();
        alive.then_some(found)
    }

    /// Says in the record that the token is about to be used, and makes sure that nobody else may.
    async fn intend(&self, turn: &mut Turn) -> Result<(), LoginFailure> {
        if self.settings.rotation == Rotation::Stays {
            return Ok(());
        }
        let (account, now) = (self.account(), self.clock.now().wall);
        if let Some(Intent { first_ms }) = turn.grant.intent {
            let since = Duration::from_millis(millis(now).saturating_sub(first_ms));
            let ago = Seconds(since);
            match self.settings.rotation {
                Rotation::OnceWithGrace(grace) if since < grace => {
                    tracing::warn!(
                        %account,
                        since = %ago,
                        "an answer was lost: the same refresh token again, within its grace"
                    );
                }
                Rotation::UnlessGiven if !turn.grant.rotated => {}
                _ => tracing::error!(
                    %account,
                    since = %ago,
                    "the refresh token may have been used up by a login whose answer was lost: it is tried again"
                ),
            }
        }
        let first_ms = turn
            .grant
            .intent
            .map_or(millis(now), |intent| intent.first_ms);
        let intended = Grant {
            intent: Some(Intent { first_ms }),
            ..turn.grant.clone()
        };
        let written = self.put(turn, intended).await;
        written.map_err(|error| {
            tracing::error!(%account, %error, "the refresh token is not used, because its successor could not be stored");
            unusable(&error)
        })?;
        match &turn.lease {
            Some(lease) => match lease.holds().await {
                Ok(true) => Ok(()),
                Ok(false) => Err(LoginFailure::transient("another process has taken over")),
                Err(error) => Err(unusable(&error)),
            },
            None => Ok(()),
        }
    }

    async fn present(&self, lineage: &Lineage, turn: &mut Turn) -> Result<Exchanged, NotExchanged> {
        let account = self.account();
        let before = turn.grant.before.as_ref();
        let known = turn.grant.refresh_token.iter().chain(before);
        let mut known: Vec<_> = known.map(Secret::new).collect();
        known.extend(lineage.seed.clone().filter(|_| !known.is_empty()));
        let mut presented = self.exchange.exchange(&known).await;
        if let Some(failure) = denial(&presented)
            && let Some(before) = turn.grant.before.take()
        {
            tracing::error!(%account, %failure, "the refresh token is refused, and has brought nothing so far: the one before it is tried");
            known.insert(0, Secret::new(&before));
            turn.grant.refresh_token = Some(before);
            presented = self.exchange.exchange(&known).await;
        }
        // A lineage that began without a token can begin again without one.
        if let Some(failure) = refusal(&presented)
            && lineage.seed.is_none()
            && !known.is_empty()
            && let Ok(exchanged) = self.exchange.exchange(&[]).await
        {
            tracing::error!(%account, %failure, "the refresh token was lost: a new one was begun");
            return Ok(exchanged);
        }
        presented
    }

    /// That try has used nothing up.
    async fn take_back(&self, turn: &mut Turn, before: Grant) {
        if turn.lease.is_none() || turn.grant == before {
            return;
        }
        if let Err(error) = self.put(turn, before).await {
            let account = self.account();
            tracing::warn!(%account, %error, "it stays noted that the refresh token may have been used");
        }
    }

    /// `failure`, which says so too where a second use may end the grant.
    fn perhaps_used(&self, grant: &Grant, failure: LoginFailure) -> LoginFailure {
        match failure {
            LoginFailure::Transient { text, retry_after }
                if self.settings.rotation == Rotation::UnlessGiven && grant.rotated =>
            {
                LoginFailure::Transient {
                    text: format!(
                        "{text}; the refresh token may have been used up by this login: it is tried again"
                    ),
                    retry_after,
                }
            }
            other => other,
        }
    }
}

/// Why what was presented is refused, if nothing was given in its place.
fn refusal(presented: &Result<Exchanged, NotExchanged>) -> Option<&LoginFailure> {
    let not = presented.as_ref().err()?;
    let is_replaced = matches!(not.presented, Presented::Replaced(_));
    let is_refused = matches!(not.failure, LoginFailure::Refused { .. });
    (is_refused && !is_replaced).then_some(&not.failure)
}

/// What the endpoint denies the refresh token with that was presented, for good: not the account that it is of, and nothing that passes
/// by itself. Who presents the one before a token that is good ends both where a second use is watched for.
fn denial(presented: &Result<Exchanged, NotExchanged>) -> Option<&LoginFailure> {
    let not = presented.as_ref().err()?;
    let is_for_good = matches!(
        &not.failure,
        LoginFailure::Refused {
            what: Refused::Client,
            ..
        }
    );
    (matches!(not.presented, Presented::Denied) && is_for_good).then_some(&not.failure)
}

/// What the store says of itself; where others are at it, they will be done.
fn unusable(error: &StoreError) -> LoginFailure {
    let text = error.to_string();
    match error {
        StoreError::Busy(_) | StoreError::Overtaken => LoginFailure::transient(text),
        _ => LoginFailure::Store { text },
    }
}
