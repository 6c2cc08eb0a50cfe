//! What follows from the difference between two configurations.

use std::collections::BTreeSet;

use super::{ReloadError, Reloaded};
use crate::config::{Change, Config, Store, What};

/// The upstreams of which something is written in another way.
pub(super) fn touched<'a>(changes: &[Change], config: &'a Config) -> BTreeSet<&'a str> {
    let is_touched = |name: &str| {
        changes.iter().any(|Change { section, .. }| {
            let parts: Vec<_> = section.split('.').collect();
            match parts.as_slice() {
                ["upstream", of, ..] => *of == name,
                [first, ..] => ["outbound", "defaults"].contains(first),
                [] => false,
            }
        })
    };
    let names = config
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str());
    names.filter(|name| is_touched(name)).collect()
}

/// Puts the old values back where a change takes effect at the next start only; names those keys.
pub(super) fn leave_for_next_start(
    changes: &[Change],
    old: &Config,
    config: &mut Config,
) -> Vec<String> {
    let mut keys = Vec::new();
    for change in changes.iter().filter(|change| change.what == What::Changed) {
        let section = change.section.as_str();
        for key in change
            .keys
            .iter()
            .filter(|key| is_for_next_start(section, key))
        {
            keys.push(format!("{section}.{key}"));
            config.written.set_as_in(&old.written, section, key);
        }
    }
    config.server.workers = old.server.workers;
    config.server.state.clone_from(&old.server.state);
    config.server.limits = old.server.limits.clone();
    config.log.level.clone_from(&old.log.level);
    config.log.format = old.log.format;
    config.store.clone_from(&old.store);
    keys
}

/// A store that the configuration asks for, and that is not there before the next start, keeps nothing.
pub(super) fn lose_no_grant(config: &Config) -> Result<(), ReloadError> {
    let mut upstreams = config.upstreams.iter();
    let volatile = upstreams.find(|upstream| upstream.needs_durable_store());
    match (volatile, &config.store) {
        (Some(upstream), Store::Memory) => Err(ReloadError::Refused(format!(
            "[upstream.{}] needs the store, which takes effect at the next start only: restart",
            upstream.name
        ))),
        _ => Ok(()),
    }
}

fn is_for_next_start(section: &str, key: &str) -> bool {
    match section {
        "server" => ["workers", "state"].contains(&key),
        "log" => ["level", "format"].contains(&key),
        "server.limits" | "store" => true,
        _ => false,
    }
}

/// What an operator may not mean. `forbidden` are the upstreams whose token the new configuration would throw away.
pub(super) fn warnings(old: &Config, config: &Config, forbidden: &[String]) -> Vec<String> {
    let keys = |config: &Config| config.access.keys.as_ref().map(Vec::len);
    let of_keys = match (keys(old), keys(config)) {
        (Some(_), None) => Some(NO_KEY_NEEDED.to_owned()),
        (_, Some(0)) => Some(NOBODY.to_owned()),
        _ => None,
    };
    let forbidden = forbidden.iter();
    let forbidden = forbidden.map(|upstream| format!("{upstream} {FORBIDDEN}"));
    of_keys.into_iter().chain(forbidden).collect()
}

pub(super) fn tell(reloaded: &Reloaded) {
    if reloaded.changes.is_empty() {
        tracing::info!("the configuration was read again: nothing changed");
    }
    for change in &reloaded.changes {
        tracing::info!(%change, "the configuration was read again");
    }
    for key in &reloaded.at_next_start {
        tracing::warn!(key, "takes effect at the next start only");
    }
    for warning in &reloaded.warnings {
        tracing::warn!("{warning}");
    }
    for upstream in &reloaded.logging_in {
        tracing::info!(upstream, "logs in anew; it serves as before until it has");
    }
}

const NO_KEY_NEEDED: &str = "callers need no key any more: there are no `keys` in [access]; to let nobody in until there is one again, write keys = []";
const FORBIDDEN: &str = "has no token until it has logged in anew: the one that it had is for a host, or of an org, that the new configuration does not allow";
const NOBODY: &str = "nobody is let in: `keys` of [access] is an empty list (UA-0146)";
