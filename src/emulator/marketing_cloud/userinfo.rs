//! `GET /v2/userinfo` (Marketing Cloud Engagement APIs, `getUserInfo`); the names in `rest` are
//! inferred.

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::json;

use super::{Site, World, answer, gate};

pub(super) fn answer(world: &World, parts: &Parts) -> Response {
    let now = world.now();
    let session = gate::bearer(&parts.headers)
        .and_then(|token| world.books(|books| books.cloud.live(token, now).cloned()));
    let Some(session) = session else {
        return gate::dead(world.knobs.turn(|dials| dials.marketing_cloud.challenge));
    };
    let left = session.expires().saturating_sub(now).as_secs();
    let told = json!({
        "exp": u64::try_from(world.unix_ms() / 1000).unwrap_or_default() + left,
        "iss": "https://mc.exacttarget.com",
        "user": { "sub": "70001", "name": "Emulated User", "locale": "en-US" },
        "organization": {
            "member_id": session.user,
            "enterprise_id": super::ACCOUNTS[0],
            "enterprise_name": "Acme",
            "account_type": "ENTERPRISE_2",
            "stack_key": "S0",
        },
        "rest": {
            "rest_instance_url": format!("{}/", world.origin(Site::CloudRest)),
            "soap_instance_url": format!("{}/", world.origin(Site::CloudSoap)),
        },
    });
    answer::value(StatusCode::OK, told)
}
