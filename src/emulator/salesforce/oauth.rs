//! Revoke, introspect, userinfo and the identity document (Salesforce Help,
//! `remoteaccess_oidc_token_introspection_endpoint` and `remoteaccess_using_userinfo_endpoint`;
//! the texts of refused revocations are inferred).

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::json;

use super::gate::{self, Surface};
use super::login::{client, refused};
use super::{
    CLIENT_ID, Form, ORG_15, ORG_18, Session, Site, World, answer, document, not_found, user,
};

pub(super) fn answer(
    world: &World,
    site: Site,
    parts: &Parts,
    body: &[u8],
    call: &str,
) -> Response {
    let form = Form::read(&parts.headers, body);
    match (&parts.method, call) {
        (&Method::POST, "revoke") => revoke(world, &form),
        (&Method::POST, "introspect") => match client(world, &parts.headers, &form) {
            Ok(_) => introspect(world, &form),
            Err(refusal) => refused(refusal),
        },
        (&Method::GET | &Method::POST, "userinfo") => identity(world, site, parts),
        _ => not_found(),
    }
}

/// `/id/ORG/USER`, and userinfo.
pub(super) fn identity(world: &World, site: Site, parts: &Parts) -> Response {
    match gate::admit(world, site, parts, Surface::Identity) {
        Ok(session) => document::answer(parts, "user", told(world, &session)),
        Err(refused) => refused,
    }
}

/// The identity URL of a session: on the host that issued it.
pub(super) fn identity_url(world: &World, session: &Session) -> String {
    let id = user(&session.user).id;
    format!("{}/id/{ORG_18}/{id}", world.origin(session.login))
}

fn revoke(world: &World, form: &Form) -> Response {
    let Some(token) = form.get("token") else {
        return refused(("unsupported_token_type", "this token type is not supported"));
    };
    let is_known = world.books(|books| {
        let family = books.refresh.get(token).map(|known| known.family);
        if let Some(family) = family {
            books.end_family(family);
        }
        let ended = books.sessions.end(|candidate, _| candidate == token);
        family.is_some() || ended > 0
    });
    if !is_known {
        return refused(("invalid_token", "invalid token"));
    }
    answer::empty(StatusCode::OK)
}

fn introspect(world: &World, form: &Form) -> Response {
    let token = form.get("token").unwrap_or_default();
    let now = world.now();
    let session = world.books(|books| books.sessions.live(token, now).cloned());
    let Some(session) = session else {
        return answer::value(StatusCode::OK, json!({ "active": false }));
    };
    let unix = u64::try_from(world.unix_ms() / 1000).unwrap_or(u64::MAX);
    let told = json!({
        "active": true,
        "scope": "api",
        "client_id": CLIENT_ID,
        "username": session.user,
        "sub": identity_url(world, &session),
        "token_type": "access_token",
        "exp": unix + session.expires().saturating_sub(now).as_secs(),
        "iat": unix.saturating_sub(now.saturating_sub(session.written).as_secs()),
    });
    answer::value(StatusCode::OK, told)
}

fn told(world: &World, session: &Session) -> serde_json::Value {
    json!({
        "id": identity_url(world, session),
        "sub": identity_url(world, session),
        "user_id": user(&session.user).id,
        "organization_id": ORG_18,
        "username": session.user,
        "preferred_username": session.user,
        "display_name": "Emulated User",
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "photos": {
            "picture": format!("{}/profilephoto/005/F", world.origin(session.home)),
            "thumbnail": "https://acme.file.force-user-content.com/profilephoto/005/T",
        },
        "urls": urls(&world.origin(session.home), user(&session.user).id),
    })
}

/// The absolute addresses of a user's APIs, most with a literal `{version}` in them.
fn urls(instance: &str, user: &str) -> serde_json::Value {
    let data = format!("{instance}/services/data/v{{version}}");
    let soap = |api: &str| format!("{instance}/services/Soap/{api}/{{version}}/{ORG_15}");
    json!({
        "enterprise": soap("c"),
        "metadata": soap("m"),
        "partner": soap("u"),
        "tooling_soap": soap("T"),
        "rest": format!("{data}/"),
        "sobjects": format!("{data}/sobjects/"),
        "search": format!("{data}/search/"),
        "query": format!("{data}/query/"),
        "recent": format!("{data}/recent/"),
        "tooling_rest": format!("{data}/tooling/"),
        "feeds": format!("{data}/chatter/feeds"),
        "users": format!("{data}/chatter/users"),
        "profile": format!("{instance}/{user}"),
        "custom_domain": instance,
    })
}
