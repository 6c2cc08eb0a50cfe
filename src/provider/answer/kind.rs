//! Which types of tokens (`token_type`) can be carried.

use serde_json::Value;

use super::AnswerMap;
use crate::provider::failure::{LoginFailure, Refused};

/// A token that the API takes with a proof in each request, and with no other, is of no use: there is none. RFC 6749
/// section 7.1 forbids to use a type that is not understood; yet servers leave it out or write a word of their own for a
/// token that they take as it is, so only types that are known to want a proof are refused. How a token travels in a
/// header of the operator's own making, the operator has said.
pub(super) fn can_carry(map: &AnswerMap, json: &Value) -> Result<(), LoginFailure> {
    let beside = map.token.rsplit_once('/').map_or("", |(folder, _)| folder);
    let kind = json.pointer(&format!("{beside}/token_type"));
    let Some(kind) = kind.and_then(Value::as_str) else {
        return Ok(());
    };
    let mut proved = PROVED.iter().filter(|_| map.templates.is_empty());
    match proved.find(|known| kind.trim().eq_ignore_ascii_case(known)) {
        None => Ok(()),
        Some(known) => Err(LoginFailure::Refused {
            what: Refused::Policy,
            text: format!(
                "the token endpoint gives a token of the type {known}, which wants a proof in each request that this proxy cannot make: have it give \
                 Bearer tokens to this client"
            ),
        }),
    }
}

/// Types of tokens that are good for nothing without a proof: RFC 9449, the drafts of RFC 6749's time, RFC 9200.
const PROVED: [&str; 3] = ["DPoP", "mac", "PoP"];
