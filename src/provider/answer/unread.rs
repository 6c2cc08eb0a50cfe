//! [`unread`]: an answer that is too large, or that broke off, is read as far as it says no.

use serde_json::Value;

use super::{Answer, LoginFailure, Provider, Secrets, TOKEN_ANSWER_MAX, grants, json};
use crate::provider::failure::Refused;
use crate::provider::refusal::classify;

/// What it means that `answer` is not whole, or larger than a token's, which is `why` it is not used: that a password was refused, if
/// the rules take what there is of it for that and no token may have been on its way; each further try counts towards a lock-out.
pub fn unread(
    provider: &Provider,
    secrets: &Secrets,
    answer: &Answer<'_>,
    why: LoginFailure,
) -> LoginFailure {
    match classify(provider, secrets, answer) {
        LoginFailure::Refused {
            what: what @ Refused::Password,
            text,
        } if !may_grant(provider, answer) => LoginFailure::Refused { what, text },
        _ => why,
    }
}

/// Whether a token stands in what there is of an answer, or may have followed.
fn may_grant(provider: &Provider, answer: &Answer<'_>) -> bool {
    let map = &provider.answer;
    let body = without_bom(answer.body);
    let is_small = body.len() <= TOKEN_ANSWER_MAX;
    let begins = match body.first() {
        None => true,
        Some(b'{') => json::begun(body).is_some_and(|json| {
            let has_token = json.pointer(&map.token).is_some_and(Value::is_string);
            grants(map, &json) && (has_token || is_small)
        }),
        Some(b'<') => false,
        // A form, perhaps, or what stands in front of an object.
        Some(_) => is_small,
    };
    answer.status.is_success() && begins
}

/// What it means that `answer` holds no fields. One that has no length may end in its middle.
pub(super) fn no_document(
    provider: &Provider,
    secrets: &Secrets,
    answer: &Answer<'_>,
) -> LoginFailure {
    if without_bom(answer.body).starts_with(b"{") {
        let why = LoginFailure::transient("the token endpoint's answer ends in its middle");
        return unread(provider, secrets, answer, why);
    }
    classify(provider, secrets, answer)
}

fn without_bom(body: &[u8]) -> &[u8] {
    let body = body.trim_ascii_start();
    body.strip_prefix(BOM).unwrap_or(body).trim_ascii_start()
}

const BOM: &[u8] = b"\xef\xbb\xbf";
