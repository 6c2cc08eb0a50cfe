//! Types of tokens.

use super::*;
use crate::provider::Refused;

#[test]
fn a_token_that_wants_a_proof_is_refused_and_any_other_word_is_taken_for_a_bearer() {
    let answer = |word: &str| SALESFORCE.replace("\"token_type\":\"Bearer\"", word);
    for word in ["DPoP", "dpop", "MAC", "mac", "PoP"] {
        let body = answer(&format!("\"token_type\":\"{word}\""));
        let failure = read_as(&salesforce(), 200, body.as_bytes()).unwrap_err();
        let is_policy = matches!(
            failure,
            LoginFailure::Refused {
                what: Refused::Policy,
                ..
            }
        );
        assert!(
            is_policy && failure.to_string().contains("a proof"),
            "{failure}"
        );
        let by_zilliant = read_as(&zilliant(), 200, body.as_bytes());
        assert!(by_zilliant.is_err(), "{word}");
    }
    for word in [
        "bearer",
        "BEARER",
        "BearerToken",
        "Session",
        "N_A",
        "jwt",
        "",
    ] {
        let body = answer(&format!("\"token_type\":\"{word}\""));
        assert!(
            read_as(&salesforce(), 200, body.as_bytes()).is_ok(),
            "{word}"
        );
    }
    for body in [
        answer("\"token_type\":null"),
        answer("\"token_type\":7"),
        answer("\"x\":1"),
    ] {
        assert!(
            read_as(&salesforce(), 200, body.as_bytes()).is_ok(),
            "{body}"
        );
    }
}

#[test]
fn the_type_stands_beside_the_token_and_an_operators_own_header_carries_any() {
    let mut provider = zuora();
    provider.answer.token = "/data/token".into();
    let body = br#"{"token_type":"DPoP","data":{"token":"t","token_type":"bearer"}}"#;
    assert!(read_as(&provider, 200, body).is_ok());
    let body = br#"{"token_type":"bearer","data":{"token":"t","token_type":"DPoP"}}"#;
    assert!(read_as(&provider, 200, body).is_err());
    provider.answer.templates = vec![Template {
        before: "DPoP ".to_owned(),
        after: String::new(),
    }];
    assert!(read_as(&provider, 200, body).is_ok());
}
