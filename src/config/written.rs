//! [`Written`]: what stands in a configuration, key by key, as digests: what changed from one to the next can be told
//! without any value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

use crate::secret::{Fingerprint, Fingerprinter};

/// Every key that was written, by section. A default that was not written is not here.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Written(BTreeMap<String, BTreeMap<String, Fingerprint>>);

/// One section that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As in its header: `upstream.crm`; empty for the top of the file.
    pub section: String,
    /// What became of it.
    pub what: What,
    /// The keys that are new, gone, or have another value; none if the section itself came or went.
    pub keys: Vec<String>,
}

/// What became of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An upstream or route that was not there.
    Added,
    /// An upstream or route that is gone.
    Removed,
    /// Some of its keys are different.
    Changed,
}

impl Written {
    pub(super) fn of(document: &DeTable<'_>) -> Self {
        let mut written = Self::default();
        written.note("", document);
        written
    }

    fn note(&mut self, section: &str, table: &DeTable<'_>) {
        let mut keys = BTreeMap::new();
        for (key, value) in table {
            let key = key.get_ref();
            let inner = super::section::join(section, key);
            match value.get_ref() {
                DeValue::Table(table) if is_section(&inner) => self.note(&inner, table),
                value => {
                    keys.insert(key.to_string(), digest(value));
                }
            }
        }
        if !keys.is_empty() || is_named(section) {
            self.0.insert(section.to_owned(), keys);
        }
    }

    /// What is different in `newer`, in the order of the sections' names.
    pub fn changes(&self, newer: &Self) -> Vec<Change> {
        let sections = self.0.keys().chain(newer.0.keys());
        let mut sections: Vec<_> = sections.collect();
        sections.sort_unstable();
        sections.dedup();
        let changes = sections.into_iter().filter_map(|section| {
            if let Some((owner, _leg)) = section.rsplit_once('.')
                && is_named(owner)
                && !(self.0.contains_key(owner) && newer.0.contains_key(owner))
            {
                return None;
            }
            let (what, keys) = match (self.0.get(section), newer.0.get(section)) {
                (None, Some(_)) if is_named(section) => (What::Added, Vec::new()),
                (Some(_), None) if is_named(section) => (What::Removed, Vec::new()),
                (old, new) => (What::Changed, different(old, new)),
            };
            (what != What::Changed || !keys.is_empty()).then(|| Change {
                section: section.clone(),
                what,
                keys,
            })
        });
        changes.collect()
    }

    /// The digest of one key, for what must be compared with it later.
    pub fn set_as_in(&mut self, other: &Self, section: &str, key: &str) {
        let there = other.0.get(section).and_then(|keys| keys.get(key));
        let keys = self.0.entry(section.to_owned()).or_default();
        match there {
            Some(digest) => drop(keys.insert(key.to_owned(), *digest)),
            None => drop(keys.remove(key)),
        }
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

impl fmt::Display for Change {
    /// `+ upstream.erp`, `- route.old`, `~ upstream.crm: client_secret, token_wait`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = match self.section.as_str() {
            "" => "top of the file",
            section => section,
        };
        match self.what {
            What::Added => write!(f, "+ {section}"),
            What::Removed => write!(f, "- {section}"),
            What::Changed => write!(f, "~ {section}: {}", self.keys.join(", ")),
        }
    }
}

fn different(
    old: Option<&BTreeMap<String, Fingerprint>>,
    new: Option<&BTreeMap<String, Fingerprint>>,
) -> Vec<String> {
    let none = BTreeMap::new();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect()
}

/// Whether a table is a section with keys of its own, rather than a value such as `{ env = "NAME" }`.
fn is_section(path: &str) -> bool {
    let parts: Vec<_> = path.split('.').collect();
    match parts.as_slice() {
        [_] | ["server", "limits"] | ["defaults", "upstream"] | ["upstream" | "route", _] => true,
        ["upstream", _, leg] | ["defaults", "upstream", leg] => ["token", "api"].contains(leg),
        _ => false,
    }
}

/// Whether a section bears a name of the operator's.
fn is_named(section: &str) -> bool {
    let parts: Vec<_> = section.split('.').collect();
    matches!(parts.as_slice(), ["upstream" | "route", _])
}

/// Of the value as it is written; references are followed no further.
fn digest(value: &DeValue<'_>) -> Fingerprint {
    let mut parts = Vec::new();
    spell(value, &mut parts);
    OF_THIS_PROCESS.of(parts.iter().map(String::as_bytes))
}

fn spell(value: &DeValue<'_>, parts: &mut Vec<String>) {
    match value {
        DeValue::String(text) => parts.push(format!("s{text}")),
        DeValue::Integer(number) => parts.push(format!("i{}:{number}", number.radix())),
        DeValue::Float(number) => parts.push(format!("f{number}")),
        DeValue::Boolean(flag) => parts.push(format!("b{flag}")),
        DeValue::Datetime(date) => parts.push(format!("d{date}")),
        DeValue::Array(items) => {
            parts.push(format!("[{}", items.len()));
            items.iter().for_each(|item| spell(item.get_ref(), parts));
        }
        DeValue::Table(table) => {
            parts.push(format!("{{{}", table.len()));
            for (key, value) in table {
                parts.push(format!("k{}", key.get_ref()));
                spell(value.get_ref(), parts);
            }
        }
    }
}

/// Of all configurations that one process reads, so that they can be compared with each other and with nothing else.
static OF_THIS_PROCESS: LazyLock<Fingerprinter> = LazyLock::new(Fingerprinter::new);

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        include = ["a.toml"]
        server.limits.connections = 5
        [defaults.upstream]
        token_wait = "1s"
        [upstream.crm]
        provider = "salesforce"
        client_secret = "one"
        password = { env = "A", }
        [upstream.crm.token]
        ca = { file = "a" }
        [upstream.old]
        provider = "zuora"
    "#;

    fn changes(old: &str, new: &str) -> Vec<String> {
        let of = |text: &str| Written::of(DeTable::parse(text).unwrap().get_ref());
        let changes = of(old).changes(&of(new));
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_changed_is_told_by_section_and_key_and_never_by_value() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("\"one\"", "\"two\"", &["~ upstream.crm: client_secret"]),
            ("\"one\"", "'one'", &[]),
            (
                "client_secret = \"one\"",
                "client_secret = { file = \"one\" }",
                &["~ upstream.crm: client_secret"],
            ),
            ("env = \"A\"", "env = \"B\"", &["~ upstream.crm: password"]),
            (
                "file = \"a\"",
                "file = \"b\"",
                &["~ upstream.crm.token: ca"],
            ),
            (
                "connections = 5",
                "connections = 6",
                &["~ server.limits: connections"],
            ),
            ("\"1s\"", "\"2s\"", &["~ defaults.upstream: token_wait"]),
            ("a.toml", "b.toml", &["~ top of the file: include"]),
            (
                "[upstream.old]",
                "[upstream.new]",
                &["+ upstream.new", "- upstream.old"],
            ),
            (
                "[upstream.old]",
                "warm = true\n[log]\nlevel = \"debug\"\n[upstream.old]",
                &["~ log: level", "~ upstream.crm.token: warm"],
            ),
            (
                "[upstream.crm.token]\n        ca = { file = \"a\" }",
                "",
                &["~ upstream.crm.token: ca"],
            ),
            (
                "upstream.crm",
                "upstream.erp",
                &["- upstream.crm", "+ upstream.erp"],
            ),
        ];
        for (from, to, expected) in rows {
            assert!(OLD.contains(from), "{from}");
            let mut found = changes(OLD, &OLD.replace(from, to));
            found.sort_by_key(|line| line[2..].to_owned());
            assert_eq!(found, *expected, "{from}");
        }
    }
}
