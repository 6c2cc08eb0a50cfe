//! Zuora: the token endpoint and the API on one host, results of data queries on a foreign one.

mod api;
mod files;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};

use super::answer::Whole;
use super::form::Form;
use super::knobs::DeadShape;
use super::sessions::{Lifetime, Session};
use super::world::{Site, World, random_text};
use super::{answer, facility, form};

/// Everything on Zuora's host.
pub(super) async fn answer(world: &Arc<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = format!("emulator-{}", random_text(12));
    if let Some(refused) = refused_track_id(&parts.headers) {
        return answer::with(refused, "zuora-request-id", &request_id);
    }
    let response = match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/oauth/token") => {
            let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
            token::issue(world, &parts, &body).await
        }
        _ => api(world, &parts, body).await,
    };
    let mut response = answer::with(response, "zuora-request-id", &request_id);
    if let Some(track) = parts.headers.get(TRACK_ID) {
        response.headers_mut().insert(TRACK_ID, track.clone());
    }
    if let Some(whole) = response.extensions_mut().get_mut::<Whole>() {
        whole.gzip_over = 1000;
    }
    response
}

/// Everything on the host of results.
pub(super) fn file(world: &World, request: Request) -> Response {
    files::fetch(world, request)
}

async fn api(world: &Arc<World>, parts: &Parts, body: Body) -> Response {
    world.count(|counters| *counters.api_requests.entry("billing").or_default() += 1);
    let delay = world.knobs.turn(|dials| dials.zuora.delay_ms);
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let response = match api::admit(world, parts) {
        Err(refused) => refused,
        Ok(()) => match facility::answer(world, parts, body).await {
            Ok(response) => response,
            Err(body) => {
                let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
                api::call(world, parts, &body)
            }
        },
    };
    let response = answer::with(response, "ratelimit-limit", RATE_LIMIT);
    let response = answer::with(response, "ratelimit-remaining", "49999");
    answer::with(response, "ratelimit-reset", "60")
}

/// At most 64 ASCII characters, none of `:` `;` `"` `'`, and one header.
fn refused_track_id(headers: &HeaderMap) -> Option<Response> {
    let mut ids = headers.get_all(TRACK_ID).iter();
    let id = ids.next()?;
    let is_bad = ids.next().is_some()
        || id.is_empty()
        || id.len() > 64
        || id
            .as_bytes()
            .iter()
            .any(|byte| !byte.is_ascii() || b":;\"'".contains(byte));
    let body = r#"{"code":"58730230","message":"Invalid Zuora-Track-Id"}"#;
    is_bad.then(|| answer::json(StatusCode::BAD_REQUEST, body))
}

pub(super) const CLIENT_ID: &str = "00000000-face-4b00-8b00-00000e400001";
pub(super) const CLIENT_SECRET: &str = "emulated+secret/with=signs+and/more==";
const TRACK_ID: &str = "zuora-track-id";
const RATE_LIMIT: &str = "2250000, 50000;w=60, 2250000;w=3600, 27000000;w=86400";
