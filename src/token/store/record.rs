//! What is in a record: JSON, because it is small, and a later version may add to it.
//!
//! Tokens are kept as the provider answered them, so that reading them back applies today's mapping and allow-lists.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Record, StoreError};
use crate::token::Answered;

/// The record of an account: the answer with its access token.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::token) struct Token {
    /// `None`: it is dead.
    answer: Option<Answer>,
}

/// The record of a lineage: the refresh token to be used next, and what came with it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::token) struct Grant {
    /// `None`: there is none yet.
    pub(in crate::token) refresh_token: Option<String>,
    /// The one that brought it, while nothing has shown that `refresh_token` is one: it came in an answer that could not be used, or looks
    /// like a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::token) before: Option<String>,
    /// How often one was redeemed.
    pub(in crate::token) redeemed: u64,
    /// An answer has brought a successor.
    pub(in crate::token) rotated: bool,
    /// It is being redeemed, or was without anybody hearing the answer.
    pub(in crate::token) intent: Option<Intent>,
    /// The account that redeemed it last (others may have asked for something else), and its access token.
    pub(in crate::token) account: String,
    /// What that was called, for people.
    #[serde(default)]
    pub(in crate::token) upstream: String,
    /// `None`: it is dead.
    pub(in crate::token) answer: Option<Answer>,
}

/// That the refresh token is about to be used.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::token) struct Intent {
    /// When it was first about to be.
    pub(in crate::token) first_ms: u64,
}

/// An answer with an access token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::token) struct Answer {
    body: String,
    sent_ms: u64,
    used_ms: u64,
}

impl Answer {
    /// The answer, its token last used at `used` (by the wall clock); `None`: it is no text.
    pub(in crate::token) fn new(answered: &Answered, used: Duration) -> Option<Self> {
        // A token answer is JSON, which is UTF-8.
        let body = String::from_utf8(answered.body.to_vec()).ok()?;
        Some(Self {
            body,
            sent_ms: millis(answered.sent),
            used_ms: millis(used),
        })
    }

    /// Its token was used at `now_ms`.
    pub(in crate::token) fn used(&mut self, now_ms: u64) {
        self.used_ms = now_ms;
    }

    /// The answer, and when its token was last known to be used.
    pub(in crate::token) fn open(self) -> (Answered, Duration) {
        let answered = Answered {
            body: Bytes::from(self.body),
            sent: Duration::from_millis(self.sent_ms),
        };
        (answered, Duration::from_millis(self.used_ms))
    }
}

impl Token {
    /// The answer, its token last used at `used` (by the wall clock).
    pub(in crate::token) fn new(answered: &Answered, used: Duration) -> Self {
        Self {
            answer: Answer::new(answered, used),
        }
    }

    /// No token that is good for anything.
    pub(in crate::token) fn dead() -> Self {
        Self::default()
    }

    /// Whether what another process has stored since stays: that is not ours to call dead, a later login is not undone by
    /// an earlier one, and a note of use revives nothing.
    pub(in crate::token) fn gives_way_to(&self, there: &Self) -> bool {
        match (&self.answer, &there.answer) {
            (None, _) => true,
            (Some(own), Some(there)) => there.sent_ms > own.sent_ms,
            (Some(own), None) => own.used_ms > own.sent_ms,
        }
    }

    /// The answer.
    pub(in crate::token) fn answer(self) -> Option<Answer> {
        self.answer
    }
}

/// Writes a record down.
pub(in crate::token) fn encode(record: &impl Serialize) -> Vec<u8> {
    // Text and numbers can always be written.
    serde_json::to_vec(record).unwrap_or_default()
}

/// Reads what [`encode`] wrote.
pub(in crate::token) fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, StoreError> {
    serde_json::from_slice(&record.value).map_err(|_| StoreError::Strange)
}

/// As a record keeps it.
pub(in crate::token) fn millis(wall: Duration) -> u64 {
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}
