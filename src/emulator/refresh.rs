//! Refresh tokens: where they are good, and which of them are spent. What a spent one is good for,
//! each provider decides by itself. Time is given by the caller.

use std::collections::HashMap;
use std::time::Duration;

use super::world::{Site, random_text};

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    /// The login host that takes it.
    pub(super) login: Site,
    pub(super) issued: Duration,
    /// When it was first used.
    pub(super) spent: Option<Duration>,
    /// What was last returned for it.
    pub(super) successor: Option<String>,
}

/// All refresh tokens.
#[derive(Debug, Default)]
pub(super) struct RefreshTokens(HashMap<String, Refresh>);

impl RefreshTokens {
    /// A first one.
    pub(super) fn start(&mut self, login: Site, now: Duration) -> String {
        let first = Refresh {
            login,
            issued: now,
            spent: None,
            successor: None,
        };
        self.add(first)
    }

    /// Spends `token` and returns its successor.
    pub(super) fn succeed(&mut self, token: &str, now: Duration) -> Option<String> {
        let old = self.0.get_mut(token)?;
        old.spent.get_or_insert(now);
        let next = Refresh {
            issued: now,
            spent: None,
            successor: None,
            ..old.clone()
        };
        let successor = self.add(next);
        if let Some(old) = self.0.get_mut(token) {
            old.successor = Some(successor.clone());
        }
        Some(successor)
    }

    pub(super) fn get(&self, token: &str) -> Option<&Refresh> {
        self.0.get(token)
    }

    fn add(&mut self, refresh: Refresh) -> String {
        if self.0.len() >= MOST {
            let first = self.0.iter().min_by_key(|(_, token)| token.issued);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.0.remove(&token);
            }
        }
        let token = format!("1{}", random_text(LENGTH));
        self.0.insert(token.clone(), refresh);
        token
    }
}

const MOST: usize = 10_000;
const LENGTH: usize = 63;
