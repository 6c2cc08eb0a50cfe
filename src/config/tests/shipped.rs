//! The shipped `proxy.toml`: what `demo` runs, every key, and the defaults as they are.

use std::collections::BTreeSet;
use std::path::Path;

use super::parse;
use crate::config::files::Files;
use crate::config::load::read;
use crate::config::reading::Reading;
use crate::config::{Checked, Config, SHIPPED};

fn demo(name: &str) -> Option<String> {
    let value = match name {
        "DEMO_LOGIN_URL" => "http://127.0.0.1:7720",
        "DEMO_PRICING_URL" => "http://127.0.0.1:7722",
        "DEMO_BILLING_URL" => "http://127.0.0.1:7723",
        "DEMO_MAIL_LOGIN_URL" => "http://127.0.0.1:7730",
        "DEMO_MAIL_ACCOUNT_ID" => "510001",
        "DEMO_MAIL_HOST" => "127.0.0.1:7731",
        "DEMO_MAIL_SOAP_HOST" => "127.0.0.1:7732",
        "DEMO_MAIL_SOAP_URL" => "http://127.0.0.1:7732",
        "DEMO_MAIL_LEGACY_LOGIN_URL" => "http://127.0.0.1:7728",
        "DEMO_MAIL_LEGACY_URL" => "http://127.0.0.1:7729",
        "DEMO_OAUTH_TOKEN_URL" => "http://127.0.0.1:7733/token",
        "DEMO_OAUTH_API_URL" => "http://127.0.0.1:7734/v3",
        "DEMO_INSTANCE_HOST" => "127.0.0.1:7721",
        "HOME" => "/home/me",
        name if name.starts_with("DEMO_") || name.starts_with("CRM_") => "value",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load(text: &str) -> Checked {
    Config::parse(text, "proxy.toml", Path::new(""), &demo)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The file with every `# key = value` uncommented that stands at the beginning of a line.
fn uncommented() -> String {
    let setting = |line: &str| {
        let (key, _) = line.strip_prefix("# ")?.split_once(" = ")?;
        let key_like = key
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        (key_like && !key.is_empty()).then(|| line[2..].to_owned())
    };
    let lines = SHIPPED
        .lines()
        .map(|line| setting(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

/// The indented examples, from the first line that has `header` on.
fn examples(header: &str) -> String {
    let lines = SHIPPED.lines().skip_while(|line| !line.contains(header));
    let lines = lines.filter_map(|line| line.strip_prefix("#     "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The file with its examples.
fn whole() -> String {
    // Examples are indented where they would take `crm` from its place, or need what the emulator does not have.
    let text = format!("{}\n{}", uncommented(), examples("[upstream.crm-jwt]"));
    // Some examples need the store that is not the default.
    text.replace("\nkind = \"memory\"", "\nkind = \"file\"")
}

fn reading(text: &str) -> Reading<'static> {
    let mut reading = Reading::new(Files::of("proxy.toml", text, Path::new("")), &demo);
    read(&mut reading).unwrap();
    assert!(reading.problems.is_empty(), "{:?}", reading.problems);
    reading
}

/// `section.key` of every key and section there is, `NAME` for a name; the keys of tables in braces stand below the table's own key.
pub(super) fn keys() -> BTreeSet<String> {
    reading(&whole()).asked
}

#[test]
fn the_shipped_file_is_what_demo_runs() {
    let checked = load(SHIPPED);
    let names: Vec<_> = checked
        .config
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "crm",
            "crm-user",
            "pricing",
            "billing",
            "mail",
            "mail-legacy",
            "any"
        ]
    );
    assert!(checked.warnings.is_empty() && checked.config.routes.is_empty());
}

#[test]
fn every_documented_default_is_the_default() {
    let text = uncommented();
    assert!(text.lines().count() > 100 && text.contains("\nbuffer_bytes"));
    let (documented, real) = (load(&text), load(SHIPPED));
    // `state` and `workers` depend on the machine, and agree on this one.
    assert_eq!(
        format!("{:#?}", documented.config),
        format!("{:#?}", real.config)
    );
}

#[test]
fn every_accepted_key_is_documented_where_it_belongs() {
    let text = whole();
    let reading = reading(&text);
    let known = [
        // Under every upstream, but documented for all of them in [outbound].
        "upstream.NAME.ca",
        "upstream.NAME.proxy",
        "upstream.NAME.connect_timeout",
        // Has no default that could be written: a list of no keys lets nobody in.
        "access.keys",
    ];
    for key in reading.accepted {
        let key_alone = key.rsplit('.').next().unwrap();
        let documented = text
            .lines()
            .any(|line| line.starts_with(&format!("{key_alone} = ")));
        assert!(documented || known.contains(&key.as_str()), "{key}");
    }
}

#[test]
fn the_example_for_ones_own_is_sound() {
    let example = SHIPPED.split("#     [upstream.crm]").nth(1).unwrap();
    let lines = example
        .lines()
        .take(5)
        .map(|line| line.trim_start_matches("#     "));
    let example = format!("[upstream.crm]{}", lines.collect::<Vec<_>>().join("\n"));
    assert!(example.contains("CRM_CLIENT_SECRET"), "{example}");
    assert!(parse(&example.replace("CRM_CLIENT_SECRET", "SECRET")).is_ok());
}
