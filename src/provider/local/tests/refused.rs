//! What refused logins are told.

use serde_json::json;

use super::*;

/// What a login of `calls` is told: without a key, by another grant, and while there is no token; with the statuses.
fn told_of_refusals(calls: &[LocalCall]) -> [(Option<u16>, Value); 3] {
    let Some(LocalKind::Login(login)) = calls.first().map(|call| &call.kind) else {
        panic!("no login")
    };
    [login.refusal, login.unsupported, login.unavailable].map(|refusal| {
        let body = serde_json::from_str(&refusal.body("UA-1"));
        (refusal.status, body.unwrap())
    })
}

#[test]
fn a_refused_login_is_told_in_the_words_of_oauth() {
    let said = |error: &str, text: &str| json!({ "error": error, "error_description": text });
    assert_eq!(
        told_of_refusals(&calls::salesforce()),
        [
            (
                Some(400),
                said("invalid_client", "invalid client credentials (UA-1)")
            ),
            (
                Some(400),
                said("unsupported_grant_type", "grant type not supported (UA-1)")
            ),
            (
                None,
                said("unknown_error", "no token can be had now (UA-1)")
            ),
        ]
    );
    assert_eq!(
        told_of_refusals(&calls::marketing_cloud()),
        [
            (
                Some(401),
                said("invalid_client", "Client authentication failed. (UA-1)")
            ),
            (
                Some(400),
                said(
                    "unsupported_grant_type",
                    "The grant type is not supported. (UA-1)"
                )
            ),
            (
                None,
                said("server_error", "No token can be had now. (UA-1)")
            ),
        ]
    );
}

#[test]
fn a_refused_login_is_told_in_the_providers_own_words() {
    assert_eq!(
        told_of_refusals(&calls::zuora()),
        [
            (
                Some(401),
                json!({ "message": "Invalid client secret (UA-1)" })
            ),
            (
                Some(400),
                json!({ "message": "grant_type is missing or not supported (UA-1)" })
            ),
            (None, json!({ "message": "No token can be had now (UA-1)" })),
        ]
    );
    let documentation = "https://code.docs.exacttarget.com/rest/errors/401";
    let unauthorized =
        json!({ "documentation": documentation, "errorcode": 1, "message": "Unauthorized (UA-1)" });
    assert_eq!(
        told_of_refusals(&calls::marketing_cloud_legacy()),
        [
            (Some(401), unauthorized.clone()),
            (Some(401), unauthorized),
            (
                None,
                json!({ "errorcode": 0, "message": "No token can be had now (UA-1)" })
            ),
        ]
    );
}
