//! Calls that no provider has, for tests: what arrived here, and bodies of any length and pace.
//!
//! Reached as `/services/apexrest/NAME...` (or `/v1/emulator/NAME...`) on every API, behind that
//! API's own authentication. Credentials are never shown: only a digest and a verdict.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{self, Context, SHA256};
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::world::World;
use super::{answer, form};

/// Answers if the path names a facility; otherwise gives the body back.
pub(super) async fn answer(
    world: &Arc<World>,
    parts: &Parts,
    body: Body,
) -> Result<Response, Body> {
    answer_under("", world, parts, body).await
}

/// The same for an API whose paths all begin with `prefix`.
pub(super) async fn answer_under(
    prefix: &str,
    world: &Arc<World>,
    parts: &Parts,
    body: Body,
) -> Result<Response, Body> {
    let Some(path) = parts.uri.path().strip_prefix(prefix) else {
        return Err(body);
    };
    let mut segments = path.split('/').skip(1);
    let ((Some("services"), Some("apexrest"), Some(name))
    | (Some("v1"), Some("emulator"), Some(name))) =
        (segments.next(), segments.next(), segments.next())
    else {
        return Err(body);
    };
    match name {
        "echo" => Ok(echo(parts, body).await),
        "stream" => Ok(bytes(parts)),
        "slow" => Ok(slow(parts).await),
        "events" => Ok(events(world)),
        "drain" => Ok(drain(world, parts, body).await),
        "early" => Ok(answer::empty(StatusCode::PAYLOAD_TOO_LARGE)),
        "redirect" => Ok(redirect(parts)),
        "status" => Ok(status(parts)),
        _ => Err(body),
    }
}

/// `echo`: the request as it arrived.
async fn echo(parts: &Parts, body: Body) -> Response {
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let headers: Vec<Value> = parts
        .headers
        .iter()
        .map(|(name, value)| shown(name.as_str(), value))
        .collect();
    let told = json!({
        "method": parts.method.as_str(),
        "version": format!("{:?}", parts.version),
        "target": parts.uri.path_and_query().map(|target| target.as_str()),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers,
        "body_length": body.len(),
        "body_sha256": hex(digest::digest(&SHA256, &body).as_ref()),
    });
    answer::value(StatusCode::OK, told)
}

fn shown(name: &str, value: &HeaderValue) -> Value {
    if CREDENTIALS.contains(&name) {
        let digest = hex(digest::digest(&SHA256, value.as_bytes()).as_ref());
        // Whoever gets here passed the API's own check of this header; the others are nobody's.
        let verdict = if matches!(name, "authorization" | "x-sfdc-session") {
            "valid"
        } else {
            "invalid"
        };
        return json!({ "name": name, "sha256": digest, "verdict": verdict });
    }
    json!({ "name": name, "value": String::from_utf8_lossy(value.as_bytes()) })
}

/// `stream?bytes=N&chunk=K&delay_ms=D&length=1&cut=1`: a body of N bytes in pieces.
fn bytes(parts: &Parts) -> Response {
    let total = form::number(parts, "bytes").unwrap_or(1000);
    let chunk = form::number(parts, "chunk")
        .unwrap_or(16_384)
        .clamp(1, 1 << 20);
    let delay = Duration::from_millis(form::number(parts, "delay_ms").unwrap_or(0));
    let cut_at = form::number(parts, "cut").map(|_| total / 2);
    let pieces = stream::unfold(0, move |sent| async move {
        if cut_at.is_some_and(|at| sent >= at) {
            return Some((Err(std::io::Error::other("cut on purpose")), total));
        }
        if sent >= total {
            return None;
        }
        if sent > 0 && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let next = (sent + chunk).min(cut_at.unwrap_or(total));
        let piece: Vec<u8> = (sent..next).map(pattern).collect();
        Some((Ok(Bytes::from(piece)), next))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, content_type);
    if form::query(parts, "length").is_some() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(total));
    }
    response
}

/// The byte at `place` of every stream.
fn pattern(place: u64) -> u8 {
    u8::try_from(place % 251).unwrap_or_default()
}

/// `slow?head_ms=N&body_ms=N`: waits before the head, and in the middle of the body.
async fn slow(parts: &Parts) -> Response {
    let wait = |name| Duration::from_millis(form::number(parts, name).unwrap_or(0));
    let between = wait("body_ms");
    tokio::time::sleep(wait("head_ms")).await;
    let pieces = stream::iter(["slow ", "answer\n"]).then(move |piece| async move {
        if piece != "slow " {
            tokio::time::sleep(between).await;
        }
        Ok::<_, Infallible>(piece)
    });
    Response::new(Body::from_stream(pieces))
}

/// `events`: server-sent events, each when the control port says so.
fn events(world: &Arc<World>) -> Response {
    let open = Open::new(world);
    let receiver = world.events.subscribe();
    let pieces = stream::unfold((receiver, open), |(mut receiver, open)| async move {
        let stop = open.0.stop.clone();
        let event = tokio::select! {
            () = stop.cancelled() => None,
            event = receiver.recv() => match event {
                Ok(event) => event,
                Err(RecvError::Lagged(lost)) => Some(format!("lost {lost}")),
                Err(RecvError::Closed) => None,
            },
        };
        let piece = Bytes::from(format!("data: {}\n\n", event?));
        Some((Ok::<_, Infallible>(piece), (receiver, open)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let content_type = HeaderValue::from_static("text/event-stream");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// An open event stream, counted.
struct Open(Arc<World>);

impl Open {
    fn new(world: &Arc<World>) -> Self {
        world.count(|counters| counters.event_streams += 1);
        Self(Arc::clone(world))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.count(|counters| counters.event_streams -= 1);
    }
}

/// `drain?pause_ms=N`: reads the body piece by piece and counts its bytes as they come.
async fn drain(world: &World, parts: &Parts, body: Body) -> Response {
    let pause = Duration::from_millis(form::number(parts, "pause_ms").unwrap_or(0));
    let mut stream = body.into_data_stream();
    let mut sum = Context::new(&SHA256);
    let mut total = 0;
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return answer::empty(StatusCode::BAD_REQUEST);
        };
        sum.update(&piece);
        total += piece.len() as u64;
        world.count(|counters| counters.bytes_drained += piece.len() as u64);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    let told = json!({ "bytes": total, "sha256": hex(sum.finish().as_ref()) });
    answer::value(StatusCode::OK, told)
}

/// `redirect?to=URL`: 302; without `to`, an absolute address on this very host.
fn redirect(parts: &Parts) -> Response {
    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let to = form::query(parts, "to");
    let to = to.unwrap_or_else(|| format!("http://{host}/services/apexrest/echo/redirected"));
    answer::with(answer::empty(StatusCode::FOUND), "location", &to)
}

/// `status?code=N`: an empty answer with that status.
fn status(parts: &Parts) -> Response {
    let code = form::number(parts, "code").and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| *code >= 200);
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    answer::empty(code.unwrap_or(StatusCode::BAD_REQUEST))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Headers whose value is never shown.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "x-sfdc-session",
    "cookie",
    "apiaccesskeyid",
    "apisecretaccesskey",
];
