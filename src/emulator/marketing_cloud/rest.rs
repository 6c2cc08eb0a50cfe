//! A few REST calls, with pages, and the endpoint discovery of old SDKs (FuelSDK).
//!
//! What an account owns, only a token of that account sees.

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ACCOUNTS, Session, Site, World, answer, form};

pub(super) fn answer(
    world: &World,
    site: Site,
    session: &Session,
    parts: &Parts,
    body: &[u8],
) -> Response {
    let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["platform", "v1", "endpoints", "soap"]) => {
            let url = format!("{}/Service.asmx", world.origin(Site::CloudSoap));
            answer::value(StatusCode::OK, json!({ "url": url }))
        }
        (&Method::GET, ["platform", "v1", "endpoints"]) => {
            let soap = format!("{}/Service.asmx", world.origin(Site::CloudSoap));
            let items = json!([
                { "type": "soap", "url": soap },
                { "type": "rest", "url": format!("{}/", world.origin(site)) },
            ]);
            answer::value(StatusCode::OK, json!({ "count": 2, "items": items }))
        }
        (&Method::GET, ["asset", "v1", "content", "assets"]) => assets(session, parts),
        (&Method::GET, ["asset", "v1", "content", "assets", id]) => one(world, session, id),
        (&Method::POST, ["contacts", "v1", "contacts"]) => contact(parts, body),
        (&Method::POST, ["hub", "v1", "dataevents", key, "rowset"]) if key.starts_with("key:") => {
            rows(parts, body)
        }
        _ => not_found(),
    }
}

/// `$page` and `$pageSize` choose; there is no link to the next page.
fn assets(session: &Session, parts: &Parts) -> Response {
    let size = form::number(parts, "$pageSize").unwrap_or(50).clamp(1, 500);
    let page = form::number(parts, "$page").unwrap_or(1).max(1);
    let first = page
        .saturating_sub(1)
        .saturating_mul(size)
        .saturating_add(1);
    let items: Value = (first..first.saturating_add(size))
        .take_while(|n| *n <= ASSETS)
        .map(|n| asset(&session.user, n))
        .collect();
    let told = json!({
        "count": ASSETS,
        "page": page,
        "pageSize": size,
        "links": {},
        "items": items,
    });
    answer::value(StatusCode::OK, told)
}

/// An asset by its id, which begins with the account it belongs to.
fn one(world: &World, session: &Session, id: &str) -> Response {
    let n = id.strip_prefix(session.user.as_str());
    let n = n.and_then(|n| n.parse().ok()).filter(|n| *n <= ASSETS);
    if let Some(n) = n {
        return answer::value(StatusCode::OK, asset(&session.user, n));
    }
    let is_others = ACCOUNTS.iter().any(|account| id.starts_with(account));
    let is_others = is_others && !id.starts_with(session.user.as_str());
    world.count(|counters| counters.other_accounts += u64::from(is_others));
    not_found()
}

fn asset(account: &str, n: u64) -> Value {
    json!({
        "id": format!("{account}{n:03}"),
        "name": format!("Newsletter {n}"),
        "owner": { "account": account },
        // Record data on a foreign host: a proxy leaves it alone.
        "fileProperties": { "publishedURL": format!("https://image.example/lib/{account}/{n}.png") },
    })
}

fn contact(parts: &Parts, body: &[u8]) -> Response {
    let Some(contact) = answer::object(&parts.headers, body) else {
        return invalid();
    };
    let Some(key) = contact.get("contactKey").and_then(Value::as_str) else {
        return invalid();
    };
    let told = json!({
        "operationStatus": "OK",
        "rowsAffected": 1,
        "contactKey": key,
        "contactID": 12_345,
        "isNewContactKey": true,
        "hasErrors": false,
        "resultMessages": [],
    });
    answer::value(StatusCode::OK, told)
}

fn rows(parts: &Parts, body: &[u8]) -> Response {
    let is_json = form::media_type(&parts.headers).eq_ignore_ascii_case("application/json");
    let rows: Option<Vec<Value>> = serde_json::from_slice(body).ok();
    match rows.filter(|_| is_json) {
        Some(rows) => answer::value(StatusCode::OK, rows.into()),
        None => invalid(),
    }
}

fn invalid() -> Response {
    answer::json(StatusCode::BAD_REQUEST, INVALID)
}

pub(super) fn not_found() -> Response {
    answer::json(StatusCode::NOT_FOUND, NOT_FOUND)
}

/// Assets of each account.
const ASSETS: u64 = 5;
const INVALID: &str =
    r#"{"documentation":"","errorcode":10006,"message":"The JSON is not what is expected"}"#;
const NOT_FOUND: &str = r#"{"documentation":"https://code.docs.exacttarget.com/rest/errors/404","errorcode":404,"message":"Not Found"}"#;
