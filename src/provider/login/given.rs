//! What an operator wrote beside the parameters of a grant, where a key may be among it.

use std::borrow::Cow;

use form_urlencoded::parse;
use serde_json::Value as Json;

use super::{Call, Value};

impl Call {
    /// The values of the query and of further parameters, but for those that say by their names what is asked for, and for
    /// words too short to be a key: a provider's text is of no use if words of its own are missing.
    pub(in crate::provider) fn given(&self) -> Vec<Cow<'_, str>> {
        let query = self.path.query().unwrap_or_default();
        let mut given: Vec<_> = parse(query.as_bytes())
            .filter(|(name, _)| may_be_key(name))
            .map(|(_, value)| value)
            .collect();
        for (name, value) in &self.parameters {
            if let Value::Json(json) = value
                && may_be_key(name)
            {
                texts(json, &mut given);
            }
        }
        given.retain(|value| value.len() >= SHORTEST_KEY);
        given
    }
}

/// By the last part of `a/b`.
fn may_be_key(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    !ASKED.iter().any(|asked| name.eq_ignore_ascii_case(asked))
}

/// Every text in `json`; the depth is that of the operator's file.
fn texts<'a>(json: &'a Json, into: &mut Vec<Cow<'a, str>>) {
    match json {
        Json::String(text) => into.push(Cow::Borrowed(text)),
        Json::Array(all) => all.iter().for_each(|one| texts(one, into)),
        Json::Object(all) => all
            .iter()
            .filter(|(name, _)| may_be_key(name))
            .for_each(|(_, one)| texts(one, into)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// RFC 6749, RFC 8693 and RFC 8707, and what several servers ask for beside them.
const ASKED: [&str; 12] = [
    "scope",
    "audience",
    "resource",
    "grant_type",
    "response_type",
    "requested_token_type",
    "subject_token_type",
    "account_id",
    "tenant",
    "realm",
    "organization",
    "api-version",
];

const SHORTEST_KEY: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::login::{Basic, Encode};

    #[test]
    fn what_may_be_a_key_is_told_from_what_is_asked_for() {
        let parameters = [
            ("scope", json!("api.read.everything")),
            ("x/audience", json!("https://api.example.com")),
            ("x/key", json!("k-in-an-object")),
            (
                "app",
                json!({ "keys": ["k-in-a-list", 12_345_678], "Resource": "https://a.example" }),
            ),
            ("mode", json!("short")),
        ];
        let parameters = parameters.map(|(name, json)| (name.into(), Value::Json(json)));
        let call = Call {
            endpoint: "https://login.example".parse().unwrap(),
            path:
                "/token?subscription-key=k+in%2Fa-query&tenant=acme-and-sons&api-version=2026-01-01"
                    .into(),
            encode: Encode::Json,
            parameters: parameters.to_vec(),
            basic: Some(Basic::Raw),
            headers: vec![],
            sources: vec![],
        };
        assert_eq!(
            call.given(),
            ["k in/a-query", "k-in-an-object", "k-in-a-list"]
        );
    }
}
