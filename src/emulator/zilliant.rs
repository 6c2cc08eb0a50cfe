//! Zilliant: two environments, one token each (docs.zilliant.com, "Request an access token").
//!
//! The credential is `OAuth` and the base64 of the whole token answer, byte for byte; the login host
//! travels in `X-Forwarded-Host`. A token belongs to the environment it was first used in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Site, World};
use super::{answer, facility, form};

pub(super) async fn answer(world: &Arc<World>, site: Site, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    world.count(|counters| *counters.api_requests.entry(site.name()).or_default() += 1);
    let delay = world.knobs.turn(|dials| dials.zilliant.delay_ms);
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if let Err(refused) = admit(world, site, &parts) {
        return refused;
    }
    if let Some(canned) = world.knobs.turn(|dials| dials.zilliant.next.pop_front()) {
        return canned.into_response();
    }
    let body = match facility::answer(world, &parts, body).await {
        Ok(response) => return response,
        Err(body) => to_bytes(body, answer::MOST).await.unwrap_or_default(),
    };
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["v1", "LogicalEntityData", entity]) => {
            let told = json!({
                "entity": entity,
                "query": parts.uri.query(),
                "environment": site.name(),
                "records": [{ "ProductId": "114695416", "Price": 9.5 }],
            });
            answer::value(StatusCode::OK, told)
        }
        (&Method::POST | &Method::PATCH, ["v2", "LogicalEntityData", _, "records"]) => {
            records(&parts, &body)
        }
        _ => answer::value(
            StatusCode::NOT_FOUND,
            json!({ "message": "Unknown entity" }),
        ),
    }
}

fn admit(world: &World, site: Site, parts: &Parts) -> Result<(), Response> {
    let headers = &parts.headers;
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name))
        || headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    world.count(|counters| counters.dummy_credentials += u64::from(is_strange));
    let Some(answered) = token_answer(headers) else {
        return Err(refused("No token found in the request"));
    };
    let value: Option<Value> = serde_json::from_slice(&answered).ok();
    let token = value.as_ref().and_then(|value| value.get("access_token"));
    let Some(token) = token.and_then(Value::as_str) else {
        return Err(refused("No token found in the request"));
    };
    let forwarded = headers.get_all("x-forwarded-host").iter();
    let forwarded: Vec<_> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    let now = world.now();
    let verdict = world.books(|books| {
        let Some(session) = books.sessions.touch(token, now) else {
            return Verdict::Dead;
        };
        if !session.answers.iter().any(|issued| *issued == answered)
            || forwarded != [world.authority(session.login)]
        {
            return Verdict::Foreign;
        }
        if *session.environment.get_or_insert(site) != site {
            books.counters.mixed_environments += 1;
            return Verdict::Foreign;
        }
        if session.uses == 1 {
            return Verdict::Fresh;
        }
        Verdict::Good
    });
    let passes = world.knobs.turn(|dials| {
        let dials = &mut dials.zilliant;
        let is_early = verdict == Verdict::Fresh && dials.fresh_rejections > 0;
        dials.fresh_rejections -= u32::from(is_early);
        matches!(verdict, Verdict::Good | Verdict::Fresh) && !is_early && !dials.rejects_all
    });
    if passes {
        return Ok(());
    }
    if verdict != Verdict::Foreign {
        world.count(|counters| counters.dead_sessions += 1);
    }
    Err(refused("Authentication error"))
}

/// What is known of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Good, and never used before.
    Fresh,
    Dead,
    /// Altered, for another environment, or without the right `X-Forwarded-Host`.
    Foreign,
}

/// The token answer in `Authorization`: the standard alphabet, padded, in one line.
fn token_answer(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    STANDARD.decode(value.strip_prefix("OAuth ")?).ok()
}

fn refused(message: &str) -> Response {
    answer::value(StatusCode::UNAUTHORIZED, json!({ "message": message }))
}

/// Takes a bare array; `?delete` is a flag without a value.
fn records(parts: &Parts, body: &[u8]) -> Response {
    let is_json = form::media_type(&parts.headers).eq_ignore_ascii_case("application/json");
    let records: Option<Vec<Value>> = serde_json::from_slice(body).ok();
    let Some(records) = records.filter(|_| is_json) else {
        let told = json!({ "message": "A JSON array is expected" });
        return answer::value(StatusCode::BAD_REQUEST, told);
    };
    let action = match parts.uri.query() {
        Some("delete") => "deleted",
        _ if parts.method == Method::PATCH => "updated",
        _ => "created",
    };
    let each = |index| json!({ "index": index, "status": action });
    let results: Value = (0..records.len()).map(each).collect();
    answer::value(StatusCode::OK, json!({ "results": results }))
}

/// Credentials that Zilliant knows nothing of.
const STRANGE: &[&str] = &[
    "cookie",
    "x-sfdc-session",
    "apiaccesskeyid",
    "apisecretaccesskey",
];
