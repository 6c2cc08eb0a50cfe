//! Salesforce: two login hosts, two instances.
//!
//! Left out: SOAP, CometD, and the grants for which a person is needed.

mod assertion;
mod bulk1;
mod bulk2;
mod document;
mod gate;
mod granted;
mod login;
mod oauth;
mod refresh;
mod rest;

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};

use self::gate::Surface;
use super::canned::{Canned, refusal_body};
use super::form::Form;
use super::jobs::{Batch, Job};
use super::jwt::Jwt;
use super::knobs::AnswerDials;
use super::sessions::{Lifetime, Session};
use super::world::{Site, World, random_text};
use super::{after, answer, facility, form, keys};

/// A login host.
pub(super) async fn login(world: &Arc<World>, site: Site, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let segments = segments(&parts);
    let response = match (&parts.method, segments.as_slice()) {
        (&Method::POST, ["services", "oauth2", "token"]) => {
            login::token(world, site, &parts, &body).await
        }
        (_, ["services", "oauth2", call]) => oauth::answer(world, site, &parts, &body, call),
        (_, ["id", ..]) => oauth::identity(world, site, &parts),
        (_, ["services", "data", _, ..]) => answer::json(StatusCode::UNAUTHORIZED, URL_NOT_RESET),
        _ => not_found(),
    };
    with_cookies(response)
}

/// An instance.
pub(super) async fn instance(world: &Arc<World>, site: Site, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let used = world.books(|books| {
        let requests = books.counters.api_requests.entry(site.name());
        let requests = requests.or_default();
        *requests += 1;
        *requests
    });
    world.knobs.wait(|dials| dials.salesforce.delay_ms).await;
    let segments = segments(&parts);
    let response = match segments.as_slice() {
        ["services", "data"] => rest::versions(),
        ["services", "oauth2", call] => {
            let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
            oauth::answer(world, site, &parts, &body, call)
        }
        ["id", ..] => oauth::identity(world, site, &parts),
        ["services", "async", _, rest @ ..] => {
            let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
            match gate::admit(world, site, &parts, Surface::Bulk) {
                Ok(_) => bulk1::answer(world, &parts, &body, rest),
                Err(refused) => refused,
            }
        }
        _ => match gate::admit(world, site, &parts, Surface::Rest) {
            Ok(session) => match facility::answer(world, &parts, body).await {
                Ok(response) => response,
                Err(body) => {
                    let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
                    rest::answer(world, &session, &parts, &body, &segments)
                }
            },
            Err(refused) => refused,
        },
    };
    let usage = format!("api-usage={used}/15000");
    with_cookies(answer::with(response, "sforce-limit-info", &usage))
}

/// The segments of a path; a slash at its end makes none.
fn segments(parts: &Parts) -> Vec<&str> {
    let path = parts.uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/').collect()
}

fn not_found() -> Response {
    let body = r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#;
    answer::json(StatusCode::NOT_FOUND, body)
}

/// The cookies that come with every answer (jsforce, pull request 1301).
fn with_cookies(mut response: Response) -> Response {
    for cookie in COOKIES {
        response = answer::with(response, "set-cookie", cookie);
    }
    response
}

/// A user of the org.
#[derive(Clone, Copy, Debug)]
struct User {
    name: &'static str,
    id: &'static str,
}

fn user(name: &str) -> User {
    if name == USERNAME { PERSON } else { RUN_AS }
}

/// The user that `client_credentials` logs in.
const RUN_AS: User = User {
    name: "integration@acme.example",
    id: "005xx000000000AAAQ",
};
/// The user with a password.
const PERSON: User = User {
    name: USERNAME,
    id: "005xx000000000BAAQ",
};

pub(super) const CLIENT_ID: &str =
    "3MVG9.emulator.emulator.emulator.emulator.emulator.emulator.emulator.emulator.emulator1";
pub(super) const CLIENT_SECRET: &str =
    "DECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBAD";
pub(super) const USERNAME: &str = "pricing@acme.example";
pub(super) const PASSWORD: &str = "open + 100% sesame & x=1";
pub(super) const SECURITY_TOKEN: &str = "EmulatorSecurityToken24x";
/// The org id in its two lengths.
const ORG_15: &str = "00Dxx0000000001";
const ORG_18: &str = "00Dxx0000000001EAA";

const COOKIES: [&str; 2] = [
    "BrowserId=emulator; domain=.salesforce.com; path=/; expires=Fri, 31-Dec-2100 00:00:00 GMT; Max-Age=31536000; Secure",
    "CookieConsentPolicy=0:1; path=/; Max-Age=31536000",
];
const URL_NOT_RESET: &str = r#"[{"message":"Destination URL not reset. The URL returned from login must be set","errorCode":"URL_NOT_RESET"}]"#;
