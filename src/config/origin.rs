//! Keys whose value is an origin or a URL, and where plain http is refused.

use http::uri::PathAndQuery;

use super::reading::Reading;
use super::section::Section;
use super::text::Text;
use crate::code;
use crate::message::origin::{OriginError, Scheme};
use crate::message::{Address, Locator, Origin};

/// An origin that is not needed; absent or empty is `None`.
pub(super) fn optional(
    table: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    let text = table.text(key, reading)?;
    parse(key, &text, reading)
}

/// An origin to which tokens or secrets are sent: https, or loopback, or named in `plain_http`.
pub(super) fn target(
    table: &mut Section<'_>,
    key: &'static str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    let text = table.text(key, reading)?;
    let origin = parse(key, &text, reading)?;
    secure(key, origin, &text, plain_http, reading)
}

/// Where calls of an API go; a path may stand in front of all of them.
pub(super) fn address(
    table: &mut Section<'_>,
    key: &'static str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Address> {
    let text = table.text(key, reading)?;
    match text.text.parse::<Address>() {
        Ok(address) => {
            let origin = secure(key, address.origin, &text, plain_http, reading)?;
            Some(Address {
                origin,
                path: address.path,
            })
        }
        Err(OriginError::Path) => {
            let message = format!("`{key}` has a path that cannot stand in front of every call");
            reading
                .problem(&code::NOT_AN_ORIGIN, text.span, message)
                .help(
                    "no query, no fragment, no dots or empty parts: \"https://api.example.com/v1\"",
                );
            None
        }
        Err(why) => {
            not_a_url(key, &text, why, API, reading);
            None
        }
    }
}

/// Where one call goes: an origin, and a path that may have a query.
pub(super) fn url(
    table: &mut Section<'_>,
    key: &'static str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<(Origin, Locator)> {
    let text = table.text(key, reading)?;
    let Some((origin, rest)) = Origin::split_url(&text.text) else {
        if let Err(why) = text.text.parse::<Origin>() {
            not_a_url(key, &text, why, ENDPOINT, reading);
        }
        return None;
    };
    let path = match rest.starts_with('/') {
        true => rest.to_owned(),
        false => format!("/{rest}"),
    };
    if path.contains('#') || path.parse::<PathAndQuery>().is_err() {
        let message = format!("`{key}` is not a URL");
        reading
            .problem(&code::NOT_AN_ORIGIN, text.span, message)
            .help(format!(
                "without a fragment, and with spaces and the like as %20: {ENDPOINT}"
            ));
        return None;
    }
    let origin = secure(key, origin, &text, plain_http, reading)?;
    Some((origin, path.into()))
}

fn secure(
    key: &str,
    origin: Origin,
    text: &Text,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    let host = origin.host();
    if origin.scheme() == Scheme::Http
        && !origin.is_loopback()
        && !plain_http.iter().any(|plain| plain == host)
    {
        let message = format!("`{key}` must be https");
        let help =
            format!("write https://{host}; if this network is safe: plain_http = [\"{host}\"]");
        reading
            .problem(&code::HTTPS_REQUIRED, text.span.clone(), message)
            .help(help);
        return None;
    }
    Some(origin)
}

/// The same with a default, which is a constant of the provider.
pub(super) fn target_or(
    table: &mut Section<'_>,
    key: &'static str,
    default: &str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    let before = reading.problems.len();
    let given = target(table, key, plain_http, reading);
    match given {
        None if reading.problems.len() == before => default.parse().ok(),
        given => given,
    }
}

fn parse(key: &str, text: &Text, reading: &mut Reading<'_>) -> Option<Origin> {
    let why = match text.text.parse() {
        Ok(origin) => return Some(origin),
        Err(why) => why,
    };
    let with_scheme = format!("https://{}", text.text);
    let split = match why {
        OriginError::Scheme => Origin::split_url(&with_scheme),
        _ => Origin::split_url(&text.text),
    };
    let help = match (why, split) {
        // An origin has neither user nor query; but a variable may hold anything.
        _ if !text.plain => format!("it must be like {EXAMPLE}"),
        (OriginError::Path, Some((origin, _))) if key == "login_url" => {
            format!("write {key} = \"{origin}\"; the provider knows its token path")
        }
        (OriginError::Path, Some((origin, _))) => {
            format!("write {key} = \"{origin}\"; the path comes with each call")
        }
        (OriginError::Scheme, Some((origin, _))) => format!("write {key} = \"{origin}\""),
        _ => format!("scheme, host and port only: {key} = {EXAMPLE}"),
    };
    note(key, text, why, help, reading);
    None
}

/// Notes that the value is no URL, as `example` is one.
fn not_a_url(key: &str, text: &Text, why: OriginError, example: &str, reading: &mut Reading<'_>) {
    let with_scheme = format!("https://{}", text.text);
    let lacks_scheme = why == OriginError::Scheme && Origin::split_url(&with_scheme).is_some();
    let help = match lacks_scheme && !text.hidden {
        true => format!("write {key} = \"{with_scheme}\""),
        false => format!("a whole URL: {key} = {example}"),
    };
    note(key, text, why, help, reading);
}

fn note(key: &str, text: &Text, why: OriginError, help: String, reading: &mut Reading<'_>) {
    let what = format!("`{key}` {why}");
    let problem = reading.problem(&code::NOT_AN_ORIGIN, text.span.clone(), what);
    problem.help(help);
}

const ENDPOINT: &str = "\"https://login.example.com/oauth2/token\"";
const API: &str = "\"https://api.example.com/v3\"";
const EXAMPLE: &str = "\"https://acme.my.salesforce.com\"";
