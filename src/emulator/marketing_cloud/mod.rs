//! Marketing Cloud, the second generation: tokens on one host, REST and SOAP on two more. REST and
//! SOAP serve the first generation, too.
//!
//! Left out: web and public apps, whose grants need a person.

mod gate;
mod rest;
mod soap;
mod token;
mod userinfo;

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};

use super::canned::Canned;
use super::knobs::{CloudDials, Dials};
use super::sessions::{Lifetime, Session, Sessions};
use super::world::{Books, Site, World, random_text};
use super::{after, answer, facility, form};

/// The tenant's login host.
pub(super) async fn login(world: &World, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, answer::MOST).await else {
        return answer::empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/v2/token") => token::issue(world, &parts, &body).await,
        (&Method::GET, "/v2/userinfo") => userinfo::answer(world, &parts),
        _ => rest::not_found(),
    }
}

/// A REST host, of either generation.
pub(super) async fn rest(world: &Arc<World>, site: Site, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    arrive(world, site).await;
    let session = match gate::admit(world, site, &parts) {
        Ok(session) => session,
        Err(refused) => return refused,
    };
    match facility::answer(world, &parts, body).await {
        Ok(response) => response,
        Err(body) => {
            let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
            rest::answer(world, site, &session, &parts, &body)
        }
    }
}

/// The SOAP host of both generations.
pub(super) async fn soap(world: &World, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    arrive(world, Site::CloudSoap).await;
    let body = to_bytes(body, answer::MOST).await.unwrap_or_default();
    soap::answer(world, &parts, &body)
}

async fn arrive(world: &World, site: Site) {
    world.count(|counters| *counters.api_requests.entry(site.name()).or_default() += 1);
    let delay = world.knobs.turn(|dials| dials_of(dials, site).api.delay_ms);
    tokio::time::sleep(Duration::from_millis(delay)).await;
}

/// The dials of the generation that a site belongs to.
fn dials_of(dials: &mut Dials, site: Site) -> &mut CloudDials {
    match site {
        Site::LegacyRest => &mut dials.marketing_cloud_legacy,
        _ => &mut dials.marketing_cloud,
    }
}

/// The tokens of the generation that a site belongs to.
fn sessions_of(books: &mut Books, site: Site) -> &mut Sessions {
    match site {
        Site::LegacyRest => &mut books.legacy,
        _ => &mut books.cloud,
    }
}

pub(super) const CLIENT_ID: &str = "emulatedcloudclient00001";
pub(super) const CLIENT_SECRET: &str = "emulated\"cloud\\secret001";
/// Business units (MIDs). The first is the one of a token that names none.
pub(super) const ACCOUNTS: [&str; 2] = ["510001", "510002"];
