//! References: `${NAME}` in text, and `{ env }`, `{ file }`, `{ command }` instead of text.

use std::ops::Range;
use std::path::PathBuf;

use toml::de::DeValue;

use super::exposed::Named;
use super::mask::is_name;
use super::reading::{Holds, Pem, Reading};
use super::section::{Item, Leftover, Section};
use super::text::Text;
use crate::code;
use crate::secret::{Secret, Source};

/// A text, or the place to read it from later.
pub(super) enum Value {
    Text(Text),
    Later(Source, Range<usize>),
}

impl<'i> Item<'i> {
    /// The value as text that is needed now; files are read and programs run while the configuration is read.
    pub(super) fn text(self, reading: &mut Reading<'_>) -> Option<Text> {
        match self.text_or_reference(reading)? {
            Value::Text(text) => Some(text),
            Value::Later(source, span) => match reading.now(&source) {
                Ok(text) => Some(Text::held(text, span)),
                Err(why) => {
                    reading
                        .problem(&code::UNREADABLE_REFERENCE, span, why)
                        .help(remedy(&source));
                    None
                }
            },
        }
    }

    /// The value as text that may stand elsewhere.
    pub(super) fn text_or_reference(self, reading: &mut Reading<'_>) -> Option<Value> {
        match &self.value {
            DeValue::String(text) => {
                let (text, plain) = expand(text, &self.span, reading)?;
                let span = self.span;
                let hidden = !plain || reading.files.hides(&span);
                Some(Value::Text(Text {
                    text,
                    span,
                    plain,
                    hidden,
                }))
            }
            DeValue::Table(_) => reference(self.into_section(reading)?, reading),
            value => {
                let help = match (value, self.key.as_str()) {
                    (DeValue::Array(_), "scope") => {
                        "one text with spaces between: scope = \"a b\"".to_owned()
                    }
                    (DeValue::Array(_), key) => format!("one text, not a list: {key} = \"...\""),
                    (_, key) => format!("put it in quotation marks: {key} = \"...\""),
                };
                self.wrong_type("text in quotation marks", &help, reading);
                None
            }
        }
    }

    /// The value as a file: `{ file = "PATH" }`, nothing else.
    pub(super) fn file(self, pem: Pem, reading: &mut Reading<'_>) -> Option<PathBuf> {
        let (key, span) = (self.key.clone(), self.span.clone());
        let found = match self.value {
            DeValue::Table(_) => self.text_or_reference(reading)?,
            DeValue::String(_) => Value::Text(self.text(reading)?),
            _ => {
                self.wrong_type("a file", "write { file = \"PATH\" }", reading);
                return None;
            }
        };
        match found {
            Value::Later(Source::File(path), span) => {
                reading.later(&Source::File(path.clone()), span, Holds::Pem(pem));
                Some(path)
            }
            Value::Text(Text {
                plain: true,
                text,
                hidden,
                ..
            }) => {
                // What is no path is perhaps the key itself, and not shown.
                let path = match hidden || text.len() > 200 || text.contains(['\n', ' ']) {
                    true => "PATH",
                    false => &text,
                };
                reading
                    .problem(&code::BAD_REFERENCE, span, format!("`{key}` must be a reference to a file"))
                    .help(format!("strings are values, paths are references: write {key} = {{ file = {path:?} }}"));
                None
            }
            Value::Text(_) | Value::Later(..) => {
                reading
                    .problem(
                        &code::BAD_REFERENCE,
                        span,
                        format!("`{key}` can only be a file"),
                    )
                    .help(format!("write {key} = {{ file = \"PATH\" }}"));
                None
            }
        }
    }
}

/// `{ env }`, `{ file }` or `{ command }`.
fn reference(mut table: Section<'_>, reading: &mut Reading<'_>) -> Option<Value> {
    let (key, span) = (table.name.clone(), table.span.clone());
    let given: Vec<_> = KINDS.iter().filter(|kind| table.has(kind)).collect();
    if given.len() > 1 {
        let message = format!("`{key}` refers to {} places", given.len());
        reading
            .problem(&code::TWO_REFERENCES, span, message)
            .help("keep one of env, file and command");
        return None;
    }
    if given.is_empty() && table.is_empty() {
        let message = format!("`{key}` refers to nothing");
        reading
            .problem(&code::BAD_REFERENCE, span.clone(), message)
            .help("write \"text\", { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }");
    }
    let env = table.take("env", reading);
    let file = table.take("file", reading);
    let command = table.take("command", reading);
    for kind in KINDS {
        reading.accepted.remove(&format!("{key}.{kind}"));
    }
    let complete = table.is_empty();
    table.finish(Leftover::default(), reading);
    let value = match (env, file, command) {
        (Some(env), _, _) => from_env(env, span, reading).map(Value::Text),
        (_, Some(file), _) => from_file(&key, file, span, reading),
        (_, _, Some(command)) => from_command(command, span, reading),
        _ => None,
    };
    value.filter(|_| complete)
}

fn from_env(item: Item<'_>, span: Range<usize>, reading: &mut Reading<'_>) -> Option<Text> {
    let name = item.text(reading)?;
    if !is_variable(&name.text) {
        let message = "`env` needs the name of an environment variable";
        reading
            .problem(&code::BAD_REFERENCE, name.span, message)
            .help("write { env = \"NAME\" }: letters, digits and _, no digit first");
        return None;
    }
    match reading.env(&name.text) {
        Some(text) if !text.is_empty() => Some(Text::held(text, span)),
        found => {
            let state = if found.is_some() { "empty" } else { "not set" };
            missing(&name.text, state, name.span, "", reading);
            None
        }
    }
}

fn from_file(
    key: &str,
    item: Item<'_>,
    span: Range<usize>,
    reading: &mut Reading<'_>,
) -> Option<Value> {
    let path = item.text(reading)?;
    if path.text.is_empty() {
        reading
            .problem(&code::BAD_REFERENCE, path.span, "`file` is empty")
            .help("name a file, relative to the configuration's folder");
        return None;
    }
    let path = reading.path(path.span.start, &path.text);
    reading.named.push(Named {
        path: path.clone(),
        span: span.clone(),
        key: key.rsplit('.').next().unwrap_or_default().to_owned(),
    });
    Some(Value::Later(Source::File(path), span))
}

fn from_command(item: Item<'_>, span: Range<usize>, reading: &mut Reading<'_>) -> Option<Value> {
    Some(Value::Later(program(item, reading)?, span))
}

/// A program with its arguments: `["PROGRAM", "ARGUMENT"]`.
pub(super) fn program(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Source> {
    let place = item.span.clone();
    let argv: Vec<_> = item
        .texts(reading)?
        .into_iter()
        .map(|text| text.text)
        .collect();
    if argv.first().is_none_or(String::is_empty) {
        reading
            .problem(&code::BAD_REFERENCE, place, "`command` names no program")
            .help("write command = [\"PROGRAM\", \"ARGUMENT\"]; there is no shell");
        return None;
    }
    Some(Source::Command(argv))
}

/// Replaces `${NAME}`, `${NAME:-default}` and `$${`; says whether there was nothing to replace.
fn expand(text: &str, span: &Range<usize>, reading: &mut Reading<'_>) -> Option<(String, bool)> {
    let mut result = String::with_capacity(text.len());
    let (mut rest, mut plain, mut complete) = (text, true, true);
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at_checked(at)?;
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = reference.get(2..)?;
            continue;
        }
        result.push_str(before);
        plain = false;
        let Some(end) = reference.find('}') else {
            bad_reference("`${` is not closed", reference, span, reading);
            return None;
        };
        let inside = reference.get(2..end)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        match reading
            .env(name)
            .filter(|value| !(value.is_empty() && default.is_some()))
        {
            _ if !is_variable(name) => {
                bad_reference(
                    "`${}` needs the name of an environment variable",
                    reference,
                    span,
                    reading,
                );
                complete = false;
            }
            Some(value) => result.push_str(&value),
            None => match default {
                Some(default) => result.push_str(default),
                None => {
                    let place = within(&format!("${{{name}}}"), span, reading);
                    let or = format!("; text may have a default: \"${{{name}:-default}}\"");
                    missing(name, "not set", place, &or, reading);
                    complete = false;
                }
            },
        }
        rest = reference.get(end + 1..)?;
    }
    result.push_str(rest);
    complete.then_some((result, plain))
}

fn bad_reference(message: &str, reference: &str, span: &Range<usize>, reading: &mut Reading<'_>) {
    let shown: String = reference.chars().take(2).collect();
    let place = within(&shown, span, reading);
    reading
        .problem(&code::BAD_REFERENCE, place, message)
        .help("write ${NAME} or ${NAME:-default}; for ${ itself write $${");
}

fn missing(name: &str, state: &str, span: Range<usize>, or: &str, reading: &mut Reading<'_>) {
    let help = if name.starts_with("DEMO_") {
        "`upauth emulate` prints the DEMO_ variables as lines for a shell, and `upauth demo` sets them for itself; for an account of your own, write the value here".to_owned()
    } else {
        format!("set it: export {name}=...{or}")
    };
    let (message, help) = match is_name(name) || !reading.files.hides(&span) {
        true => (
            format!("the environment variable `{name}` is {state}"),
            help,
        ),
        false => (
            format!("the environment variable that is named here is {state}"),
            "write the name of a variable: it looks like a secret".to_owned(),
        ),
    };
    reading
        .problem(&code::MISSING_ENV, span, message)
        .help(help);
}

/// The place of `part` in the quoted value at `span`; the whole value if it is written in another way there.
fn within(part: &str, span: &Range<usize>, reading: &Reading<'_>) -> Range<usize> {
    let value = reading.files.text.get(span.clone()).unwrap_or_default();
    match value.find(part) {
        Some(at) => span.start + at..span.start + at + part.len(),
        None => span.clone(),
    }
}

fn is_variable(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(letter) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// What to do about a file or program that cannot be read.
pub(super) fn remedy(source: &Source) -> &'static str {
    match source {
        Source::Command(_) => {
            "run the program by hand; it must end within 10 s and print the value"
        }
        _ => {
            "the value is what the file holds; the user who runs upauth must be able to read it; its path is relative to the configuration's folder"
        }
    }
}

/// Whether the value refers to the place of a text: `{ env }`, `{ file }` or `{ command }`.
pub(super) fn is_reference(value: &DeValue<'_>) -> bool {
    let DeValue::Table(table) = value else {
        return false;
    };
    // An upstream may have a key `command` among others.
    let mut keys = table.iter().map(|(key, _)| key.get_ref());
    !table.is_empty() && keys.all(|key| KINDS.contains(&&**key))
}

/// The value of a credential that stands in the file.
pub(super) fn value(text: Text) -> Source {
    Source::Value(Secret::new(text.text))
}

const KINDS: [&str; 3] = ["env", "file", "command"];
