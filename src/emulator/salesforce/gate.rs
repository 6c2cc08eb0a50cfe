//! Who may pass at an instance, and what a dead session looks like there: after jsforce,
//! simple-salesforce (issue 272) and SalesforceMobileSDK-Android, for streaming after Salesforce's
//! "Handling Streaming API Errors".

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::{Canned, Session, Site, World, answer, document, form};

/// An API family, by how it takes the token and reports a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    Rest,
    /// Bulk 1.0: `X-SFDC-Session` alone.
    Bulk,
    /// Identity and userinfo.
    Identity,
}

/// The live session of a request, or the answer that refuses it.
pub(super) fn admit(
    world: &World,
    site: Site,
    parts: &Parts,
    surface: Surface,
) -> Result<Session, Response> {
    count_strange_credentials(world, parts, surface);
    let token = match surface {
        Surface::Bulk => text(&parts.headers, SESSION_HEADER),
        Surface::Rest | Surface::Identity => authorization(&parts.headers),
    };
    let Some(token) = token else {
        return Err(missing(parts, surface));
    };
    let now = world.now();
    let (rejects_all, fresh) = world.knobs.turn(|dials| {
        let api = &dials.salesforce;
        (api.rejects_all, api.fresh_rejections)
    });
    // An instance takes its own tokens; the login hosts take those they issued.
    let is_at_home = |session: &Session| session.home == site || session.login == site;
    let session = world.books(|books| {
        books.sessions.live(token, now).filter(|s| is_at_home(s))?;
        books.sessions.touch(token, now).cloned()
    });
    let session = session.filter(|_| !rejects_all);
    let is_early = session.as_ref().is_some_and(|s| s.uses == 1) && fresh > 0;
    if is_early {
        world.knobs.turn(|dials| {
            dials.salesforce.fresh_rejections = dials.salesforce.fresh_rejections.saturating_sub(1);
        });
    }
    let Some(session) = session.filter(|_| !is_early) else {
        world.count(|counters| counters.dead_sessions += 1);
        return Err(dead(parts, surface));
    };
    match world.knobs.turn(|dials| dials.salesforce.next.pop_front()) {
        Some(canned) => Err(Canned::into_response(canned)),
        None => Ok(session),
    }
}

fn count_strange_credentials(world: &World, parts: &Parts, surface: Surface) {
    let headers = &parts.headers;
    let session = text(headers, SESSION_HEADER);
    let expected = match surface {
        Surface::Bulk => 0,
        Surface::Rest | Surface::Identity => 1,
    };
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name))
        || form::query(parts, "oauth_token").is_some()
        || form::query(parts, "access_token").is_some()
        || headers.get_all(header::AUTHORIZATION).iter().count() > expected
        || headers.get_all(SESSION_HEADER).iter().count() > 1 - expected;
    let differ = headers.contains_key(header::AUTHORIZATION)
        && session.is_some()
        && authorization(headers) != session;
    world.count(|counters| {
        counters.dummy_credentials += u64::from(is_strange);
        counters.both_header_forms += u64::from(differ);
    });
}

/// The token of `Authorization: Bearer` or `OAuth`.
fn authorization(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (all.next()?.to_str().ok()?, all.next());
    let (scheme, token) = value.split_once(' ')?;
    let is_known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
    let is_one_word = !token.is_empty() && !token.contains([' ', ',']);
    (is_known && is_one_word && another.is_none()).then_some(token)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn missing(parts: &Parts, surface: Surface) -> Response {
    match surface {
        Surface::Rest => answer::json(StatusCode::UNAUTHORIZED, INVALID_HEADER),
        Surface::Bulk => dead(parts, surface),
        Surface::Identity => {
            answer::text(StatusCode::FORBIDDEN, "text/html", "Missing_OAuth_Token")
        }
    }
}

/// A dead session. No `WWW-Authenticate`; a recorded one was chunked and closed its connection.
fn dead(parts: &Parts, surface: Surface) -> Response {
    let wants_xml = document::wants_xml(parts);
    let sends_json = form::media_type(&parts.headers).eq_ignore_ascii_case("application/json");
    let response = match surface {
        Surface::Rest if wants_xml => {
            answer::text(StatusCode::UNAUTHORIZED, "application/xml", DEAD_XML)
        }
        Surface::Rest => answer::json(StatusCode::UNAUTHORIZED, DEAD_JSON),
        Surface::Bulk if sends_json => answer::json(StatusCode::BAD_REQUEST, DEAD_BULK_JSON),
        Surface::Bulk => answer::text(StatusCode::BAD_REQUEST, "application/xml", DEAD_BULK_XML),
        Surface::Identity => answer::text(StatusCode::FORBIDDEN, "text/html", "Bad_OAuth_Token"),
    };
    if surface != Surface::Rest {
        return response;
    }
    let response = answer::with(answer::chunked(response), "connection", "close");
    let response = answer::with(response, "cache-control", NO_CACHE);
    answer::with(response, "x-content-type-options", "nosniff")
}

const SESSION_HEADER: &str = "x-sfdc-session";
/// Credentials that nobody sends to an instance but a client that does not know better.
const STRANGE: &[&str] = &[
    "cookie",
    "apiaccesskeyid",
    "apisecretaccesskey",
    "proxy-authorization",
];
const NO_CACHE: &str = "no-cache,must-revalidate,max-age=0,no-store,private";
const INVALID_HEADER: &str =
    r#"[{"message":"INVALID_HEADER_TYPE","errorCode":"INVALID_AUTH_HEADER"}]"#;
const DEAD_JSON: &str =
    r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
const DEAD_XML: &str = "<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>Session expired or invalid</message></Error></Errors>";
const DEAD_BULK_XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>";
const DEAD_BULK_JSON: &str =
    r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
