//! The JWT bearer grant: whom an assertion names, or why it is refused (Salesforce Help,
//! "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"; its clients show what it takes beyond
//! that; the words for a bad signature or issuer are inferred).

use serde_json::Value;

use super::login::Refusal;
use super::{CLIENT_ID, Form, Jwt, PERSON, RUN_AS, Site, User, World, keys};

pub(super) fn user(world: &World, site: Site, form: &Form) -> Result<User, Refusal> {
    let dials = world.knobs.read().login;
    let jwt = form.get("assertion").and_then(Jwt::read).ok_or(INVALID)?;
    if jwt.text("iss") != Some(CLIENT_ID) {
        return Err(BAD_ISSUER);
    }
    let public = dials.public_key.as_deref().unwrap_or(keys::RSA_PUBLIC);
    if !jwt.is_rs256(public) {
        return Err(INVALID);
    }
    let audience = jwt.text("aud").ok_or(BAD_AUDIENCE)?;
    let is_for_us = [site, Site::GenericLogin].iter().any(|site| {
        let is_bare = audience == world.authority(*site) && !dials.strict_exp;
        audience == world.origin(*site) || is_bare
    });
    if !is_for_us {
        return Err(BAD_AUDIENCE);
    }
    let now = i128::try_from(world.unix_ms()).unwrap_or(i128::MAX);
    let exp = jwt.claims.get("exp").ok_or(EXPIRED)?;
    if !is_in_time(exp, now, dials.strict_exp) {
        return Err(EXPIRED);
    }
    let name = jwt.text("prn").or(jwt.text("sub"));
    let known = [PERSON, RUN_AS];
    let known = known.into_iter().find(|user| name == Some(user.name));
    known.ok_or(NOT_APPROVED)
}

/// Milliseconds and texts are taken as real endpoints take them, and any time to come. Strict: whole
/// seconds, at most three minutes ahead.
fn is_in_time(exp: &Value, now_ms: i128, strict: bool) -> bool {
    let number = match exp {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if !strict => text.parse().ok(),
        _ => None,
    };
    let Some(number) = number.map(i128::from) else {
        return false;
    };
    let end_ms = if number > MILLISECONDS_FROM && !strict {
        number
    } else {
        number * 1000
    };
    if strict {
        return now_ms < end_ms && end_ms <= now_ms + SKEW_MS;
    }
    now_ms < end_ms + SKEW_MS
}

const MILLISECONDS_FROM: i128 = 100_000_000_000;
const SKEW_MS: i128 = 180_000;
const INVALID: Refusal = ("invalid_grant", "invalid assertion");
const BAD_ISSUER: Refusal = ("invalid_client_id", "client identifier invalid");
const BAD_AUDIENCE: Refusal = ("invalid_grant", "Audience validation failed");
/// No code is involved, whatever the text says.
const EXPIRED: Refusal = ("invalid_grant", "expired authorization code");
const NOT_APPROVED: Refusal = ("invalid_grant", "user hasn't approved this consumer");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_is_understood_as_the_dial_says() {
        let check = |exp: Value, lenient: bool, strict: bool| {
            let now = 1_700_000_000_000;
            let told = [false, true].map(|strict| is_in_time(&exp, now, strict));
            assert_eq!(told, [lenient, strict], "{exp}");
        };
        check(json!(1_700_000_180), true, true);
        check(json!(1_700_000_181), true, false);
        check(json!(1_700_003_600), true, false);
        check(json!(1_700_000_001), true, true);
        check(json!(1_700_000_000), true, false);
        check(json!(1_699_999_821), true, false);
        check(json!(1_699_999_820), false, false);
        check(json!("1700000180"), true, false);
        check(json!(1_700_000_180_000_i64), true, false);
        check(json!(1_700_000_180.5), false, false);
        check(json!(null), false, false);
    }
}
