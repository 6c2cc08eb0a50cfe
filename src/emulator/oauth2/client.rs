//! Who the client is: one way of proving it, not two (RFC 6749 2.3, RFC 7523 2.2).

use super::request::Asked;
use super::{
    CLIENT_ID, CLIENT_SECRET, HeaderMap, OauthClientAuth, OauthDials, Refusal, World, assertion,
    form, header,
};

/// Checks the client, and counts how it came.
pub(super) fn admit(
    world: &World,
    dials: &OauthDials,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<(), Refusal> {
    let ways = [
        headers.contains_key(header::AUTHORIZATION),
        asked.get("client_secret").is_some(),
        asked.get("client_assertion").is_some(),
    ];
    if ways.iter().filter(|way| **way).count() > 1 {
        return Err(TWO_METHODS);
    }
    let [basic, body, signed] = ways;
    let (way, name) = if basic {
        let way = by_basic(dials, headers).ok_or(BAD_BASIC)?;
        match way {
            OauthClientAuth::BasicRaw => (way, "basic_raw"),
            _ => (way, "basic_rfc"),
        }
    } else if body {
        by_body(dials, asked)?;
        (OauthClientAuth::Body, "body")
    } else if signed {
        by_assertion(world, dials, asked)?;
        (OauthClientAuth::PrivateKeyJwt, "private_key_jwt")
    } else {
        if asked.get("client_id") != Some(CLIENT_ID) {
            return Err(BAD_CLIENT);
        }
        (OauthClientAuth::None, "none")
    };
    let wanted = dials.request.client_auth;
    let proves = way != OauthClientAuth::None;
    if way != wanted && !(wanted == OauthClientAuth::Any && proves) {
        let basic = basic.then_some(BAD_BASIC);
        return Err(basic.unwrap_or(BAD_CLIENT));
    }
    world.count(|counters| *counters.client_auth.entry(name).or_default() += 1);
    Ok(())
}

fn secret(dials: &OauthDials) -> &str {
    dials.client_secret.as_deref().unwrap_or(CLIENT_SECRET)
}

fn by_body(dials: &OauthDials, asked: &Asked) -> Result<(), Refusal> {
    let pair = (asked.get("client_id"), asked.get("client_secret"));
    if pair != (Some(CLIENT_ID), Some(secret(dials))) {
        return Err(BAD_CLIENT);
    }
    Ok(())
}

/// Form-encoded or not, whichever fits; which one it was is told.
fn by_basic(dials: &OauthDials, headers: &HeaderMap) -> Option<OauthClientAuth> {
    let (id, given) = form::basic(headers)?;
    let is_client = |id: &str, given: &str| id == CLIENT_ID && given == secret(dials);
    if is_client(&form::decoded(&id), &form::decoded(&given)) {
        return Some(OauthClientAuth::BasicRfc);
    }
    is_client(&id, &given).then_some(OauthClientAuth::BasicRaw)
}

fn by_assertion(world: &World, dials: &OauthDials, asked: &Asked) -> Result<(), Refusal> {
    let id = asked.get("client_id");
    if asked.get("client_assertion_type") != Some(ASSERTION_TYPE)
        || id.is_some_and(|id| id != CLIENT_ID)
    {
        return Err(BAD_CLIENT);
    }
    let text = asked.get("client_assertion").unwrap_or_default();
    let jwt = assertion::verified(world, dials, text).ok_or(BAD_CLIENT)?;
    let names = (jwt.text("iss"), jwt.text("sub"));
    if names != (Some(CLIENT_ID), Some(CLIENT_ID)) || jwt.text("jti").is_none() {
        return Err(BAD_CLIENT);
    }
    if !assertion::is_first(world, &jwt) {
        return Err(REPLAYED);
    }
    Ok(())
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const TWO_METHODS: Refusal = Refusal::new(
    "invalid_request",
    "more than one way of client authentication",
);
const BAD_CLIENT: Refusal = Refusal::new("invalid_client", "client authentication failed");
const BAD_BASIC: Refusal = Refusal {
    basic: true,
    ..BAD_CLIENT
};
const REPLAYED: Refusal = Refusal::new("invalid_client", "the assertion was used before");
