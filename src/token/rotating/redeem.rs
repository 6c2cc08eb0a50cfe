//! One redemption, step by step, and what a record says about one that was cut short.
//!
//! A record with an intent was left by a process that died, or by an exchange whose answer nobody heard: the refresh
//! token may have been used up. Then:
//!
//! | rotation | the token is presented again |
//! |---|---|
//! | once, with grace | yes: within its grace the provider expects that. After it too, but with an alarm |
//! | unless given, and it never was | yes: it stays |
//! | unless given, and it was | once, with an alarm; if that is not answered either, a person must act |
//! | stays | always; there is no intent |
//!
//! If nothing was sent, or the endpoint said no, the record is as it was before: that try used nothing up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Inner, SAVE};
use crate::provider::{LoginFailure, Refused, Rotation};
use crate::secret::Secret;
use crate::telemetry::Seconds;
use crate::token::store::{self, Answer, Grant, Intent, Lease, Name, Put, StoreError, millis};
use crate::token::{Exchange, Exchanged, Lineage, NotExchanged, Obtained, Presented};

/// What a redemption brought, or another's did.
pub(super) struct Redeemed {
    pub(super) obtained: Obtained,
    pub(super) name: Name,
    /// How often the lineage was redeemed.
    pub(super) redeemed: u64,
}

/// A redemption under way.
struct Turn {
    /// `None`: the store does not work, and the operator says that nothing is lost by it.
    lease: Option<Lease>,
    name: Name,
    /// The record as it is in the store.
    grant: Grant,
    version: u64,
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
        let lost_before = turn.grant.intent.is_some();
        let before = turn.grant.clone();
        self.intend(&mut turn).await?;
        match self.present(&lineage, &turn).await {
            Ok(exchanged) => self.save(turn, exchanged).await,
            Err(NotExchanged { failure, presented }) => {
                if presented != Presented::Perhaps {
                    self.take_back(&mut turn, before).await;
                    return Err(failure);
                }
                Err(self.perhaps_used(&turn.grant, lost_before, failure))
            }
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
                    "the refresh token may have been used up by a login whose answer was lost: it is tried once more"
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

    async fn present(&self, lineage: &Lineage, turn: &Turn) -> Result<Exchanged, NotExchanged> {
        let token = turn.grant.refresh_token.as_ref().map(Secret::new);
        let presented = self.exchange.exchange(token.as_ref()).await;
        // A lineage that began without a token can begin again without one.
        if let Err(NotExchanged { failure, .. }) = &presented
            && matches!(failure, LoginFailure::Refused { .. })
            && lineage.seed.is_none()
            && token.is_some()
            && let Ok(exchanged) = self.exchange.exchange(None).await
        {
            let account = self.account();
            tracing::error!(%account, %failure, "the refresh token was lost: a new one was begun");
            return Ok(exchanged);
        }
        presented
    }

    /// Stores what came, the successor above all, before anybody gets the access token.
    async fn save(
        self: Arc<Self>,
        mut turn: Turn,
        exchanged: Exchanged,
    ) -> Result<Redeemed, LoginFailure> {
        let account = self.account();
        let successor = exchanged.successor.as_ref().map(Secret::expose);
        let given = successor.filter(|next| turn.grant.refresh_token.as_deref() != Some(*next));
        if self.settings.rotation == Rotation::Stays && given.is_some() {
            tracing::error!(
                %account,
                "rotates = \"never\", but the provider has replaced the refresh token: unless it is stored, the grant ends with this process"
            );
        }
        let answer = &exchanged.answer;
        let next = Grant {
            refresh_token: given
                .map(str::to_owned)
                .or_else(|| turn.grant.refresh_token.clone()),
            redeemed: turn.grant.redeemed + 1,
            rotated: turn.grant.rotated || given.is_some(),
            intent: None,
            account: self.settings.asks.clone(),
            upstream: account.to_string(),
            answer: Answer::new(answer, answer.sent),
        };
        let must = given.is_some();
        let redeemed = Redeemed {
            obtained: Obtained::from(exchanged.credential),
            name: turn.name.clone(),
            redeemed: next.redeemed,
        };
        if turn.lease.is_none() {
            return Ok(redeemed);
        }
        let (until, mut pause) = (Instant::now() + SAVE, FIRST_PAUSE);
        loop {
            let Err(error) = self.put(&mut turn, next.clone()).await else {
                return Ok(redeemed);
            };
            if matches!(error, StoreError::Overtaken) {
                tracing::error!(%account, %error, "its successor is kept, and not the one that came here");
                return Ok(redeemed);
            }
            if !must {
                tracing::warn!(%account, %error, "the token is not stored: a restart logs in again");
                return Ok(redeemed);
            }
            if Instant::now() >= until {
                let text = format!("the next refresh token cannot be stored: {error}");
                tracing::error!(%account, %error, "the next refresh token is not stored yet: it is tried until it is, and nobody gets the token");
                self.hand().unsaved = Some(text.clone());
                self.keep_saving(turn, next);
                return Err(LoginFailure::Store { text });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Goes on until the successor is stored, and holds the lease until then: nobody else may use its predecessor.
    fn keep_saving(self: Arc<Self>, mut turn: Turn, next: Grant) {
        let under_way = self.keeping.unfinished.begin();
        let runtime = self.keeping.runtime.clone();
        runtime.spawn(async move {
            let _under_way = under_way;
            let account = self.account();
            loop {
                match self.put(&mut turn, next.clone()).await {
                    Ok(()) => {
                        break tracing::info!(%account, "the next refresh token is stored now");
                    }
                    Err(error @ StoreError::Overtaken) => {
                        break tracing::error!(%account, %error, "its successor is kept");
                    }
                    Err(_) => sleep(LONGEST_PAUSE).await,
                }
            }
            self.hand().unsaved = None;
        });
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

    fn perhaps_used(
        &self,
        grant: &Grant,
        lost_before: bool,
        failure: LoginFailure,
    ) -> LoginFailure {
        let gone = self.settings.rotation == Rotation::UnlessGiven && grant.rotated;
        if !(gone && lost_before) {
            return failure;
        }
        LoginFailure::Refused {
            what: Refused::Client,
            text: format!(
                "the refresh token may have been used up by a login whose answer was lost ({failure}): a new one is needed, \
                 or a word from you to try it once more"
            ),
        }
    }

    /// Replaces the record, which nobody else may while the lease is ours.
    async fn put(&self, turn: &mut Turn, next: Grant) -> Result<(), StoreError> {
        let value = store::encode(&next);
        let store = &self.keeping.store;
        for _ in 0..CONFLICTS {
            match store.put(&turn.name, turn.version, value.clone()).await? {
                Put::Done(version) => {
                    (turn.version, turn.grant) = (version, next);
                    return Ok(());
                }
                Put::Conflict => {
                    // A write of ours that was given up may have been done all the same.
                    let Some(there) = store.get(&turn.name).await? else {
                        turn.version = 0;
                        continue;
                    };
                    let stored: Grant = store::decode(&there)?;
                    if stored.redeemed > turn.grant.redeemed && stored != next {
                        return Err(StoreError::Overtaken);
                    }
                    turn.version = there.version;
                }
            }
        }
        Err(StoreError::Busy("the record changes all the time"))
    }
}

/// What the store says of itself; where others are at it, they will be done.
fn unusable(error: &StoreError) -> LoginFailure {
    let text = error.to_string();
    match error {
        StoreError::Busy(_) | StoreError::Overtaken => LoginFailure::transient(text),
        _ => LoginFailure::Store { text },
    }
}

const CONFLICTS: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
