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

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    body: String,
    sent_ms: u64,
    used_ms: u64,
}

impl Token {
    /// The answer, its token last used at `used` (by the wall clock).
    pub(in crate::token) fn new(answered: &Answered, used: Duration) -> Self {
        // A token answer is JSON, which is UTF-8.
        let body = String::from_utf8(answered.body.to_vec()).ok();
        Self {
            answer: body.map(|body| Answer {
                body,
                sent_ms: millis(answered.sent),
                used_ms: millis(used),
            }),
        }
    }

    /// No token that is good for anything.
    pub(in crate::token) fn dead() -> Self {
        Self::default()
    }

    /// Whether it says that there is none.
    pub(in crate::token) fn is_dead(&self) -> bool {
        self.answer.is_none()
    }

    /// The answer, and when its token was last known to be used.
    pub(in crate::token) fn answer(self) -> Option<(Answered, Duration)> {
        let answer = self.answer?;
        let answered = Answered {
            body: Bytes::from(answer.body),
            sent: Duration::from_millis(answer.sent_ms),
        };
        Some((answered, Duration::from_millis(answer.used_ms)))
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

fn millis(wall: Duration) -> u64 {
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}
