//! Token answers and refusals, as the dials have them written.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::grant::Granted;
use super::{Lifetime, Refusal, Session, Site, World, answer, random_text};
use crate::emulator::knobs::OauthAnswerDials;

/// Opens the session and writes the answer that carries its token.
pub(super) fn answer(world: &World, dials: &OauthAnswerDials, granted: &Granted) -> Response {
    let token = random_text(43);
    let life = world.settings.oauth2_lifetime;
    let session = Session {
        user: granted.user.to_owned(),
        login: Site::OauthLogin,
        home: Site::OauthApi,
        environment: None,
        family: granted.family,
        lifetime: Lifetime::Fixed(life),
        written: world.now(),
        uses: 0,
        answers: Vec::new(),
    };
    world.books(|books| books.oauth2.add(token.clone(), session));
    let mut whole = json!({});
    let mut put = |name: &str, value: Value| {
        let place = dials.names.get(name).cloned();
        insert(
            &mut whole,
            &place.unwrap_or_else(|| format!("/{name}")),
            value,
        );
    };
    put("access_token", token.into());
    put("token_type", dials.token_type.clone().into());
    let scope = dials.scope.as_ref().unwrap_or(&granted.scope);
    put("scope", scope.clone().into());
    let written = answer::lifetime(dials.expires_in, life, world.unix_ms());
    if let Some(value) = written.and_then(|text| serde_json::from_str(&text).ok()) {
        put("expires_in", value);
    }
    if let Some(refresh) = &granted.refresh {
        put("refresh_token", refresh.clone().into());
    }
    if dials.instance_url {
        put("instance_url", world.origin(Site::OauthApi).into());
    }
    send(dials, StatusCode::OK, whole)
}

/// A refusal: 401 and a challenge if Basic was tried, else 400 (RFC 6749 5.2).
pub(super) fn refused(dials: &OauthAnswerDials, refusal: Refusal) -> Response {
    let told = json!({ "error": refusal.error, "error_description": refusal.description });
    if !refusal.basic {
        return send(dials, StatusCode::BAD_REQUEST, told);
    }
    let response = send(dials, StatusCode::UNAUTHORIZED, told);
    answer::with(response, "www-authenticate", r#"Basic realm="emulator""#)
}

fn send(dials: &OauthAnswerDials, status: StatusCode, mut body: Value) -> Response {
    let status = if dials.envelope {
        insert(&mut body, "/ok", status.is_success().into());
        StatusCode::OK
    } else {
        status
    };
    let short = dials.pad_to.saturating_sub(body.to_string().len());
    if short > 0 {
        insert(&mut body, "/padding", "x".repeat(short).into());
    }
    let mut response = answer::value(status, body);
    if let Ok(content_type) = HeaderValue::from_str(&dials.content_type) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    answer::with(response, "cache-control", "no-store")
}

/// Puts `value` at a JSON pointer (without escapes), making the objects on the way.
fn insert(whole: &mut Value, pointer: &str, value: Value) {
    let mut place = whole;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value;
}
