//! [`Section`]: a table of the file whose keys are taken out one by one; what is left at the end is a problem.
//!
//! The tables are not decoded by serde: it ends at the first problem of a table, and all are wanted at once.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::nearest::{by_letters, by_words};
use super::reading::Reading;
use super::reference::is_reference;
use crate::code;

/// A table: `[server]`, `[upstream.crm]`, `{ cert = ..., key = ... }`.
pub(super) struct Section<'i> {
    /// As in the header; empty for the whole file.
    pub(super) name: String,
    /// The same with `NAME` for the operator's own names, as `proxy.toml` documents it.
    kind: String,
    pub(super) span: Range<usize>,
    /// In the order of the file.
    items: Vec<Item<'i>>,
    /// What holds for keys that are not here: those of [defaults.upstream].
    inherited: Vec<Item<'i>>,
    asked: Vec<&'static str>,
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Item<'i> {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) span: Range<usize>,
    pub(super) value: DeValue<'i>,
}

/// Keys of a section that are not simply unknown.
#[derive(Clone, Copy)]
pub(super) struct Leftover {
    /// Planned, not built.
    pub(super) later: &'static [&'static str],
    /// Built, but not for this provider or grant.
    pub(super) elsewhere: &'static [&'static str],
    /// What the section is, in words: "zuora upstreams".
    pub(super) whose: &'static str,
    /// What to do about a key that is built, but not for this.
    pub(super) instead: fn(&str) -> &'static str,
}

impl Default for Leftover {
    fn default() -> Self {
        Self {
            later: &[],
            elsewhere: &[],
            whose: "",
            instead: |_| "remove it",
        }
    }
}

impl<'i> Section<'i> {
    pub(super) fn new(name: &str, kind: &str, span: Range<usize>, table: DeTable<'i>) -> Self {
        let mut items: Vec<_> = table
            .into_iter()
            .map(|(key, value)| Item {
                key_span: key.span(),
                key: key.into_inner().into_owned(),
                span: value.span(),
                value: value.into_inner(),
            })
            .collect();
        items.sort_by_key(|item| item.key_span.start);
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            span,
            items,
            inherited: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Takes over the keys of `defaults` that are not here.
    pub(super) fn inherit(&mut self, defaults: &Self) {
        self.inherited.clone_from(&defaults.items);
    }

    /// Takes the key out, if it is here or in the defaults.
    pub(super) fn take(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Item<'i>> {
        self.asked.push(key);
        reading.asked.insert(join(&self.kind, key));
        reading.accepted.insert(join(&self.kind, key));
        let inherited = remove(&mut self.inherited, key);
        remove(&mut self.items, key).or(inherited)
    }

    /// Takes the key out, if it is here; a default that does not fit this section is no mistake.
    pub(super) fn take_own(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Item<'i>> {
        remove(&mut self.inherited, key);
        self.take(key, reading)
    }

    /// Notes that the key is here and would be ignored, and takes it out; a default may be of use to others.
    pub(super) fn refuse(
        &mut self,
        key: &'static str,
        because: &str,
        help: &str,
        reading: &mut Reading<'_>,
    ) {
        if let Some(item) = self.take_own(key, reading) {
            let message = format!("`{key}` does not apply {because}");
            reading
                .problem(&code::DOES_NOT_APPLY, item.key_span, message)
                .help(help);
        }
    }

    /// Takes the section `key` out; an absent one is empty.
    pub(super) fn section(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Self {
        let written = format!("[{}]", join(&self.name, key));
        self.section_written(key, &written, reading)
    }

    /// The same; `written` is how a file that has something else there should have it.
    fn section_written(
        &mut self,
        key: &'static str,
        written: &str,
        reading: &mut Reading<'_>,
    ) -> Self {
        let inherited = remove(&mut self.inherited, key);
        let item = self.take(key, reading);
        reading.accepted.remove(&join(&self.kind, key));
        let (name, kind) = (join(&self.name, key), join(&self.kind, key));
        let mut table = |item: Option<Item<'i>>| {
            let item = item?;
            let span = item.span.clone();
            Some((span, item.table(written, reading)?))
        };
        let (span, own) = table(item).unwrap_or((self.span.clone(), DeTable::new()));
        let mut section = Self::new(&name, &kind, span.clone(), own);
        if let Some((_, defaults)) = table(inherited) {
            section.inherit(&Self::new(&name, &kind, span, defaults));
        }
        section
    }

    /// Takes the sections of `[key.NAME]` out, each with the place of its name.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Vec<(String, Range<usize>, Self)> {
        let kind = format!("{key}.NAME");
        let mut all = self.section_written(key, &format!("[{kind}]"), reading);
        let is_section = |item: &Item<'_>| match &item.value {
            DeValue::Table(_) => !is_reference(&item.value),
            value => matches!(value, DeValue::Array(_)),
        };
        if !all.items.iter().all(is_section) {
            all.items.retain(is_section);
            reading
                .problem(&code::BAD_NAME, all.span, format!("[{key}] lacks a name"))
                .help(format!(
                    "write [{kind}], with a name of your own: [{key}.crm]"
                ));
        }
        let sections = all.items.into_iter().filter_map(|item| {
            let name = join(key, &item.key);
            let (own_name, name_span, span) =
                (item.key.clone(), item.key_span.clone(), item.span.clone());
            let table = item.table(&format!("[{name}]"), reading)?;
            Some((own_name, name_span, Self::new(&name, &kind, span, table)))
        });
        sections.collect()
    }

    /// Whether the key is still there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// The place of the key, if it is here and not only in the defaults.
    pub(super) fn own_key(&self, key: &str) -> Option<Range<usize>> {
        let item = self.items.iter().find(|item| item.key == key)?;
        Some(item.key_span.clone())
    }

    /// The default that the key's own value replaces, if both are there.
    pub(super) fn replaced(&self, key: &str) -> Option<Item<'i>> {
        self.own_key(key)?;
        let default = self.inherited.iter().find(|item| item.key == key);
        default.cloned()
    }

    /// The place of the key's value; of the section, if the key is absent.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.find(key)
            .map_or(self.span.clone(), |item| item.span.clone())
    }

    fn find(&self, key: &str) -> Option<&Item<'i>> {
        let mut items = self.items.iter().chain(&self.inherited);
        items.find(|item| item.key == key)
    }

    /// Takes the keys out without a look.
    pub(super) fn pass_over(&mut self, keys: &[&str]) {
        for items in [&mut self.items, &mut self.inherited] {
            items.retain(|item| !keys.contains(&item.key.as_str()));
        }
    }

    /// Whether no key is left.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All that are left, for tables whose keys are the operator's.
    pub(super) fn into_items(self) -> Vec<Item<'i>> {
        self.items
    }

    fn keys_here(&self) -> String {
        let known = self.asked.join(", ");
        match self.name.as_str() {
            "" => {
                format!("every key stands in a section, such as [upstream.NAME]; sections: {known}")
            }
            "defaults" => "only upstreams have defaults: write [defaults.upstream]".to_owned(),
            _ => format!("keys here: {known}"),
        }
    }

    /// Every key that is left is a problem.
    pub(super) fn finish(mut self, leftover: Leftover, reading: &mut Reading<'_>) {
        for item in std::mem::take(&mut self.items) {
            let key = item.key.as_str();
            let shown = reading.quoted_key(&item);
            if leftover.later.contains(&key) {
                reading
                    .not_in_this_version(item.key_span, &shown)
                    .help("remove it, or use a version that has it");
            } else if leftover.elsewhere.contains(&key) {
                let message = format!("{shown} does not apply to {}", leftover.whose);
                reading
                    .problem(&code::DOES_NOT_APPLY, item.key_span, message)
                    .help((leftover.instead)(key));
            } else {
                let help = by_letters(key, &self.asked).unwrap_or_else(|| {
                    reading.astray(&self.kind, key);
                    by_words(key, &self.asked).unwrap_or_else(|| self.keys_here())
                });
                let place = match self.name.as_str() {
                    "" => "at the top of the file".to_owned(),
                    name => format!("in [{name}]"),
                };
                let message = format!("unknown key {shown} {place}");
                reading
                    .problem(&code::UNKNOWN_KEY, item.key_span, message)
                    .label("no key with this name")
                    .help(help);
            }
        }
    }
}

impl<'i> Item<'i> {
    /// The value as a table, which is `written` so.
    fn table(self, written: &str, reading: &mut Reading<'_>) -> Option<DeTable<'i>> {
        match self.value {
            DeValue::Table(table) => Some(table),
            _ => {
                let help = match self.value {
                    DeValue::Array(_) if written.starts_with('[') => {
                        format!("write {written}, in single brackets")
                    }
                    _ => format!("write {written}"),
                };
                self.wrong_type("a table", &help, reading);
                None
            }
        }
    }

    /// The value as a section of its own, named after its key.
    pub(super) fn into_section(self, reading: &mut Reading<'_>) -> Option<Section<'i>> {
        let (name, span) = (self.key.clone(), self.span.clone());
        let key = name.rsplit('.').next().unwrap_or_default();
        let table = self.table(&format!("{key} = {}", shape(key)), reading)?;
        Some(Section::new(&name, &name, span, table))
    }

    /// Notes that the value is of another type than `expected`.
    pub(super) fn wrong_type(&self, expected: &str, help: &str, reading: &mut Reading<'_>) {
        let found = match &self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {expected}", self.key);
        reading
            .problem(&code::WRONG_TYPE, self.span.clone(), message)
            .label(format!("this is {found}"))
            .help(help);
    }
}

/// How a table, or a list of tables, is written.
fn shape(key: &str) -> &'static str {
    match key {
        "dead_session" => "[{ status = 403, body = \"expired\" }]",
        "fields" => "{ access_token = \"/data/token\" }",
        "keys" => "[{ name = \"etl\", sha256 = \"...\" }]; `upauth key NAME` makes one",
        "request" | "token_headers" | "set_headers" => "{ NAME = \"VALUE\" }",
        "success" => "{ path = \"/ok\", equals = true }",
        _ => "{ ... }",
    }
}

fn remove<'i>(items: &mut Vec<Item<'i>>, key: &str) -> Option<Item<'i>> {
    let at = items.iter().position(|item| item.key == key)?;
    Some(items.remove(at))
}

pub(super) fn join(section: &str, key: &str) -> String {
    match section {
        "" => key.to_owned(),
        section => format!("{section}.{key}"),
    }
}
