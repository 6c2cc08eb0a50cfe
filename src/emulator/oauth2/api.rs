//! The API: who may pass, what a dead token looks like (RFC 6750 3), and a few calls.

use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};
use serde_json::json;

use super::{API_PREFIX, OauthDead, Session, World, answer, form};

pub(super) fn admit(world: &World, parts: &Parts) -> Result<Session, Response> {
    let (name, prefix, dead) = world.knobs.turn(|dials| {
        let dials = &dials.oauth2;
        (dials.header.clone(), dials.prefix.clone(), dials.dead)
    });
    let headers = &parts.headers;
    let ours = HeaderName::from_bytes(name.as_bytes()).unwrap_or(header::AUTHORIZATION);
    let strange = STRANGE.iter().filter(|name| **name != ours.as_str());
    let is_strange = strange.into_iter().any(|name| headers.contains_key(*name))
        || form::query(parts, "access_token").is_some()
        || headers.get_all(&ours).iter().count() > 1;
    world.count(|counters| counters.dummy_credentials += u64::from(is_strange));
    let mut all = headers.get_all(&ours).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        // Who sends nothing is told no error (RFC 6750 3.1).
        let response = answer::empty(StatusCode::UNAUTHORIZED);
        return Err(answer::with(
            response,
            CHALLENGE,
            r#"Bearer realm="emulator""#,
        ));
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix(&prefix));
    let now = world.now();
    let session =
        token.and_then(|token| world.books(|books| books.oauth2.touch(token, now).cloned()));
    let session = world.knobs.turn(|dials| {
        let api = &mut dials.oauth2.api;
        let is_early = session.as_ref().is_some_and(|s| s.uses == 1) && api.fresh_rejections > 0;
        api.fresh_rejections -= u32::from(is_early);
        session.filter(|_| !is_early && !api.rejects_all)
    });
    let Some(session) = session else {
        world.count(|counters| counters.dead_sessions += 1);
        return Err(refused(dead));
    };
    match world.knobs.turn(|dials| dials.oauth2.api.next.pop_front()) {
        Some(canned) => Err(canned.into_response()),
        None => Ok(session),
    }
}

fn refused(dead: OauthDead) -> Response {
    let bearer = r#"Bearer realm="emulator", error="invalid_token", error_description="The access token expired""#;
    let told = json!({ "error": "invalid_token" });
    let unauthorized = StatusCode::UNAUTHORIZED;
    match dead {
        OauthDead::InvalidToken => {
            answer::with(answer::value(unauthorized, told), CHALLENGE, bearer)
        }
        OauthDead::SecondChallenge => {
            let both = format!(r#"Basic realm="emulator, or so", {bearer}"#);
            answer::with(answer::value(unauthorized, told), CHALLENGE, &both)
        }
        OauthDead::Bare => answer::empty(unauthorized),
        OauthDead::Expired403 => answer::text(
            StatusCode::FORBIDDEN,
            "text/plain",
            "this token is expired\n",
        ),
    }
}

pub(super) fn call(session: &Session, parts: &Parts) -> Response {
    let path = parts.uri.path().strip_prefix(API_PREFIX);
    match (&parts.method, path) {
        (&Method::GET, Some("/me")) => {
            answer::value(StatusCode::OK, json!({ "user": session.user }))
        }
        (&Method::GET, Some("/items")) => {
            let page = form::number(parts, "page").unwrap_or(1);
            let next = (page == 1).then(|| format!("{API_PREFIX}/items?page=2"));
            let told = json!({ "items": [{ "id": page }], "next": next });
            answer::value(StatusCode::OK, told)
        }
        // No token of this server is good for it, and none will be.
        (_, Some("/admin")) => {
            let told = answer::value(
                StatusCode::FORBIDDEN,
                json!({ "error": "insufficient_scope" }),
            );
            let challenge = r#"Bearer realm="emulator", error="insufficient_scope", scope="admin""#;
            answer::with(told, CHALLENGE, challenge)
        }
        _ => answer::value(StatusCode::NOT_FOUND, json!({ "error": "not_found" })),
    }
}

const CHALLENGE: &str = "www-authenticate";
/// Credentials that this API knows nothing of.
const STRANGE: &[&str] = &[
    "authorization",
    "x-api-key",
    "cookie",
    "x-sfdc-session",
    "proxy-authorization",
];
