//! [`read`]: what a program printed becomes a [`Granted`].
//!
//! A program says what a token endpoint answers, or what Salesforce's `sf` prints with `--json`, or the token alone.
//! Nothing of what it printed is ever shown. It is never a refusal either: those are remembered until a secret changes,
//! and a program has none that could be seen to change.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::Provider;
use super::answer::{self, Answer, Granted};
use super::failure::LoginFailure;
use super::login::Secrets;

/// What `printed` grants at the time `wall` (since the Unix epoch).
pub fn read(provider: &Provider, printed: &str, wall: Duration) -> Result<Granted, LoginFailure> {
    let program = &provider.login;
    let failed = |what: &str| LoginFailure::Secret {
        text: format!("{program} printed {what}"),
    };
    let fields = fields(printed).ok_or_else(|| failed("no token"))?;
    let token = fields.get("access_token").and_then(Value::as_str);
    let hidden = |token: &str| token.starts_with(REDACTED);
    match token {
        None | Some("") => return Err(failed("no token")),
        Some(token) if hidden(token) => return Err(failed(PLACEHOLDER)),
        Some(_) => {}
    }
    let needs_host = provider.answer.targets.iter().any(|field| field.required);
    if needs_host && !fields.contains_key("instance_url") {
        return Err(failed("no host to call beside the token: add api_url"));
    }
    // An answer as an endpoint gives it stays as it is: a header may hold its exact bytes.
    let body = match serde_json::from_str::<Value>(printed) {
        Ok(whole) if whole.as_object() == Some(&fields) => printed.trim().to_owned(),
        _ => Value::Object(fields).to_string(),
    };
    let answer = Answer {
        status: StatusCode::OK,
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        wall,
    };
    match answer::read(provider, &Secrets::default(), &answer) {
        Ok(granted) => Ok(granted),
        Err(strange @ LoginFailure::TargetRefused { .. }) => Err(strange),
        Err(_) => Err(failed("something that is no token")),
    }
}

/// The fields of RFC 6749 section 5.1, whatever the words of the program.
fn fields(printed: &str) -> Option<Map<String, Value>> {
    let printed = printed.trim();
    match serde_json::from_str(printed) {
        Ok(Value::Object(mut whole)) => match whole.remove("result") {
            Some(Value::Object(result)) => {
                let named = result.into_iter().filter_map(|(name, value)| {
                    let (_, name) = SF.iter().find(|(theirs, _)| *theirs == name)?;
                    Some(((*name).to_owned(), value))
                });
                Some(named.collect())
            }
            _ => Some(whole),
        },
        Ok(_) => None,
        Err(_) => {
            let token = ("access_token".to_owned(), Value::from(printed));
            is_token(printed).then(|| Map::from_iter([token]))
        }
    }
}

/// Whether a text that is nothing else looks like a token: one word of what RFC 6750 section 2.1 allows, and what is in
/// real ones (`!` in Salesforce's). A message, a page and an answer that was cut are none.
fn is_token(text: &str) -> bool {
    let may_be = |b: u8| b.is_ascii_graphic() && !b"<>{}\"".contains(&b);
    !text.is_empty() && text.bytes().all(may_be)
}

/// What `sf` calls them.
const SF: [(&str, &str); 3] = [
    // The org's.
    ("id", "id"),
    ("accessToken", "access_token"),
    ("instanceUrl", "instance_url"),
];
/// How the words begin that newer versions of `sf org display` print instead of the token.
const REDACTED: &str = "[REDACTED]";
const PLACEHOLDER: &str = "a placeholder instead of the token: run `sf org auth show-access-token --json`, and add api_url";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::salesforce::Login;
    use crate::provider::tests::salesforce_keys;
    use crate::provider::{CarrierForm, TargetName, salesforce};
    use crate::secret::Source;

    fn provider(api_url: Option<&str>) -> Provider {
        let mut keys = salesforce_keys();
        keys.login = Login::Program {
            command: Source::Command(vec!["sf".to_owned(), "hunter2".to_owned()]),
            api_url: api_url.map(|url| url.parse().unwrap()),
        };
        salesforce::provider(&keys, &[])
    }

    #[test]
    fn a_program_may_speak_as_sf_as_an_endpoint_or_print_the_token_alone() {
        let sf = r#"{"status":0,"result":{"accessToken":"00D!t","instanceUrl":"https://acme.my.salesforce.com/"}}"#;
        let endpoint =
            r#" {"access_token":"00D!t","instance_url":"https://acme.my.salesforce.com"} "#;
        let alone = r#"{"status":0,"result":{"accessToken":"00D!t"},"warnings":["careful"]}"#;
        let rows = [
            (sf, None),
            (endpoint, None),
            (sf, Some("https://api.example")),
            (alone, Some("https://api.example")),
            ("00D!t\n", Some("https://api.example")),
        ];
        for token in [
            "a.b-c_d~e+f/g==",
            "00D5g000004!AQ.x_y",
            "eyJhbGciOi.eyJz.c2ln",
        ] {
            let granted = read(&provider(rows[4].1), token, Duration::ZERO).unwrap();
            assert_eq!(granted.credential.value(CarrierForm::Token), token);
        }
        for (printed, api_url) in rows {
            let provider = provider(api_url);
            let granted = read(&provider, printed, Duration::ZERO).unwrap();
            let credential = granted.credential;
            assert_eq!(credential.value(CarrierForm::Token), "00D!t");
            let base = provider.target(&provider.rest, &credential).unwrap();
            let expected = api_url.unwrap_or("https://acme.my.salesforce.com");
            assert_eq!(base.origin.to_string(), expected, "{printed}");
            assert_eq!(
                credential.target(TargetName::Instance).is_some(),
                api_url.is_none()
            );
        }
    }

    #[test]
    fn what_holds_no_token_is_told_without_a_word_of_it_and_is_no_refusal() {
        let placeholder = r#"{"status":0,"result":{"accessToken":"[REDACTED] Use 'sf org auth show-access-token' to view","instanceUrl":"https://acme.my.salesforce.com"}}"#;
        let strange = r#"{"access_token":"secret","instance_url":"https://evil.example/secret"}"#;
        let rows = [
            ("secret words", "no token"),
            ("", "no token"),
            ("[\"secret\"]", "no token"),
            ("<html><body>secret</body></html>", "no token"),
            ("<!DOCTYPE\u{a0}html>", "no token"),
            ("{\"access_token\":\"secret", "no token"),
            ("s\u{e9}cret", "no token"),
            ("{\"secret\":1}", "no token"),
            (
                r#"{"status":1,"name":"secret","message":"secret"}"#,
                "no token",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"secret"}"#,
                "no token",
            ),
            (
                r#"{"access_token":"","instance_url":"https://acme.my.salesforce.com"}"#,
                "no token",
            ),
            (placeholder, "sf org auth show-access-token --json"),
            ("secret", "no host to call beside the token: add api_url"),
            (
                r#"{"access_token":"secret\u0007","instance_url":"https://acme.my.salesforce.com"}"#,
                "something that is no token",
            ),
            (
                r#"{"access_token":"t","error":"secret","instance_url":"https://acme.my.salesforce.com"}"#,
                "something that is no token",
            ),
            (strange, "https://evil.example/[secret]"),
        ];
        for (printed, expected) in rows {
            let failure = read(&provider(None), printed, Duration::ZERO).unwrap_err();
            let told = failure.to_string();
            assert!(told.contains(expected), "{printed}: {told}");
            assert!(!told.replace("[secret]", "").contains("secret"), "{told}");
            assert!(
                !told.contains("hunter2") && !told.contains("careful"),
                "{told}"
            );
            let refused = matches!(failure, LoginFailure::Refused { .. });
            assert!(!refused, "{printed}");
        }
    }
}
