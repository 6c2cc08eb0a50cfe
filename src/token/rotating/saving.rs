//! What came of a redemption goes into the store: the successor above all, before anybody gets the access token.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::redeem::{Redeemed, Turn};
use super::{Inner, SAVE};
use crate::provider::{LoginFailure, Rotation};
use crate::secret::Secret;
use crate::token::store::{self, Answer, Grant, Put, StoreError};
use crate::token::{Exchange, Exchanged, Obtained};

impl<E: Exchange> Inner<E> {
    /// Stores what came, the successor above all, before anybody gets the access token.
    pub(super) async fn save(
        self: Arc<Self>,
        turn: Turn,
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
        let presented = turn.grant.refresh_token.clone();
        let next = Grant {
            refresh_token: given.map(str::to_owned).or_else(|| presented.clone()),
            before: presented.filter(|was| given.is_some_and(|next| may_be_a_word(next, was))),
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
        self.store(turn, next, must).await?;
        Ok(redeemed)
    }

    /// Stores a successor that came with a token that cannot be used.
    pub(super) async fn save_alone(
        self: Arc<Self>,
        turn: Turn,
        successor: &Secret,
    ) -> Result<(), LoginFailure> {
        let next = Grant {
            refresh_token: Some(successor.expose().to_owned()),
            before: turn.grant.refresh_token.clone(),
            rotated: true,
            intent: None,
            ..turn.grant.clone()
        };
        self.store(turn, next, true).await
    }

    /// Stores what the record is from now on. What `must` be stored is tried until it is.
    async fn store(
        self: Arc<Self>,
        mut turn: Turn,
        next: Grant,
        must: bool,
    ) -> Result<(), LoginFailure> {
        let account = self.account();
        if turn.lease.is_none() {
            return Ok(());
        }
        let (until, mut pause) = (Instant::now() + SAVE, FIRST_PAUSE);
        loop {
            let Err(error) = self.put(&mut turn, next.clone()).await else {
                return Ok(());
            };
            if matches!(error, StoreError::Overtaken) {
                tracing::error!(%account, %error, "its successor is kept, and not the one that came here");
                return Ok(());
            }
            if !must {
                tracing::warn!(%account, %error, "the token is not stored: a restart logs in again");
                return Ok(());
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

    /// Replaces the record, which nobody else may while the lease is ours.
    pub(super) async fn put(&self, turn: &mut Turn, next: Grant) -> Result<(), StoreError> {
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

/// Whether what an answer has for a refresh token may be a word for one (`N/A`, `unchanged`, `REDACTED_BY_GATEWAY`): it is short, or has
/// no digit, and is not like the one that was presented.
fn may_be_a_word(token: &str, predecessor: &str) -> bool {
    let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
    let is_odd = token.len() < SHORTEST || (!has_digit(token) && has_digit(predecessor));
    is_odd && token.len() != predecessor.len()
}

/// Refresh tokens are longer: nobody may guess one (RFC 6749 section 10.10).
const SHORTEST: usize = 16;
const CONFLICTS: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
