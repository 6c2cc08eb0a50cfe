//! The control port: ending sessions, turning knobs, reading counters, sending events.
//!
//! Requests of browsers from other pages (they carry `Origin`) are refused; there is no other guard,
//! since nothing here is worth one.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode, header};
use serde_json::json;

use super::world::World;
use super::{answer, form};

pub(super) async fn answer(world: &World, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(header::ORIGIN) {
        return answer::empty(StatusCode::FORBIDDEN);
    }
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, [""]) => plain(StatusCode::OK, USAGE.to_owned()),
        (&Method::GET, ["counters"]) => shown(&world.counters()),
        (&Method::GET, ["knobs"]) => shown(&world.knobs.read()),
        (&Method::POST, ["knobs"]) => match turn(world, &body) {
            Ok(()) => answer::empty(StatusCode::NO_CONTENT),
            Err(error) => plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
        },
        (&Method::POST, ["end-session", which]) => match world.end_sessions(which) {
            Some(ended) => answer::value(StatusCode::OK, json!({ "ended": ended })),
            None => plain(StatusCode::NOT_FOUND, format!("{PROVIDERS} or all\n")),
        },
        (&Method::POST, ["refresh-token", which]) => match world.mint(which) {
            Some(token) => answer::value(StatusCode::OK, json!({ "refresh_token": token })),
            None => plain(StatusCode::NOT_FOUND, format!("{REFRESHING}\n")),
        },
        (&Method::POST, ["revoke", which]) => match world.revoke(which) {
            Some(ended) => answer::value(StatusCode::OK, json!({ "ended": ended })),
            None => plain(StatusCode::NOT_FOUND, format!("{REFRESHING}\n")),
        },
        (&Method::POST, ["advance"]) => {
            let ms = form::number(&parts, "ms").unwrap_or_default();
            world.advance(Duration::from_millis(ms));
            answer::empty(StatusCode::NO_CONTENT)
        }
        (&Method::POST, ["event"]) => {
            let data = String::from_utf8_lossy(&body).into_owned();
            send(world, Some(data))
        }
        (&Method::POST, ["end-events"]) => send(world, None),
        _ => plain(StatusCode::NOT_FOUND, USAGE.to_owned()),
    }
}

fn turn(world: &World, body: &[u8]) -> Result<(), serde_json::Error> {
    world.knobs.merge(&serde_json::from_slice(body)?)
}

fn send(world: &World, event: Option<String>) -> Response {
    // An error means that nobody listens.
    let streams = world.events.send(event).unwrap_or_default();
    answer::value(StatusCode::OK, json!({ "streams": streams }))
}

fn shown(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(body) => answer::json(StatusCode::OK, body + "\n"),
        Err(_) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn plain(status: StatusCode, body: String) -> Response {
    answer::text(status, "text/plain", body)
}

const PROVIDERS: &str =
    "salesforce, zilliant, zuora, marketing-cloud-legacy, marketing-cloud, oauth2";
const REFRESHING: &str = "salesforce, marketing-cloud-legacy, oauth2";
const USAGE: &str = r#"POST /end-session/{PROVIDER|all}
POST /refresh-token/{PROVIDER}  a first refresh token
POST /revoke/{PROVIDER}         ends all refresh tokens and their sessions
GET  /counters                  what was asked of the providers
GET  /knobs                     what can be turned, as it is
POST /knobs                     JSON that is laid over it; the next call of Salesforce's API fails:
                                {"salesforce": {"next": [{"status": 503}]}}
POST /advance?ms=N              sessions and tokens are so much older
POST /event (data)              an event for Salesforce's streams; POST /end-events ends them
"#;
