//! What upstreams inherit.

use std::time::Duration;

use super::{CRM, parse};

#[test]
fn an_upstream_has_the_defaults_that_it_does_not_replace() {
    let text = format!(
        "{CRM}token_wait = \"1s\"\n[upstream.crm.api]\nconnect_timeout = \"3s\"\n{}\
         [defaults.upstream]\nread_only = true\ntoken_wait = \"2s\"\nprovider = \"zuora\"\nusername = \"u\"\n\
         [defaults.upstream.api]\nconnect_timeout = \"4s\"\nca = {{ file = \"ca.pem\" }}\n",
        CRM.replace("upstream.crm", "upstream.b")
    );
    let config = parse(&text).unwrap().config;
    let of = |name: &str| config.upstream(name).unwrap().clone();
    let (crm, b) = (of("crm"), of("b"));
    assert!(crm.policy.read_only && b.policy.read_only);
    let waits = (crm.token_wait, b.token_wait);
    assert_eq!(waits, (Duration::from_secs(1), Duration::from_secs(2)));
    let connect = (crm.api.connect_timeout, b.api.connect_timeout);
    assert_eq!(connect, (Duration::from_secs(3), Duration::from_secs(4)));
    assert_eq!(
        (crm.api.ca.len(), b.api.ca.len(), b.token.ca.len()),
        (1, 1, 0)
    );
}

#[test]
fn a_mistake_in_the_defaults_is_told_once() {
    let two = format!(
        "{CRM}{}[defaults.upstream]\n",
        CRM.replace("upstream.crm", "upstream.b")
    );
    let rows = [
        ("read_only = 1", "12:13 UA-0105"),
        (
            "reed_only = true",
            "12:1 UA-0103 unknown key `reed_only` in [defaults.upstream] / did you mean `read_only`?",
        ),
        (
            "entity_ids = [\"1\"]",
            "12:1 UA-0128 `entity_ids` applies to none of the upstreams",
        ),
        ("errors = \"auto\"", "12:1 UA-0104"),
        (
            "api = { timeout = 1 }",
            "12:9 UA-0103 unknown key `timeout` in [defaults.upstream.api]",
        ),
    ];
    for (line, expected) in rows {
        let problems = parse(&format!("{two}{line}\n")).unwrap_err();
        let shown: Vec<_> = problems
            .iter()
            .map(|problem| {
                let place = (problem.line(), problem.column());
                let (code, message) = (problem.code().id, problem.message());
                format!(
                    "{}:{} {code} {message} / {}",
                    place.0,
                    place.1,
                    problem.remedy()
                )
            })
            .collect();
        assert!(
            shown.len() == 1 && shown[0].starts_with(expected),
            "{line}: {shown:?}"
        );
    }
}
