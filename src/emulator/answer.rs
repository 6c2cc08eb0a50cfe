//! Answers of the providers: built whole, then dressed as the request asked (pretty, gzip).

use std::convert::Infallible;
use std::io::Write;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

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
