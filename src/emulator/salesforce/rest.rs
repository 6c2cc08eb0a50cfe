//! REST under `/services/data`, as far as real clients go in their tests.

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::oauth::identity_url;
use super::{Session, World, answer, bulk2, document, form, not_found, random_text};

/// The version list: needs no session.
pub(super) fn versions() -> Response {
    let version = |n: u32| {
        json!({
            "label": format!("Release {n}"),
            "url": format!("/services/data/v{n}.0"),
            "version": format!("{n}.0"),
        })
    };
    answer::value(StatusCode::OK, (58..=64).map(version).collect())
}

pub(super) fn answer(
    world: &World,
    session: &Session,
    parts: &Parts,
    body: &[u8],
    segments: &[&str],
) -> Response {
    let ["services", "data", version, rest @ ..] = segments else {
        return not_found();
    };
    let tunnelled = form::query(parts, "_HttpMethod");
    let method = match (&parts.method, tunnelled.as_deref()) {
        (&Method::POST, Some("PATCH")) => Method::PATCH,
        (method, _) => method.clone(),
    };
    let root = format!("/services/data/{version}");
    match (&method, rest) {
        (&Method::GET, []) => resources(world, session, parts, &root),
        (&Method::GET, ["query" | "queryAll"]) => query(parts, &root),
        (&Method::GET, ["query" | "queryAll" | "queryMore", _locator]) => second_page(parts, &root),
        (&Method::GET, ["limits"]) => {
            let used = json!({ "DailyApiRequests": { "Max": 15000, "Remaining": 14_000 } });
            answer::value(StatusCode::OK, used)
        }
        (_, ["sobjects", rest @ ..]) => sobjects(parts, &method, body, &root, rest),
        (&Method::POST, ["composite"]) => composite(body),
        (&Method::POST | &Method::PATCH, ["composite", "sobjects"]) => collection(body),
        (_, ["jobs", kind, rest @ ..]) => bulk2::answer(world, parts, body, &root, kind, rest),
        _ => not_found(),
    }
}

/// The resource list: one absolute URL (`identity`), the others relative.
fn resources(world: &World, session: &Session, parts: &Parts, root: &str) -> Response {
    let told = json!({
        "sobjects": format!("{root}/sobjects"),
        "query": format!("{root}/query"),
        "limits": format!("{root}/limits"),
        "composite": format!("{root}/composite"),
        "jobs": format!("{root}/jobs"),
        "identity": identity_url(world, session),
    });
    document::answer(parts, "urls", told)
}

/// The first of two pages. The raw query comes back in a header, to see that nobody rewrote it.
fn query(parts: &Parts, root: &str) -> Response {
    if form::query(parts, "q").is_none_or(|q| q.trim().is_empty()) {
        let body =
            r#"[{"message":"A query string has to be specified","errorCode":"MALFORMED_QUERY"}]"#;
        return answer::json(StatusCode::BAD_REQUEST, body);
    }
    let told = json!({
        "totalSize": 4,
        "done": false,
        "nextRecordsUrl": format!("{root}/query/01gxx0000000001AAA-2"),
        "records": [record(root, 1), record(root, 2)],
    });
    with_raw_query(answer::value(StatusCode::OK, told), parts)
}

fn second_page(parts: &Parts, root: &str) -> Response {
    let records = [record(root, 3), record(root, 4)];
    let told = json!({ "totalSize": 4, "done": true, "records": records });
    with_raw_query(answer::value(StatusCode::OK, told), parts)
}

fn with_raw_query(response: Response, parts: &Parts) -> Response {
    answer::with(
        response,
        "x-raw-query",
        parts.uri.query().unwrap_or_default(),
    )
}

fn record(root: &str, n: u32) -> Value {
    let id = format!("001xx00000000{n:02}AAA");
    json!({
        "attributes": { "type": "Account", "url": format!("{root}/sobjects/Account/{id}") },
        "Id": id,
        "Name": format!("Account {n}"),
        // Record data, not a link: a proxy leaves it alone.
        "Website": "https://login.salesforce.com/id/not-a-link",
    })
}

fn sobjects(parts: &Parts, method: &Method, body: &[u8], root: &str, rest: &[&str]) -> Response {
    match (method, rest) {
        (&Method::GET, []) => {
            let told = json!({ "encoding": "UTF-8", "sobjects": [{ "name": "Account" }] });
            answer::value(StatusCode::OK, told)
        }
        (&Method::GET, [name, "describe"]) => describe(parts, name),
        (&Method::POST, [name]) => create(body, root, name),
        (&Method::GET, [_, "External__c", _]) => {
            // Not a redirect, whatever the number says.
            let several = json!([record(root, 1), record(root, 2)]);
            answer::value(StatusCode::MULTIPLE_CHOICES, several)
        }
        (&Method::GET, [_, _id]) => answer::value(StatusCode::OK, record(root, 1)),
        (&Method::PATCH, [_, _id]) if is_object(body) => answer::empty(StatusCode::NO_CONTENT),
        (&Method::PATCH, [_, _id]) => not_json(),
        (&Method::DELETE, [_, _id]) => answer::empty(StatusCode::NO_CONTENT),
        _ => not_found(),
    }
}

fn describe(parts: &Parts, name: &str) -> Response {
    if parts.headers.contains_key(header::IF_MODIFIED_SINCE) {
        return answer::empty(StatusCode::NOT_MODIFIED);
    }
    let told = json!({ "name": name, "fields": [{ "name": "Id" }, { "name": "Name" }] });
    let response = answer::value(StatusCode::OK, told);
    answer::with(response, "last-modified", "Tue, 01 Jan 2030 00:00:00 GMT")
}

fn create(body: &[u8], root: &str, name: &str) -> Response {
    if !is_object(body) {
        return not_json();
    }
    let id = format!("001xx{}", random_text(13));
    let told = json!({ "id": id, "success": true, "errors": [] });
    let response = answer::value(StatusCode::CREATED, told);
    answer::with(
        response,
        "location",
        &format!("{root}/sobjects/{name}/{id}"),
    )
}

fn composite(body: &[u8]) -> Response {
    let request: Option<Value> = serde_json::from_slice(body).ok();
    let parts = request
        .as_ref()
        .and_then(|value| value.get("compositeRequest"));
    let Some(parts) = parts.and_then(Value::as_array) else {
        return not_json();
    };
    let answers: Vec<Value> = parts
        .iter()
        .map(|part| {
            json!({
                "body": { "url": part.get("url") },
                "httpHeaders": {},
                "httpStatusCode": 200,
                "referenceId": part.get("referenceId"),
            })
        })
        .collect();
    answer::value(StatusCode::OK, json!({ "compositeResponse": answers }))
}

fn collection(body: &[u8]) -> Response {
    let request: Option<Value> = serde_json::from_slice(body).ok();
    let records = request.as_ref().and_then(|value| value.get("records"));
    let Some(records) = records.and_then(Value::as_array) else {
        return not_json();
    };
    let saved =
        |_| json!({ "id": format!("001xx{}", random_text(13)), "success": true, "errors": [] });
    answer::value(StatusCode::OK, records.iter().map(saved).collect())
}

fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| value.is_object())
}

fn not_json() -> Response {
    let body = r#"[{"message":"Unexpected character","errorCode":"JSON_PARSER_ERROR"}]"#;
    answer::json(StatusCode::BAD_REQUEST, body)
}
