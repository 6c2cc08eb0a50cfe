//! `config`: a text is a configuration or has problems, and neither ever shows a secret that stands in it.
//!
//! A line `%0` to `%20` stands for one of [`SECRETS`], each of which holds a canary. Nothing is read from files, and no
//! program is run.

use std::path::Path;

use crate::config::Config;
use crate::provider::Provider;

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if text.contains(CANARY) || leads_outside(text) {
        return;
    }
    let text = planted(text);
    match Config::parse(&text, "proxy.toml", Path::new("/nowhere"), &env) {
        Ok(checked) => {
            for upstream in &checked.config.upstreams {
                conceals(&text, &format!("{:?}", Provider::of(upstream)));
            }
            conceals(&text, &format!("{checked:?}"));
            for warning in &checked.warnings {
                conceals(&text, &warning.render(false));
            }
        }
        Err(problems) => {
            for shown in [problems.render(false), problems.render(true)] {
                conceals(&text, &shown);
            }
            conceals(&text, &format!("{problems:?}"));
        }
    }
}

#[track_caller]
fn conceals(text: &str, shown: &str) {
    assert!(!shown.contains(CANARY), "{text}\n\n{shown}");
}

fn planted(text: &str) -> String {
    let planted = |line: &str| SECRETS.get(line.strip_prefix('%')?.parse::<usize>().ok()?);
    let lines = text.split('\n');
    let lines = lines.map(|line| planted(line).copied().unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a text may have something run or read that is not part of it.
fn leads_outside(text: &str) -> bool {
    // Written with escapes it would be another text.
    let words = ["command", "include", "\\u", "\\U", "\\x"];
    let is_key = |at: usize| {
        let rest = text[at + "file".len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        rest.starts_with(['=', '.', ']', ':'])
    };
    words.iter().any(|word| text.contains(word))
        || text.match_indices("file").any(|(at, _)| is_key(at))
}

fn env(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => CANARY,
        "URL" => "https://acme.my.salesforce.com",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

const CANARY: &str = "cAnArY7351";
const SECRETS: [&str; 21] = [
    "client_secret = \"cAnArY7351\"",
    "password = 'cAnArY7351'",
    "refresh_token = \"\"\"cAnArY7351\"\"\"",
    "security_token = { value = \"cAnArY7351\" }",
    "set_headers = { Authorization = \"Bearer cAnArY7351\" }",
    "token_headers = { X-Key = \"cAnArY7351\" }",
    "login_url = \"https://me:cAnArY7351@z.example\"",
    "client_secret = cAnArY7351",
    "\"client-secret\" : \"a\\\"cAnArY7351\" # why",
    "keys = [{ name = \"a\", sha256 = \"cAnArY7351\" }]",
    "client_secret = \"cAnArY7351",
    "password = \"a\" cAnArY7351",
    "private_key = \"\"\"\nof lines\ncAnArY7351\n\"\"\"",
    "proxy = { url = \"http://u:cAnArY7351@p.example\", password = 'cAnArY7351' }",
    "token_url = \"https://l.example/t?key=cAnArY7351\"",
    "request = { key = \"cAnArY7351\", keys = [\"cAnArY7351\"] }",
    "client_secret =\n'cAnArY7351'",
    "password\n= \"cAnArY7351\"",
    "client_secret = { env = \"cAnArY7351!\" }",
    "token_url = \"https://l.example/t#cAnArY7351\"",
    "header = { name = \"X-A\", value = \"cAnArY7351\" }",
];
