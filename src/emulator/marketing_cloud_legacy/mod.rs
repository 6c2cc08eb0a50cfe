//! Marketing Cloud, the first generation: `POST /v1/requestToken` (Marketing Cloud Engagement APIs,
//! "requestToken Reference for Legacy Packages").
//!
//! Its REST and SOAP hosts behave like those of the second generation and share their code.

mod token;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::json;

use super::knobs::CloudDials;
use super::sessions::{Lifetime, Session};
use super::world::{Books, Site, World, random_text};
use super::{after, answer, form};

/// The shared login host.
pub(super) async fn login(world: &World, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/v1/requestToken") => token::issue(world, &parts, &body).await,
        _ => refused(StatusCode::NOT_FOUND, 404, "Not Found"),
    }
}

fn refused(status: StatusCode, code: u32, message: &str) -> Response {
    let number = status.as_u16();
    let told = json!({
        "documentation": format!("https://code.docs.exacttarget.com/rest/errors/{number}"),
        "errorcode": code,
        "message": message,
    });
    answer::value(status, told)
}

pub(super) const CLIENT_ID: &str = "emulatedlegacyclient0001";
pub(super) const CLIENT_SECRET: &str = "emulated\"legacy\\secret01";
