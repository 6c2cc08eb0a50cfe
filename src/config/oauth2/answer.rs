//! What an answer of the token endpoint looks like, and an answer of the API to a dead token.

use std::ops::Range;

use toml::de::DeValue;

use super::request::scalar;
use crate::code;
use crate::config::credential::lacks;
use crate::config::reading::Reading;
use crate::config::section::{Item, Leftover, Section};
use crate::config::text::Text;

/// `fields`: where the fields of the answer stand (JSON pointers, RFC 6901).
#[derive(Clone, Debug)]
pub struct Fields {
    /// The token. Default `/access_token`.
    pub access_token: String,
    /// The lifetime. Default `/expires_in`.
    pub expires_in: String,
    /// What it is counted in. Default `s`.
    pub unit: Unit,
    /// The next refresh token. Default `/refresh_token`.
    pub refresh_token: String,
    /// The code of an error. Default `/error`.
    pub error: String,
    /// Its text. Default `/error_description`.
    pub error_description: String,
}

/// What a lifetime is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// `s`.
    #[default]
    Seconds,
    /// `ms`.
    Milliseconds,
    /// `min`.
    Minutes,
}

/// `success`: a value that tells success from failure, for servers that answer 200 to everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// Where it stands.
    pub path: String,
    /// What it is then, as text.
    pub equals: String,
}

/// An entry of `dead_session`: an answer of the API that means that the token is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The status.
    pub status: u16,
    /// What the body holds; `None`: whatever it is.
    pub body: Option<String>,
}

impl Fields {
    /// The second is where the host of the API stands, and the place of that in the file.
    pub(super) fn read(
        table: &mut Section<'_>,
        reading: &mut Reading<'_>,
    ) -> (Self, Option<(String, Range<usize>)>) {
        let mut fields = Self {
            access_token: "/access_token".to_owned(),
            expires_in: "/expires_in".to_owned(),
            unit: Unit::default(),
            refresh_token: "/refresh_token".to_owned(),
            error: "/error".to_owned(),
            error_description: "/error_description".to_owned(),
        };
        let item = table.take("fields", reading);
        let Some(mut section) = item.and_then(|item| item.into_section(reading)) else {
            return (fields, None);
        };
        let places = [
            ("access_token", &mut fields.access_token),
            ("refresh_token", &mut fields.refresh_token),
            ("error", &mut fields.error),
            ("error_description", &mut fields.error_description),
        ];
        for (key, place) in places {
            if let Some(given) = pointer(&mut section, key, reading) {
                *place = given;
            }
        }
        let item = section.take("expires_in", reading);
        if let Some((given, unit)) = item.and_then(|item| lifetime(item, reading)) {
            (fields.expires_in, fields.unit) = (given, unit);
        }
        let place = section.span_of("instance_url");
        let instance = pointer(&mut section, "instance_url", reading);
        reading.within("fields");
        section.finish(Leftover::default(), reading);
        (fields, instance.map(|instance| (instance, place)))
    }
}

/// `"/ttl"`, or `{ path = "/ttl", unit = "ms" }`.
fn lifetime(item: Item<'_>, reading: &mut Reading<'_>) -> Option<(String, Unit)> {
    if !matches!(item.value, DeValue::Table(_) | DeValue::String(_)) {
        let help = "write where the lifetime stands: expires_in = \"/expires_in\", or { path = \"/ttl\", unit = \"ms\" }";
        item.wrong_type("a place in the answer", help, reading);
        return None;
    }
    if let DeValue::String(_) = item.value {
        let text = item.text(reading)?;
        return Some((checked(text, "expires_in", reading)?, Unit::default()));
    }
    let mut section = item.into_section(reading)?;
    let units = [
        ("s", Unit::Seconds),
        ("ms", Unit::Milliseconds),
        ("min", Unit::Minutes),
    ];
    let unit = section.word("unit", &units, &[], reading);
    let path = pointer(&mut section, "path", reading);
    let path = path.unwrap_or_else(|| "/expires_in".to_owned());
    reading.within("expires_in");
    section.finish(Leftover::default(), reading);
    Some((path, unit))
}

impl Success {
    pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let item = table.take("success", reading)?;
        let mut section = item.into_section(reading)?;
        let before = reading.problems.len();
        let (path, equals) = match section.is_empty() {
            // What the documentation shows for the default.
            true => return None,
            false => (
                pointer(&mut section, "path", reading),
                section.take("equals", reading),
            ),
        };
        let equals = equals.and_then(|item| scalar(item, reading));
        if reading.problems.len() == before {
            for (key, is_there) in [("path", path.is_some()), ("equals", equals.is_some())] {
                if !is_there {
                    lacks(&section, key, reading);
                }
            }
        }
        reading.within("success");
        section.finish(Leftover::default(), reading);
        Some(Self {
            path: path?,
            equals: equals?.to_string(),
        })
    }
}

impl Dead {
    pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<Self> {
        let Some(item) = table.take("dead_session", reading) else {
            return Vec::new();
        };
        if !matches!(item.value, DeValue::Array(_)) {
            item.wrong_type("a list of tables", ENTRIES, reading);
            return Vec::new();
        }
        let entries = item.elements().into_iter();
        entries
            .filter_map(|item| Self::one(item, reading))
            .collect()
    }

    fn one(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if !matches!(item.value, DeValue::Table(_)) {
            item.wrong_type("a list of tables", ENTRIES, reading);
            return None;
        }
        let span = item.span.clone();
        let mut section = item.into_section(reading)?;
        if !section.has("status") {
            lacks(&section, "status", reading);
        }
        let status = section.number("status", 0, 200..=599, reading);
        let body = section.text("body", reading).map(|text| text.text);
        reading.within("dead_session");
        section.finish(Leftover::default(), reading);
        let status = u16::try_from(status).ok().filter(|status| *status > 0)?;
        let body = body.filter(|body| !body.is_empty());
        if status < 300 && body.is_none() {
            let message = format!("every answer with status {status} would mean a dead token");
            reading
                .problem(&code::MISSING_KEY, span, message)
                .help("add body = \"...\", a part of the answer that a good one does not have");
            return None;
        }
        Some(Self { status, body })
    }
}

fn pointer(
    section: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let text = section.text(key, reading)?;
    checked(text, key, reading)
}

/// A JSON pointer.
fn checked(text: Text, key: &str, reading: &mut Reading<'_>) -> Option<String> {
    if text.text.starts_with('/') {
        return Some(text.text);
    }
    let names = text.text.trim_start_matches(['$', '.']).replace('.', "/");
    let message = format!("`{key}` must be a place in the answer that begins with /");
    let help = match text.hidden {
        true => "names with / before each: \"/data/token\"".to_owned(),
        false => format!("write \"/{names}\""),
    };
    reading
        .problem(&code::BAD_VALUE, text.span, message)
        .help(help);
    None
}

const ENTRIES: &str =
    "write dead_session = [{ status = 401 }, { status = 403, body = \"expired\" }]";
