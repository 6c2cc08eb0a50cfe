//! `keys` of `[access]`: what callers show to be let in, and how far each lets them.

use std::ops::Range;

use toml::de::DeValue;

use super::names;
use super::reading::Reading;
use super::route::known_upstream;
use super::section::{Item, Leftover, Section, join};
use super::text::Text;
use crate::code;
use crate::secret::Digest;

/// One caller's key. The key itself is not kept anywhere.
#[derive(Clone, Debug)]
pub struct Key {
    /// What logs and metrics call it.
    pub name: String,
    /// The SHA-256 digest of the key.
    pub digest: Digest,
    /// The upstreams it is for; `None`: all.
    pub upstreams: Option<Vec<String>>,
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
}

/// `keys` of `[access]`; `upstreams` are the names there are. `None` if it is not there: a list of none is what is left when the
/// last key was taken back, and must not open what it closed.
pub(super) fn read(
    table: &mut Section<'_>,
    upstreams: &[String],
    reading: &mut Reading<'_>,
) -> Option<Vec<Key>> {
    let list = table.take("keys", reading)?;
    if !matches!(list.value, DeValue::Array(_)) {
        list.wrong_type("a list of tables", HELP, reading);
        return Some(Vec::new());
    }
    let place = list.span.clone();
    // As the section of each entry is called.
    let list = Item {
        key: join(&table.name, "keys"),
        ..list
    };
    let mut keys = Vec::new();
    let entries = list.elements();
    if entries.is_empty() {
        reading
            .problem(&code::NO_KEYS, place, "`keys` is empty: nobody is let in")
            .help("add a key (`upauth key NAME` makes one); or remove `keys`, if callers shall need none")
            .warning();
    }
    for item in entries {
        let span = item.span.clone();
        let entry = item.into_section(reading);
        if let Some(key) = entry.and_then(|entry| key(entry, upstreams, reading)) {
            alike(&key, &keys, span, reading);
            keys.push(key);
        }
    }
    Some(keys)
}

/// One entry; `None` if it could let nobody in.
fn key(mut entry: Section<'_>, upstreams: &[String], reading: &mut Reading<'_>) -> Option<Key> {
    let name = required(&mut entry, "name", "name = \"...\", for logs", reading);
    let digest = required(&mut entry, "sha256", MAKE, reading);
    let upstreams = scope(&mut entry, upstreams, reading);
    let read_only = entry.flag("read_only", reading);
    for inner in ["name", "sha256", "upstreams", "read_only"] {
        reading.accepted.remove(&join(&entry.name, inner));
    }
    entry.finish(Leftover::default(), reading);
    if let Some(name) = &name {
        names::check(&name.text, &name.quoted(), &name.span, false, reading);
    }
    if let Some(text) = digest.as_ref().filter(|text| text.plain) {
        reading.digests.push(text.span.clone());
    }
    let digest = digest.and_then(|text| match digest_of(&text.text) {
        Ok(digest) => Some(digest),
        Err(why) => {
            let message = format!("`sha256` {why}");
            reading
                .problem(&code::BAD_KEY, text.span, message)
                .help(format!("write {MAKE}"));
            None
        }
    });
    Some(Key {
        name: name?.text,
        digest: digest?,
        upstreams,
        read_only,
    })
}

fn required(
    entry: &mut Section<'_>,
    key: &'static str,
    help: &str,
    reading: &mut Reading<'_>,
) -> Option<Text> {
    let span = entry.span.clone();
    let before = reading.problems.len();
    let text = entry.text(key, reading);
    if text.is_none() && reading.problems.len() == before {
        let message = format!("a key lacks `{key}`");
        reading
            .problem(&code::MISSING_KEY, span, message)
            .help(format!("add {help}"));
    }
    text
}

/// A digest that a key can have.
fn digest_of(text: &str) -> Result<Digest, String> {
    if text.starts_with("upauth-") {
        return Err("is the key itself, which belongs to its caller alone".to_owned());
    }
    let digest = Digest::from_hex(text).map_err(|why| why.to_string())?;
    // What `sha256sum` says when it is given nothing, or nothing but the line break of `echo`.
    let of_nothing = [b"".as_slice(), b"\n"].map(Digest::of);
    match of_nothing.iter().any(|nothing| nothing.matches(&digest)) {
        true => Err("is the digest of nothing".to_owned()),
        false => Ok(digest),
    }
}

fn scope(
    entry: &mut Section<'_>,
    upstreams: &[String],
    reading: &mut Reading<'_>,
) -> Option<Vec<String>> {
    let item = entry.take("upstreams", reading)?;
    let span = item.span.clone();
    let texts = item.texts(reading)?;
    if texts.is_empty() {
        reading
            .problem(&code::BAD_VALUE, span, "a key for no upstream")
            .help("name upstreams, or leave `upstreams` out: all of them");
    }
    let known = texts
        .into_iter()
        .filter_map(|text| known_upstream(text, upstreams, reading));
    Some(known.collect())
}

/// Two keys that logs, or the proxy itself, could not tell apart.
fn alike(key: &Key, others: &[Key], span: Range<usize>, reading: &mut Reading<'_>) {
    let same_name = others.iter().any(|other| other.name == key.name);
    let same_key = others.iter().any(|other| other.digest.matches(&key.digest));
    if same_name || same_key {
        let what = if same_name { "name" } else { "sha256" };
        let message = format!("two keys have the same `{what}`");
        reading
            .problem(&code::SAME_KEY, span, message)
            .help("give each caller a key and a name of its own");
    }
}

const HELP: &str = "keys = [{ name = \"etl\", sha256 = \"...\" }]; `upauth key NAME` makes one";
const MAKE: &str =
    "sha256 = \"...\", 64 hexadecimal digits: `upauth key NAME` prints a new key and its line";
