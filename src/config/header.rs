//! `set_headers` and `remove_headers`: fields of the API only.

use http::{HeaderName, HeaderValue};

use super::reading::Reading;
use super::section::{Item, Section};
use crate::code;
use crate::message::credentials;

/// `set_headers = { NAME = "VALUE" }`.
pub(super) fn set(
    table: &mut Section<'_>,
    reading: &mut Reading<'_>,
) -> Vec<(HeaderName, HeaderValue)> {
    let item = table.take("set_headers", reading);
    let Some(fields) = item.and_then(|item| item.into_section(reading)) else {
        return Vec::new();
    };
    let mut set: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for item in fields.into_items() {
        let place = item.key_span.clone();
        let Some((name, value)) = field(item, reading) else {
            continue;
        };
        if set.iter().any(|(other, _)| *other == name) {
            let message = format!("`set_headers` sets {name} twice");
            reading
                .problem(&code::BAD_HEADER, place, message)
                .help("keep one of them: names of header fields have no letter case");
        }
        set.push((name, value));
    }
    set
}

/// `remove_headers = ["NAME"]`.
pub(super) fn removed(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<HeaderName> {
    let remedy = (
        &code::BAD_HEADER,
        "name fields of the API; the proxy takes credentials and connection fields off by itself",
    );
    table.parsed("remove_headers", name, remedy, reading)
}

fn field(item: Item<'_>, reading: &mut Reading<'_>) -> Option<(HeaderName, HeaderValue)> {
    let (key, key_span) = (item.key.clone(), item.key_span.clone());
    let shown = reading.quoted_key(&item);
    let text = item.text(reading);
    let name = match name(&key) {
        Ok(name) => Some(name),
        Err(why) => {
            reading
                .problem(&code::BAD_HEADER, key_span, format!("{shown} {why}"))
                .help("set fields of the API only; the proxy writes the credential and the fields of the connection");
            None
        }
    };
    let text = text?;
    // Visible text only: a line break would begin another field.
    let Ok(mut value) = HeaderValue::from_str(&text.text) else {
        let message = format!("the value of {shown} cannot stand in a header");
        reading
            .problem(&code::BAD_HEADER, text.span, message)
            .help("visible ASCII characters, spaces and tabs");
        return None;
    };
    // Some APIs want a key beside the token; nothing tells it from other values.
    value.set_sensitive(true);
    Some((name?, value))
}

fn name(text: &str) -> Result<HeaderName, &'static str> {
    let name = own_name(text)?;
    match credentials::is_credential(&name.as_str().replace('_', "-")) {
        true => Err("carries a credential"),
        false => Ok(name),
    }
}

/// A name that may be used where a credential is meant.
pub(super) fn own_name(text: &str) -> Result<HeaderName, &'static str> {
    let name: HeaderName = text.parse().map_err(|_| "is not a header name")?;
    // Some servers read `_` as `-`.
    let reading = name.as_str().replace('_', "-");
    match CONNECTION.contains(&reading.as_str()) || reading.starts_with("x-upauth-") {
        true => Err("belongs to the proxy"),
        false => Ok(name),
    }
}

/// Host, framing, and what belongs to one connection (RFC 9110 section 7.6.1).
const CONNECTION: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "via",
];
