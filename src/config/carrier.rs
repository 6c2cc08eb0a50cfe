//! `header`: in which header fields a token travels.

use http::{HeaderName, HeaderValue};
use toml::de::DeValue;

use super::header;
use super::nearest::did_you_mean;
use super::reading::Reading;
use super::reference::is_reference;
use super::section::{Item, Leftover, Section};
use crate::code;

/// A header field that carries the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// `Authorization: OAuth TOKEN`.
    OAuth,
    /// `Authorization: OAuth BASE64`, of the exact bytes of the whole token answer.
    OAuthBase64,
    /// `NAME: VALUE` with the token in it.
    Own {
        /// The name.
        name: HeaderName,
        /// What stands before the token.
        before: String,
        /// What stands after it.
        after: String,
    },
}

impl Header {
    /// The name of the field.
    pub fn name(&self) -> &HeaderName {
        match self {
            Self::Bearer | Self::OAuth | Self::OAuthBase64 => &http::header::AUTHORIZATION,
            Self::Own { name, .. } => name,
        }
    }
}

/// `header = "bearer"`, `{ name, value }`, or a list of them; default `bearer`.
pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<Header> {
    let place = table.span_of("header");
    let Some(item) = table.take("header", reading) else {
        return vec![Header::Bearer];
    };
    let items = match item.value {
        DeValue::Array(_) => item.elements(),
        _ => vec![item],
    };
    let mut headers: Vec<Header> = Vec::new();
    for item in items {
        let Some(header) = one(item, reading) else {
            continue;
        };
        if headers.iter().any(|other| other.name() == header.name()) {
            let message = format!("`header` fills {} twice", header.name());
            reading
                .problem(&code::BAD_HEADER, place.clone(), message)
                .help("keep one of them: a token travels once in each field");
        }
        headers.push(header);
    }
    match headers.is_empty() {
        true => vec![Header::Bearer],
        false => headers,
    }
}

fn one(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Header> {
    if matches!(item.value, DeValue::Table(_)) && !is_reference(&item.value) {
        return own(item.into_section(reading)?, reading);
    }
    let text = item.text(reading)?;
    if text.text.is_empty() {
        return None;
    }
    if let Some((_, header)) = WORDS.iter().find(|(word, _)| *word == text.text) {
        return Some(header.clone());
    }
    let words = WORDS.each_ref().map(|(word, _)| *word);
    let help = did_you_mean(&text.text, &words)
        .unwrap_or_else(|| format!("one of: bearer, oauth, oauth-base64, {OWN}"));
    let message = format!("unknown header {}", text.quoted());
    reading
        .problem(&code::BAD_VALUE, text.span, message)
        .label("no header with this name")
        .help(help);
    None
}

/// `{ name = "X-Token", value = "Tok {access_token}" }`.
fn own(mut table: Section<'_>, reading: &mut Reading<'_>) -> Option<Header> {
    let place = table.span.clone();
    let name = table.text("name", reading);
    let value = table.text("value", reading);
    reading.within("header");
    table.finish(Leftover::default(), reading);
    let (Some(name), Some(value)) = (name, value) else {
        reading
            .problem(
                &code::MISSING_KEY,
                place,
                "`header` needs both `name` and `value`",
            )
            .help(format!("write header = {OWN}"));
        return None;
    };
    let parsed = match header::own_name(&name.text) {
        Ok(parsed) => parsed,
        Err(why) => {
            let message = format!("{} {why}", name.quoted());
            reading.problem(&code::BAD_HEADER, name.span, message).help(
                "the field in which the API wants its token: \"Authorization\", \"X-Api-Token\"",
            );
            return None;
        }
    };
    let split = value.text.split_once(PLACE);
    let split = split.filter(|(_, after)| !after.contains(PLACE));
    // Without a line break, which would begin another field.
    let fits = HeaderValue::from_str(&value.text).is_ok();
    let Some((before, after)) = split.filter(|_| fits) else {
        let message = match fits {
            true => format!("{} must hold {PLACE} once", value.quoted()),
            false => "the value of `header` cannot stand in a header".to_owned(),
        };
        reading
            .problem(&code::BAD_HEADER, value.span, message)
            .help(format!(
                "visible ASCII characters, and {PLACE} where the token stands: \"Tok {PLACE}\""
            ));
        return None;
    };
    Some(Header::Own {
        name: parsed,
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

const WORDS: [(&str, Header); 3] = [
    ("bearer", Header::Bearer),
    ("oauth", Header::OAuth),
    ("oauth-base64", Header::OAuthBase64),
];
const OWN: &str = "{ name = \"X-Token\", value = \"Tok {access_token}\" }";
const PLACE: &str = "{access_token}";
