//! Zuora's API: who may pass, and a few calls.

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{DeadShape, Site, World, answer, files, form, random_text};

/// Passes a live Bearer token, and nothing else besides it.
pub(super) fn admit(world: &World, parts: &Parts) -> Result<(), Response> {
    let headers = &parts.headers;
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name))
        || headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    world.count(|counters| counters.dummy_credentials += u64::from(is_strange));
    if headers.contains_key("apiaccesskeyid") || headers.contains_key("apisecretaccesskey") {
        return Err(failure(
            StatusCode::BAD_REQUEST,
            90_000_020,
            "more than one credential",
        ));
    }
    let now = world.now();
    let uses = bearer(headers).and_then(|token| {
        world.books(|books| books.billing.touch(token, now).map(|session| session.uses))
    });
    let passes = world.knobs.turn(|dials| {
        let dials = &mut dials.zuora;
        let is_early = uses == Some(1) && dials.fresh_rejections > 0;
        dials.fresh_rejections -= u32::from(is_early);
        uses.is_some() && !is_early && !dials.rejects_all
    });
    if !passes {
        world.count(|counters| counters.dead_sessions += 1);
        return Err(dead(world));
    }
    if parts.method == Method::PUT && headers.contains_key("idempotency-key") {
        let text = "Request method 'PUT' not supported with Idempotency-Key header";
        return Err(failure(StatusCode::BAD_REQUEST, 90_000_090, text));
    }
    if headers.contains_key("entityid") && headers.contains_key("entityname") {
        return Err(failure(
            StatusCode::BAD_REQUEST,
            90_000_020,
            "entityId and entityName",
        ));
    }
    match world.knobs.turn(|dials| dials.zuora.next.pop_front()) {
        Some(canned) => Err(canned.into_response()),
        None => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (all.next()?.to_str().ok()?, all.next());
    value.strip_prefix("Bearer ").filter(|_| another.is_none())
}

/// A dead token, in the shape the dial names.
fn dead(world: &World) -> Response {
    match world.knobs.turn(|dials| dials.billing.dead) {
        DeadShape::Message => answer::json(StatusCode::UNAUTHORIZED, DEAD_MESSAGE),
        DeadShape::Reasons => answer::json(StatusCode::UNAUTHORIZED, DEAD_REASONS),
        DeadShape::Success200 => answer::json(StatusCode::OK, DEAD_REASONS),
    }
}

pub(super) fn call(world: &World, parts: &Parts, body: &[u8]) -> Response {
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["v1", "accounts"]) => accounts(world, parts),
        (&Method::POST, ["v1", "accounts"]) => create(body),
        (&Method::GET | &Method::PUT, ["v1", "accounts", id]) => {
            let told = json!({ "success": true, "id": id, "entity": entity(&parts.headers) });
            answer::value(StatusCode::OK, told)
        }
        (&Method::GET | &Method::POST, ["v1" | "object-query", ..])
            if segments.contains(&"object-query") =>
        {
            // An opaque cursor, not an address.
            let told = json!({ "data": [account(world, 1)], "next_page": "W3sib3JkZXJpbmci" });
            answer::value(StatusCode::OK, told)
        }
        (&Method::POST, ["query", "jobs"]) => query(body),
        (&Method::GET, ["query", "jobs", id]) => {
            let file = files::signed(world, id);
            let data = json!({ "id": id, "queryStatus": "completed", "dataFile": file });
            answer::value(StatusCode::OK, json!({ "data": data }))
        }
        (&Method::POST, ["v1", "connections"]) => {
            let response = answer::json(StatusCode::OK, r#"{"success":true}"#);
            answer::with(
                response,
                "set-cookie",
                "ZSession=emulator; Path=/; Secure; HttpOnly",
            )
        }
        _ => failure(
            StatusCode::NOT_FOUND,
            50_000_040,
            "Cannot find the resource",
        ),
    }
}

/// Two pages, the second behind an absolute URL. The first is longer than 1000 bytes.
fn accounts(world: &World, parts: &Parts) -> Response {
    if form::number(parts, "page") == Some(2) {
        let told = json!({ "success": true, "accounts": [account(world, 21)] });
        return answer::value(StatusCode::OK, told);
    }
    let size = form::number(parts, "pageSize").unwrap_or(20).clamp(1, 40);
    let next = format!(
        "{}/v1/accounts?page=2&pageSize={size}",
        world.origin(Site::Billing)
    );
    let accounts: Value = (1..=size).map(|n| account(world, n)).collect();
    let told = json!({
        "success": true,
        "accounts": accounts,
        "entity": entity(&parts.headers),
        "nextPage": next,
    });
    answer::value(StatusCode::OK, told)
}

fn create(body: &[u8]) -> Response {
    let request: Option<Value> = serde_json::from_slice(body).ok();
    let Some(request) = request.filter(Value::is_object) else {
        return failure(StatusCode::BAD_REQUEST, 50_000_090, "malformed request");
    };
    if request.get("name").is_none() {
        // Business failures come with 200.
        return failure(StatusCode::OK, 50_000_020, "'name' may not be null");
    }
    let told =
        json!({ "success": true, "accountId": random_text(32), "accountNumber": "A00000021" });
    answer::value(StatusCode::OK, told)
}

/// A data query: its result is a file.
fn query(body: &[u8]) -> Response {
    let request: Option<Value> = serde_json::from_slice(body).ok();
    let text = request.as_ref().and_then(|request| request.get("query"));
    if text.and_then(Value::as_str).is_none() {
        return failure(StatusCode::BAD_REQUEST, 50_000_090, "malformed request");
    }
    let data = json!({ "id": random_text(16), "queryStatus": "accepted" });
    answer::value(StatusCode::OK, json!({ "data": data }))
}

fn account(world: &World, n: u64) -> Value {
    json!({
        "id": format!("2c92fake{n:024}"),
        "accountNumber": format!("A{n:08}"),
        "name": format!("Account {n}"),
        // Record data, not a link: a proxy leaves it alone.
        "notes": format!("{}/v1/accounts/A{n:08}", world.origin(Site::Billing)),
    })
}

/// The entity a request is for: part of what it means, not of its token.
fn entity(headers: &HeaderMap) -> Option<&str> {
    headers.get("zuora-entity-ids")?.to_str().ok()
}

fn failure(status: StatusCode, code: u32, message: &str) -> Response {
    let reasons = json!([{ "code": code, "message": message }]);
    let told = json!({ "success": false, "processId": "FAKE123", "reasons": reasons });
    answer::value(status, told)
}

const STRANGE: &[&str] = &[
    "cookie",
    "x-sfdc-session",
    "apiaccesskeyid",
    "apisecretaccesskey",
];
const DEAD_MESSAGE: &str = r#"{"message":"Authentication error"}"#;
const DEAD_REASONS: &str = r#"{"success":false,"processId":"FAKE123","reasons":[{"code":90000011,"message":"this resource is protected, please sign in first"}]}"#;
