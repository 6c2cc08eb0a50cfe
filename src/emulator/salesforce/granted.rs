//! A successful login: the session and the answer that carries it (`PROVIDERS.md` 1.3, 1.4).

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::Value;

use super::{Lifetime, ORG_15, ORG_18, Session, Site, User, World, answer, random_text};

/// Who logged in, where and how.
pub(super) struct Login {
    pub(super) site: Site,
    pub(super) user: User,
    pub(super) by_password: bool,
    pub(super) client_secret: String,
}

/// Opens the session (or finds the one there is) and writes the answer.
pub(super) fn answer(world: &World, login: &Login) -> Response {
    let dials = world.knobs.read();
    let home = if dials.answer.instance_b {
        Site::InstanceB
    } else {
        Site::InstanceA
    };
    let now = world.now();
    let exact = dials.answer.exact.clone();
    let old = world.books(|books| {
        let of_user = books.sessions.of_user(login.user.name, home, now);
        of_user
            .filter(|_| dials.login.same_token)
            .map(str::to_owned)
    });
    let is_new = old.is_none() || exact.is_some();
    let token = match &exact {
        Some(body) => token_of(body),
        None => old.unwrap_or_else(|| new_token(dials.answer.huge_token)),
    };
    let body = Bytes::from(exact.unwrap_or_else(|| write(world, login, home, &token)));
    world.books(|books| {
        if is_new {
            let session = Session {
                user: login.user.name.to_owned(),
                login: login.site,
                home,
                environment: None,
                lifetime: Lifetime::Sliding(world.settings.session),
                written: now,
                uses: 0,
                answers: Vec::new(),
            };
            books.sessions.add(token.clone(), session);
        }
        books.sessions.issued_again(&token, body.clone());
    });
    let mut response = answer::json(StatusCode::OK, body);
    if dials.answer.chunked {
        response = answer::chunked(response);
    }
    answer::with(response, "cache-control", "no-cache, no-store")
}

fn token_of(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let token = value.as_ref().and_then(|value| value.get("access_token"));
    let token = token.and_then(Value::as_str);
    token.unwrap_or_default().to_owned()
}

/// 112 characters with `!`, `_` and `.`: `!` is not in the alphabet of RFC 6750.
fn new_token(huge: bool) -> String {
    let part = if huge { 1360 } else { 30 };
    format!(
        "{ORG_15}!AQ4A{}_{}.{}",
        random_text(part),
        random_text(part),
        random_text(part)
    )
}

fn write(world: &World, login: &Login, home: Site, token: &str) -> String {
    let dials = world.knobs.read().answer;
    let id = format!("{}/id/{ORG_18}/{}", world.origin(login.site), login.user.id);
    let issued_at = world.unix_ms().to_string();
    let signature = signature(&login.client_secret, &id, &issued_at);
    let instance_url = dials.instance_url.clone();
    let instance_url = instance_url.unwrap_or_else(|| world.origin(home));
    let mut fields = vec![
        ("access_token", token.to_owned()),
        ("instance_url", instance_url),
        ("id", id),
        ("token_type", "Bearer".to_owned()),
        ("issued_at", issued_at),
        ("signature", signature),
    ];
    if !login.by_password {
        fields.push(("api_instance_url", "https://api.salesforce.com".to_owned()));
        if dials.scope {
            fields.push(("scope", "api".to_owned()));
        }
    }
    if dials.extra_fields {
        fields.push(("token_format", "opaque".to_owned()));
        fields.push((
            "sfdc_community_url",
            "a \"quoted\" \\ ünknown\tfield".to_owned(),
        ));
    }
    if dials.reversed {
        fields.reverse();
    }
    let (open, between, close) = if dials.pretty {
        ("{\n  ", ",\n  ", "\n}")
    } else {
        ("{", ",", "}")
    };
    let colon = if dials.pretty { " : " } else { ":" };
    let fields: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| format!("\"{name}\"{colon}{}", Value::from(value)))
        .collect();
    format!("{open}{}{close}", fields.join(between))
}

/// Base64 of HMAC-SHA256 over id and time, under the consumer secret.
fn signature(client_secret: &str, id: &str, issued_at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
    let tag = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
    STANDARD.encode(tag.as_ref())
}
