//! An OAuth 2.0 server that nobody in particular runs, and an API that takes its tokens: RFC 6749 as
//! it is written, and the dialects that its dials name.

mod api;
mod assertion;
mod client;
mod grant;
mod request;
mod written;

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, header};

use super::form::Form;
use super::jwt::Jwt;
use super::knobs::{OauthClientAuth, OauthDead, OauthDials};
use super::sessions::{Lifetime, Session};
use super::world::{Site, World, random_text};
use super::{after, answer, facility, form, keys};

/// The token endpoint's host.
pub(super) async fn login(world: &World, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if (&parts.method, parts.uri.path()) != (&Method::POST, TOKEN_PATH) {
        return answer::empty(StatusCode::NOT_FOUND);
    }
    let _visit = world.enter_token_endpoint();
    let (dials, canned) = world.knobs.turn(|dials| {
        let dials = &mut dials.oauth2;
        let next = dials.next_login.pop_front();
        (dials.clone(), next.or(dials.always_login.clone()))
    });
    world.count(|counters| {
        counters.oauth2_token_requests += 1;
        counters.credentials_in_query += u64::from(parts.uri.query().is_some());
    });
    tokio::time::sleep(Duration::from_millis(dials.delay_ms)).await;
    if let Some(canned) = canned {
        return canned.into_response();
    }
    let granted = request::read(&dials.request, &parts.headers, &body)
        .and_then(|asked| grant::decide(world, &dials, &parts.headers, &asked));
    match granted {
        Ok(granted) => {
            let response = written::answer(world, &dials.answer, &granted);
            after::hand_over(world, |dials| &mut dials.oauth2.after, response).await
        }
        Err(refusal) => {
            world.count(|counters| counters.refused_logins += 1);
            written::refused(&dials.answer, refusal)
        }
    }
}

/// The API's host.
pub(super) async fn api(world: &Arc<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let site = Site::OauthApi.name();
    world.count(|counters| *counters.api_requests.entry(site).or_default() += 1);
    let delay = world.knobs.turn(|dials| dials.oauth2.api.delay_ms);
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let session = match api::admit(world, &parts) {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    match facility::answer_under(API_PREFIX, world, &parts, body).await {
        Ok(response) => response,
        Err(_) => api::call(&session, &parts),
    }
}

/// Where tokens are asked for.
pub(super) fn token_url(world: &World) -> String {
    format!("{}{TOKEN_PATH}", world.origin(Site::OauthLogin))
}

/// Where the API begins.
pub(super) fn api_url(world: &World) -> String {
    format!("{}{API_PREFIX}", world.origin(Site::OauthApi))
}

/// `error` and `error_description`, and whether Basic was tried in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    error: &'static str,
    description: &'static str,
    basic: bool,
}

impl Refusal {
    const fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            error,
            description,
            basic: false,
        }
    }
}

const TOKEN_PATH: &str = "/realms/acme/token";
const API_PREFIX: &str = "/tenants/acme/v3";
/// Id and secret read differently with and without their form encoding.
pub(super) const CLIENT_ID: &str = "3MVG9.fake+id";
pub(super) const CLIENT_SECRET: &str = "p:ss w+rd%";
pub(super) const USERNAME: &str = "clerk@acme.example";
pub(super) const PASSWORD: &str = "correct + horse & battery=1%";
