//! Signed assertions, of clients and of grants: the signature, the audience, the end, and that none
//! is used twice (RFC 7523 3).

use serde_json::Value;

use super::{Jwt, OauthDials, World, keys, token_url};

/// The assertion, if a registered key signed it for this server and it has not ended.
pub(super) fn verified(world: &World, dials: &OauthDials, text: &str) -> Option<Jwt> {
    let jwt = Jwt::read(text)?;
    let is_signed = match &dials.public_key {
        Some(key) => jwt.is_rs256(key) || jwt.is_es256(key),
        None => jwt.is_rs256(keys::RSA_PUBLIC) || jwt.is_es256(keys::EC_PUBLIC),
    };
    let audience = dials.request.audience.clone();
    let audience = audience.unwrap_or_else(|| token_url(world));
    let is_for_us = match jwt.claims.get("aud")? {
        Value::String(only) => *only == audience,
        Value::Array(several) => several.iter().any(|one| *one == audience),
        _ => false,
    };
    let now = seconds(world);
    let number = |name: &str| jwt.claims.get(name).map(|value| value.as_u64());
    // Whole seconds; an end too far away is a mistake of units.
    let is_in_time = number("exp")??
        .checked_sub(now)
        .is_some_and(|left| left > 0 && left <= MOST);
    let is_not_early = |name| number(name).is_none_or(|at| at.is_some_and(|at| at <= now + SKEW));
    let is_right = is_signed && is_for_us && is_in_time;
    (is_right && is_not_early("iat") && is_not_early("nbf")).then_some(jwt)
}

/// Was no assertion with this `jti` there before? Those that ended are forgotten: they are refused
/// anyway.
pub(super) fn is_first(world: &World, jwt: &Jwt) -> bool {
    let Some(id) = jwt.text("jti") else {
        return true;
    };
    let end = jwt
        .claims
        .get("exp")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let now = seconds(world);
    world.books(|books| {
        books.assertions.retain(|_, end| *end > now);
        let is_first = books.assertions.insert(id.to_owned(), end).is_none();
        books.counters.replayed_assertions += u64::from(!is_first);
        is_first
    })
}

fn seconds(world: &World) -> u64 {
    u64::try_from(world.unix_ms() / 1000).unwrap_or(u64::MAX)
}

/// How far away an end may be, in seconds.
const MOST: u64 = 3600;
/// How far a client's clock may be ahead, in seconds.
const SKEW: u64 = 60;
