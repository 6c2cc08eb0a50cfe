//! Refresh tokens: whose they are, which of them are spent, and which family they belong to.
//!
//! A family is all that came from one first token. What a spent one is good for, each provider
//! decides by itself. Time is given by the caller.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::world::{Site, random_text};

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) user: String,
    /// The login host that takes it.
    pub(super) login: Site,
    pub(super) family: u64,
    pub(super) issued: Duration,
    /// When it was first used.
    pub(super) spent: Option<Duration>,
    /// What was last returned for it.
    pub(super) successor: Option<String>,
}

/// All refresh tokens.
#[derive(Debug, Default)]
pub(super) struct RefreshTokens {
    tokens: HashMap<String, Refresh>,
    /// Those that a request under way has.
    taken: HashSet<String>,
    families: u64,
}

impl RefreshTokens {
    /// The first token of a new family.
    pub(super) fn start(&mut self, login: Site, user: &str, now: Duration) -> String {
        self.families += 1;
        let first = Refresh {
            user: user.to_owned(),
            family: self.families,
            login,
            issued: now,
            spent: None,
            successor: None,
        };
        self.add(first)
    }

    /// Spends `token` and returns its successor.
    pub(super) fn succeed(&mut self, token: &str, now: Duration) -> Option<String> {
        let old = self.tokens.get_mut(token)?;
        old.spent.get_or_insert(now);
        let next = Refresh {
            issued: now,
            spent: None,
            successor: None,
            ..old.clone()
        };
        let successor = self.add(next);
        if let Some(old) = self.tokens.get_mut(token) {
            old.successor = Some(successor.clone());
        }
        Some(successor)
    }

    pub(super) fn get(&self, token: &str) -> Option<&Refresh> {
        self.tokens.get(token)
    }

    /// Takes a token for one request; not if another has it.
    pub(super) fn take(&mut self, token: &str) -> bool {
        self.taken.insert(token.to_owned())
    }

    pub(super) fn release(&mut self, token: &str) {
        self.taken.remove(token);
    }

    /// The families of those that `which` names.
    pub(super) fn families(&self, which: impl Fn(&Refresh) -> bool) -> HashSet<u64> {
        let named = self.tokens.values().filter(|token| which(token));
        named.map(|token| token.family).collect()
    }

    pub(super) fn end(&mut self, family: u64) {
        self.tokens.retain(|_, token| token.family != family);
    }

    fn add(&mut self, refresh: Refresh) -> String {
        if self.tokens.len() >= MOST {
            let first = self.tokens.iter().min_by_key(|(_, token)| token.issued);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.tokens.remove(&token);
            }
        }
        let token = format!("1{}", random_text(LENGTH));
        self.tokens.insert(token.clone(), refresh);
        token
    }
}

const MOST: usize = 10_000;
const LENGTH: usize = 63;
