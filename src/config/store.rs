//! `[store]`: where tokens outlive the process.

use std::path::{Path, PathBuf};

use super::reading::{Holds, Reading};
use super::reference::{Value, value};
use super::section::{Leftover, Section};
use super::server::Server;
use crate::code;
use crate::secret::{SealKey, Source};

/// `[store]`.
#[derive(Clone, Debug, Default)]
pub enum Store {
    /// `kind = "memory"`, the default: a restart logs in again.
    #[default]
    Memory,
    /// `kind = "file"`.
    File(FileStore),
}

/// Sealed files on this machine.
#[derive(Clone, Debug)]
pub struct FileStore {
    /// The folder. Default `store` in the state directory.
    pub path: PathBuf,
    /// What they are sealed with. Default `store.key` in the state directory.
    pub key: StoreKey,
}

/// The key of a store: 64 hexadecimal digits.
#[derive(Clone, Debug)]
pub enum StoreKey {
    /// A file that is made on first use.
    Own(PathBuf),
    /// The operator's.
    Given(Source),
}

#[derive(Clone, Copy, Default)]
enum Kind {
    #[default]
    Memory,
    File,
}

impl Store {
    pub(super) fn read(
        mut table: Section<'_>,
        server: &Server,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let kinds = [("memory", Kind::Memory), ("file", Kind::File)];
        let before = reading.problems.len();
        let kind = table.word("kind", &kinds, &["redis"], reading);
        let known = reading.problems.len() == before;
        let section = table.span.clone();
        let (path_place, key_place) = (table.span_of("path"), table.span_of("key"));
        let path = table.text("path", reading);
        let path = path.map(|text| reading.path(text.span.start, &text.text));
        let key = key(&mut table, reading);
        table.finish(
            Leftover {
                later: &["url"],
                ..Leftover::default()
            },
            reading,
        );
        match kind {
            Kind::Memory => {
                let given = [
                    path.is_some().then_some(("path", path_place)),
                    key.is_some().then_some(("key", key_place)),
                ];
                for (name, place) in given.into_iter().flatten().filter(|_| known) {
                    let message = format!("`{name}` does not apply to kind = \"memory\"");
                    reading
                        .problem(&code::DOES_NOT_APPLY, place, message)
                        .help("remove it, or write kind = \"file\"");
                }
                reading.durable = !known;
                Some(Self::Memory)
            }
            Kind::File => {
                let state = |name: &str| Some(server.state.as_ref()?.join(name));
                let own_key = || Some(StoreKey::Own(state("store.key")?));
                let file = path
                    .or_else(|| state("store"))
                    .zip(key.map(StoreKey::Given).or_else(own_key));
                if file.is_none() {
                    let message =
                        "no folder is known for the store: neither a state directory nor a home";
                    reading
                        .problem(&code::MISSING_KEY, section, message)
                        .help("add state = \"PATH\" to [server], or path and key to [store]");
                }
                file.map(|(path, key)| Self::File(FileStore { path, key }))
            }
        }
    }
}

impl FileStore {
    /// Where the key is, in words.
    pub fn key_place(&self) -> String {
        match &self.key {
            StoreKey::Own(path) | StoreKey::Given(Source::File(path)) => shown(path),
            StoreKey::Given(_) => "[store] key".to_owned(),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn key(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Source> {
    match table.take("key", reading)?.text_or_reference(reading)? {
        Value::Later(source, span) => {
            reading.later(&source, span, Holds::SealKey);
            Some(source)
        }
        Value::Text(text) if text.text.is_empty() => None,
        Value::Text(text) => {
            let (span, plain) = (text.span.clone(), text.plain);
            let key = value(text);
            if let Source::Value(secret) = &key
                && let Err(why) = SealKey::parse(secret)
            {
                reading
                    .problem(
                        &code::BAD_VALUE,
                        span,
                        format!("`key` cannot be used: {why}"),
                    )
                    .help(KEY);
            } else if plain {
                reading
                    .problem(&code::PLAIN_SECRET, span, "`key` is written in the file")
                    .help(KEY)
                    .warning();
            }
            Some(key)
        }
    }
}

/// How the key of a store is given.
pub(super) const KEY: &str = "key = { file = \"PATH\" }, { env = \"NAME\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }; without it a key is \
                   made on first use";
