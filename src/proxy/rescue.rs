//! Errors become answers, here only: problem JSON (RFC 9457) with `Proxy-Status` (RFC 9209), an id and a code.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPECT, HOST, ORIGIN, RETRY_AFTER,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Request, Response, Version};
use http_body::Body;
use tokio::time::Instant;

use super::error::Error;
use super::finish::Finish;
use super::response_body::ResponseBody;
use super::route::Table;
use super::troubles::Troubles;
use crate::code;
use crate::config::listed;
use crate::message::Rejection;
use crate::message::origin::split_port;

/// What is known of the caller's side of a request: who it thinks we are, whose page it is, and what it is still sending.
#[derive(Default)]
pub(super) struct Hint {
    host: Option<String>,
    origin: Option<String>,
    /// Requests follow one another on its connection.
    in_turn: bool,
    /// It has a body that was not read to its end.
    unread: bool,
    /// The body is sent only when it is read (RFC 9110 section 10.1.1).
    held_back: bool,
}

impl Hint {
    /// Of a request that may yet be refused for what it says.
    pub(super) fn new<B: Body>(request: &Request<B>) -> Self {
        let unread = !request.body().is_end_stream();
        Self {
            in_turn: request.version() < Version::HTTP_2,
            unread,
            held_back: unread && request.headers().contains_key(EXPECT),
            ..Self::default()
        }
    }

    /// Its body was read to the end, if `read`.
    pub(super) fn read(&mut self, read: bool) {
        self.unread &= !read;
    }

    /// Whether another request can follow it if the rest of its body is read. Not one that is held back: to read it would be
    /// to ask for it.
    pub(super) fn may_read(&self) -> bool {
        self.closes() && !self.held_back
    }

    /// Whether its connection ends with the answer, which says so: the next request would begin somewhere in this one's body
    /// (RFC 9112 sections 9.3 and 9.6).
    pub(super) fn closes(&self) -> bool {
        self.in_turn && self.unread
    }

    /// Takes down what the refusal of a request may quote.
    pub(super) fn note(&mut self, parts: &Parts) {
        let field = |name| parts.headers.get(name)?.to_str().ok();
        let target = parts.uri.authority().map(Authority::as_str);
        let host = target.or_else(|| field(HOST));
        let host = host.map(|host| split_port(host).map_or(host, |(name, _)| name));
        let quoted = |text: &str| quotable(text).then(|| text.to_owned());
        self.host = host.and_then(quoted);
        self.origin = field(ORIGIN).and_then(quoted);
    }
}

/// Whether a caller's text can stand in a line of TOML as it is.
fn quotable(text: &str) -> bool {
    text.len() < 200
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// The answer to `error`. Logged once, here.
pub(super) fn answer(
    error: &Error,
    mut finish: Box<Finish>,
    hint: &Hint,
    ways: Option<&Table>,
    troubles: &Troubles,
) -> Response<ResponseBody> {
    let (code, status) = (error.code(), error.status());
    log(error, &finish, troubles);
    let id = finish.id.to_string();
    let (kind, body) = match error {
        Error::Login { body, .. } => (JSON, body.clone()),
        _ => ("application/problem+json", problem(error, &id, hint, ways)),
    };
    finish.entry.status = status;
    finish.entry.code = Some(code.id);
    let mut response = Response::new(ResponseBody::own(Bytes::from(body), finish));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    let proxy_status = format!(
        "upauth; error={}; details=\"{}\"",
        error.proxy_status(),
        code.id
    );
    if let Ok(value) = HeaderValue::from_str(&proxy_status) {
        headers.insert(PROXY_STATUS, value);
    }
    if let Some(after) = error.retry_after() {
        // Who comes a moment too early is sent away again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    // Who wrote this may not agree about where the next request begins (RFC 9112 section 11.2).
    let malformed = hint.in_turn && matches!(error, Error::Rejected(Rejection::Malformed(_)));
    if malformed || hint.closes() {
        headers.insert(CONNECTION, CLOSE);
    }
    if let Some(Ok(allow)) = error.allow().map(HeaderValue::try_from) {
        headers.insert(ALLOW, allow);
    }
    response
}

/// The body of RFC 9457.
fn problem(error: &Error, id: &str, hint: &Hint, ways: Option<&Table>) -> String {
    let code = error.code();
    let problem = serde_json::json!({
        "type": format!("urn:upauth:{}", code.id),
        "title": code.title,
        "status": error.status().as_u16(),
        "code": code.id,
        "detail": detail(error, hint, ways),
        "request_id": id,
    });
    format!("{problem}\n")
}

fn detail(error: &Error, hint: &Hint, ways: Option<&Table>) -> String {
    let said = match error {
        Error::Rejected(Rejection::Malformed(what)) => Some(format!("{what}.")),
        Error::Rejected(Rejection::WrongHost) => hint.host.as_ref().map(|host| {
            format!("This proxy does not answer to `{host}`. If it should: [access] hosts = [\"{host}\"]")
        }),
        Error::Rejected(Rejection::CrossSite) => hint.origin.as_ref().map(|origin| {
            format!("Pages of `{origin}` may not use this proxy. If they should: [access] origins = [\"{origin}\"]")
        }),
        Error::NoRoute => ways.map(|ways| {
            // Not all of thousands.
            format!("Paths begin with one of: {}", listed(&ways.prefixes()))
        }),
        // Whoever asks from another machine has no `upauth` to explain it.
        Error::Denied(code) if code.id == code::KEY_MISSING.id => Some(SHOW_A_KEY.to_owned()),
        _ => None,
    };
    said.unwrap_or_else(|| format!("See `upauth explain {}`.", error.code().id))
}

/// What fails for the same reason again and again is told now and then; each of them is in the access log.
fn log(error: &Error, finish: &Finish, troubles: &Troubles) {
    let (code, upstream, id) = (error.code().id, finish.entry.upstream(), finish.id);
    if !error.status().is_server_error() {
        tracing::info!(%code, %upstream, %id, %error, "a request was refused");
        return;
    }
    match troubles.tell(finish.entry.upstream.as_ref(), error.code(), Instant::now()) {
        Some(0) => tracing::warn!(%code, %upstream, %id, %error, "a request failed"),
        Some(left_out) => {
            tracing::warn!(%code, %upstream, %id, %error, left_out, "a request failed, as others did");
        }
        None => tracing::debug!(%code, %upstream, %id, %error, "a request failed"),
    }
}

pub(super) const CLOSE: HeaderValue = HeaderValue::from_static("close");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SHOW_A_KEY: &str =
    "Show one in X-Upauth-Key, as Authorization: Bearer, or as the password of Basic.";
/// As providers write it.
pub(super) const JSON: &str = "application/json;charset=UTF-8";
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
