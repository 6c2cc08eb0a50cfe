//! Answers of the providers: built whole, then dressed as the request asked (pretty, gzip).

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::form;
use super::knobs::ExpiresIn;

/// What a request asks of the form of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) pretty: bool,
    pub(super) gzip: bool,
}

impl Asked {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            pretty: matches!(text(PRETTY), Some("1" | "true")),
            gzip: text("accept-encoding").is_some_and(|value| value.contains("gzip")),
        }
    }
}

/// Marks an answer whose body is whole and may be compressed if it is longer than this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) gzip_over: usize,
}

/// Marks a whole answer that is sent in chunks.
#[derive(Clone, Copy, Debug)]
struct InChunks;

/// JSON, written out already: where the order of fields or their exact bytes matter.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    text(status, JSON, body)
}

/// JSON from a value.
#[expect(clippy::needless_pass_by_value, reason = "callers build it in place")]
pub(super) fn value(status: StatusCode, body: Value) -> Response {
    json(status, body.to_string())
}

/// The object that a JSON body is, if it says that it is JSON.
pub(super) fn object(headers: &HeaderMap, body: &[u8]) -> Option<Map<String, Value>> {
    let is_json = form::media_type(headers).eq_ignore_ascii_case("application/json");
    is_json.then(|| serde_json::from_slice(body).ok()).flatten()
}

/// A token's lifetime as JSON, counted from `unix_ms` where the form is absolute; `None`: left out.
pub(super) fn lifetime(how: ExpiresIn, lifetime: Duration, unix_ms: u128) -> Option<String> {
    let seconds = lifetime.as_secs();
    let end = u64::try_from(unix_ms / 1000).unwrap_or_default() + seconds;
    let written = match how {
        ExpiresIn::Integer => seconds.to_string(),
        ExpiresIn::String => format!(r#""{seconds}""#),
        ExpiresIn::Float => format!("{seconds}.0"),
        ExpiresIn::Zero => "0".to_owned(),
        ExpiresIn::Negative => "-1".to_owned(),
        ExpiresIn::Huge => i64::MAX.to_string(),
        ExpiresIn::Milliseconds => lifetime.as_millis().to_string(),
        ExpiresIn::UnixSeconds => end.to_string(),
        ExpiresIn::Date => format!(r#""{}""#, date(end)),
        ExpiresIn::Missing => return None,
    };
    Some(written)
}

/// A second since 1970 in the form of RFC 3339; the calendar after Howard Hinnant's
/// `civil_from_days`.
fn date(unix: u64) -> String {
    let (days, second) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Any text.
pub(super) fn text(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response.extensions_mut().insert(Whole { gzip_over: 0 });
    response
}

/// Nothing but a status.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer with one more header.
pub(super) fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    response
}

/// A JSON body, pretty-printed.
pub(super) fn pretty(body: &[u8]) -> Option<Bytes> {
    let value: Value = serde_json::from_slice(body).ok()?;
    serde_json::to_vec_pretty(&value).ok().map(Bytes::from)
}

/// The answer without `Content-Length`: its body is sent in chunks.
pub(super) fn chunked(mut response: Response) -> Response {
    response.extensions_mut().insert(InChunks);
    response
}

/// Gives a whole answer the form that was asked for.
pub(super) async fn dress(response: Response, asked: Asked) -> Response {
    let Some(whole) = response.extensions().get::<Whole>().copied() else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    let mut bytes = to_bytes(body, MOST).await.unwrap_or_default();
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/j"));
    if asked.pretty
        && is_json
        && let Some(pretty) = pretty(&bytes)
    {
        bytes = pretty;
    }
    if asked.gzip
        && bytes.len() > whole.gzip_over
        && let Some(zipped) = gzip(&bytes)
    {
        bytes = zipped;
        let gzip = HeaderValue::from_static("gzip");
        parts.headers.insert(header::CONTENT_ENCODING, gzip);
        parts
            .headers
            .insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    let body = if parts.extensions.get::<InChunks>().is_some() {
        let middle = bytes.len() / 2;
        let pieces = [bytes.slice(..middle), bytes.slice(middle..)];
        Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
    } else {
        Body::from(bytes)
    };
    Response::from_parts(parts, body)
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

pub(super) const JSON: &str = "application/json;charset=UTF-8";
/// Bodies of requests and whole answers are at most this long.
pub(super) const MOST: usize = 32 << 20;
const PRETTY: &str = "x-prettyprint";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_written_in_every_form() {
        let lifetime = |how| lifetime(how, Duration::from_secs(3598), 1_700_000_000_999);
        let check = |how, written: &str| assert_eq!(lifetime(how).as_deref(), Some(written));
        check(ExpiresIn::Integer, "3598");
        check(ExpiresIn::String, r#""3598""#);
        check(ExpiresIn::Float, "3598.0");
        check(ExpiresIn::Milliseconds, "3598000");
        check(ExpiresIn::UnixSeconds, "1700003598");
        check(ExpiresIn::Date, r#""2023-11-14T23:13:18Z""#);
        assert_eq!(lifetime(ExpiresIn::Missing), None);
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
    }
}
