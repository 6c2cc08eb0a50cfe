//! `[defaults.upstream]`: what holds for every upstream that does not say otherwise.
//!
//! Each upstream inherits its keys, see `Section::inherit`; a default may be of use to some providers only.

use super::nearest::did_you_mean;
use super::reading::Reading;
use super::section::{Section, join};
use super::upstream::{LATER, PROVIDER_KEYS};
use crate::code;

/// Notes the keys of `[defaults.upstream]`, or of its part `under`, that no upstream asked for.
pub(super) fn unused(defaults: Section<'_>, under: &str, reading: &mut Reading<'_>) {
    for item in defaults.into_items() {
        let key = item.key.as_str();
        let whole = join(under, key);
        if reading.asked.contains(&whole) {
            if LEGS.contains(&key)
                && let Some(leg) = item.into_section(reading)
            {
                unused(leg, &whole, reading);
            }
            continue;
        }
        if PROVIDER_KEYS.contains(&key) {
            let message = format!("`{key}` applies to none of the upstreams");
            reading
                .problem(&code::DOES_NOT_APPLY, item.key_span, message)
                .help("remove it");
        } else if LATER.contains(&key) {
            reading
                .not_in_this_version(item.key_span, &format!("`{key}`"))
                .help("remove it");
        } else {
            let asked = reading.asked.iter();
            let asked = asked.filter_map(|key| key.strip_prefix(under)?.strip_prefix('.'));
            let help = did_you_mean(key, &asked.collect::<Vec<_>>());
            let help = help
                .unwrap_or_else(|| "what an [upstream.NAME] may have, but nothing else".to_owned());
            let section = under.replace("upstream.NAME", "defaults.upstream");
            let message = format!("unknown key `{key}` in [{section}]");
            reading
                .problem(&code::UNKNOWN_KEY, item.key_span, message)
                .label("no key with this name")
                .help(help);
        }
    }
}

/// Sections of an upstream.
const LEGS: &[&str] = &["token", "api"];
