//! A successful login: the session and the answer that carries it (Salesforce's Postman collection;
//! how `signature` is made is inferred).

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::Value;

use super::{
    AnswerDials, Lifetime, ORG_15, ORG_18, Session, Site, User, World, answer, random_text,
};

/// Who logged in, where and how.
pub(super) struct Login {
    pub(super) site: Site,
    pub(super) user: User,
    pub(super) grant: Grant,
    pub(super) client_secret: String,
}

/// How somebody logged in.
pub(super) enum Grant {
    ClientCredentials,
    Password,
    JwtBearer,
    Refresh {
        family: u64,
        /// With rotation: the refresh token that follows.
        successor: Option<String>,
    },
}

impl Grant {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::JwtBearer => "jwt_bearer",
            Self::Refresh { .. } => "refresh_token",
        }
    }

    fn family(&self) -> Option<u64> {
        match self {
            Self::Refresh { family, .. } => Some(*family),
            _ => None,
        }
    }
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
        None => old.unwrap_or_else(|| new_token(&dials.answer)),
    };
    let body = Bytes::from(exact.unwrap_or_else(|| write(world, login, home, &token)));
    world.books(|books| {
        if is_new {
            let session = Session {
                user: login.user.name.to_owned(),
                login: login.site,
                home,
                environment: None,
                family: login.grant.family(),
                lifetime: if dials.answer.jwt_token {
                    Lifetime::Fixed(JWT_LIFE)
                } else {
                    Lifetime::Sliding(world.settings.session)
                },
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

/// 112 characters with `!`, `_` and `.`: `!` is not in the alphabet of RFC 6750. Or a JWT.
fn new_token(dials: &AnswerDials) -> String {
    let part = if dials.huge_token { 1360 } else { 30 };
    let parts = [part; 3].map(random_text);
    let [first, second, third] = &parts;
    if dials.jwt_token {
        return format!("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{first}{second}.{third}");
    }
    format!("{ORG_15}!AQ4A{first}_{second}.{third}")
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
    ];
    if !matches!(login.grant, Grant::JwtBearer) {
        fields.push(("issued_at", issued_at));
        fields.push(("signature", signature));
    }
    fields.extend(of_grant(&login.grant, &dials));
    if dials.jwt_token {
        fields.push(("token_format", "jwt".to_owned()));
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

/// The fields that not every grant has.
fn of_grant(grant: &Grant, dials: &AnswerDials) -> Vec<(&'static str, String)> {
    let api = ("api_instance_url", "https://api.salesforce.com".to_owned());
    let scope = ("scope", "api".to_owned());
    match grant {
        Grant::Password => Vec::new(),
        Grant::ClientCredentials if dials.scope => vec![api, scope],
        Grant::ClientCredentials => vec![api],
        Grant::JwtBearer => vec![scope],
        Grant::Refresh { successor, .. } => {
            let successor = successor.clone().map(|token| ("refresh_token", token));
            [scope].into_iter().chain(successor).collect()
        }
    }
}

/// Base64 of HMAC-SHA256 over id and time, under the consumer secret.
fn signature(client_secret: &str, id: &str, issued_at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
    let tag = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
    STANDARD.encode(tag.as_ref())
}

/// How long a token in the form of a JWT lives.
const JWT_LIFE: Duration = Duration::from_secs(30 * 60);
