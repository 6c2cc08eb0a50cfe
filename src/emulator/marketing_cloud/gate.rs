//! Who may pass at a REST host, and what a dead token looks like there (Marketing Cloud
//! Engagement APIs, "Handle Errors in REST API").

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::{Canned, Session, Site, World, answer, dials_of, form, sessions_of};

/// The live session of a request, or the answer that refuses it.
pub(super) fn admit(world: &World, site: Site, parts: &Parts) -> Result<Session, Response> {
    let headers = &parts.headers;
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name))
        || form::query(parts, "access_token").is_some()
        || headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    world.count(|counters| counters.dummy_credentials += u64::from(is_strange));
    let now = world.now();
    let session = bearer(headers).and_then(|token| {
        world.books(|books| {
            let sessions = sessions_of(books, site);
            sessions
                .live(token, now)
                .filter(|session| session.home == site)?;
            sessions.touch(token, now).cloned()
        })
    });
    let (session, challenge) = world.knobs.turn(|dials| {
        let dials = dials_of(dials, site);
        let is_early = session.as_ref().is_some_and(|s| s.uses == 1);
        let is_early = is_early && dials.api.fresh_rejections > 0;
        dials.api.fresh_rejections -= u32::from(is_early);
        let passes = !is_early && !dials.api.rejects_all;
        (session.filter(|_| passes), dials.challenge)
    });
    let Some(session) = session else {
        world.count(|counters| counters.dead_sessions += 1);
        return Err(dead(challenge));
    };
    match world
        .knobs
        .turn(|dials| dials_of(dials, site).api.next.pop_front())
    {
        Some(canned) => Err(Canned::into_response(canned)),
        None => Ok(session),
    }
}

/// The token of the only `Authorization`, which is Bearer.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (all.next()?.to_str().ok()?, all.next());
    value.strip_prefix("Bearer ").filter(|_| another.is_none())
}

pub(super) fn dead(challenge: bool) -> Response {
    let response = answer::json(StatusCode::UNAUTHORIZED, DEAD);
    if challenge {
        return answer::with(response, "www-authenticate", CHALLENGE);
    }
    response
}

/// Credentials that nobody sends to these hosts but a client that does not know better.
const STRANGE: &[&str] = &[
    "cookie",
    "x-sfdc-session",
    "apiaccesskeyid",
    "apisecretaccesskey",
    "proxy-authorization",
];
const DEAD: &str = r#"{"documentation":"https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm","errorcode":0,"message":"Not Authorized"}"#;
const CHALLENGE: &str = r#"Bearer realm="example.com", error="invalid_token", error_description="The access token expired""#;
