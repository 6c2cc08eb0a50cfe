//! The keys of credentials: where they come from, and which belong to a grant.

use std::ops::Range;
use std::time::Duration;

use super::origin;
use super::reading::{Holds, Reading};
use super::reference::{Value, program, value};
use super::section::Section;
use crate::code;
use crate::message::Origin;
use crate::secret::{Algorithm, SigningKey, Source};

/// The credentials of an upstream while they are read.
pub(super) struct Credentials<'a, 'i> {
    pub(super) table: &'a mut Section<'i>,
    /// Whether the token endpoint is on this machine, where a plain secret does no harm.
    local: bool,
}

impl<'a, 'i> Credentials<'a, 'i> {
    pub(super) fn new(table: &'a mut Section<'i>, login_url: Option<&Origin>) -> Self {
        // Without a usable login_url there are other problems; no need for warnings too.
        let local = login_url.is_none_or(Origin::is_loopback);
        Self { table, local }
    }

    pub(super) fn required(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Source> {
        if !self.table.has(key) {
            lacks(self.table, key, reading);
        }
        self.read(key, false, reading)
    }

    pub(super) fn optional(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Source> {
        self.read(key, true, reading)
    }

    /// `private_key`, which must be one for `algorithm`; one that stands elsewhere is looked at by `check`.
    pub(super) fn private_key(
        &mut self,
        algorithm: Algorithm,
        reading: &mut Reading<'_>,
    ) -> Option<Source> {
        let place = self.table.span_of("private_key");
        let source = self.required("private_key", reading)?;
        if let Source::Value(pem) = &source {
            if let Err(why) = SigningKey::parse(pem, algorithm) {
                reading
                    .problem(&code::PRIVATE_KEY, place, format!("`private_key` {why}"))
                    .help(PRIVATE_KEY);
                return None;
            }
        } else {
            reading.last_is_key(algorithm);
        }
        Some(source)
    }

    /// `refresh_token`, and `rotates`.
    pub(super) fn refresh_token(&mut self, reading: &mut Reading<'_>) -> Option<(Source, Rotates)> {
        let place = self.table.span_of(match self.table.has("rotates") {
            true => "rotates",
            false => "refresh_token",
        });
        let token = self.required("refresh_token", reading);
        let words = [("auto", Rotates::Auto), ("never", Rotates::Never)];
        let before = reading.problems.len();
        let rotates = self.table.word("rotates", &words, &[], reading);
        if rotates == Rotates::Auto && reading.problems.len() == before {
            let what = "the successor of this refresh token";
            let way_out =
                ", or write rotates = \"never\" if the provider never returns another one";
            wants_durable_store(what, place, way_out, reading);
        }
        Some((token?, rotates))
    }

    fn read(
        &mut self,
        key: &'static str,
        may_be_empty: bool,
        reading: &mut Reading<'_>,
    ) -> Option<Source> {
        let item = self.table.take(key, reading)?;
        match item.text_or_reference(reading)? {
            Value::Later(source, span) => {
                reading.later(&source, span, Holds::Text);
                Some(source)
            }
            Value::Text(text) if text.text.is_empty() => {
                if !may_be_empty {
                    let message = format!("`{key}` is empty");
                    reading
                        .problem(&code::BAD_VALUE, text.span, message)
                        .help(format!("{key} = {}", example(key)));
                }
                None
            }
            Value::Text(text) => {
                if text.plain && !self.local && SECRETS.contains(&key) {
                    reading
                        .problem(
                            &code::PLAIN_SECRET,
                            text.span.clone(),
                            format!("`{key}` is written in the file"),
                        )
                        .help(format!("{key} = {}", example(key)))
                        .warning();
                }
                Some(value(text))
            }
        }
    }
}

/// Keys, each with the grants that it belongs to.
pub(super) struct GrantKeys(pub(super) &'static [(&'static str, &'static [&'static str])]);

impl GrantKeys {
    /// Keys that are there, but would be ignored with `grant`.
    pub(super) fn refuse_others(
        &self,
        table: &mut Section<'_>,
        grant: &str,
        reading: &mut Reading<'_>,
    ) {
        for (key, grants) in self.0 {
            if grants.contains(&grant) {
                continue;
            }
            let because = format!("to grant = \"{grant}\"");
            let help = format!(
                "remove it, or write grant = \"{}\"",
                grants.join("\" or \"")
            );
            table.refuse(key, &because, &help, reading);
        }
    }

    /// Takes the keys out without a look.
    pub(super) fn pass_over(&self, table: &mut Section<'_>) {
        let keys: Vec<_> = self.0.iter().map(|(key, _)| *key).collect();
        table.pass_over(&keys);
    }
}

/// `rotates`: whether a refresh token may have a successor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotates {
    /// It may.
    #[default]
    Auto,
    /// It never has one.
    Never,
}

/// Notes that a grant would be lost with the process, if it would.
pub(super) fn wants_durable_store(
    what: &str,
    place: Range<usize>,
    way_out: &str,
    reading: &mut Reading<'_>,
) {
    if reading.durable {
        return;
    }
    let message = format!("{what} would be lost when the process ends");
    reading
        .problem(&code::VOLATILE_GRANT, place, message)
        .help(format!("add [store] with kind = \"file\"{way_out}"));
}

/// `command`, the program that prints a token.
pub(super) fn command(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Source> {
    let Some(item) = table.take("command", reading) else {
        lacks(table, "command", reading);
        return None;
    };
    let span = item.span.clone();
    let source = program(item, reading)?;
    reading.later(&source, span, Holds::Text);
    Some(source)
}

/// An origin that a credential is sent to, and that the upstream cannot do without.
pub(super) fn required_origin(
    table: &mut Section<'_>,
    key: &'static str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    required_origin_like(table, key, example(key), plain_http, reading)
}

/// The same with an example that fits the provider.
pub(super) fn required_origin_like(
    table: &mut Section<'_>,
    key: &'static str,
    example: &str,
    plain_http: &[String],
    reading: &mut Reading<'_>,
) -> Option<Origin> {
    let before = reading.problems.len();
    let origin = origin::target(table, key, plain_http, reading);
    if origin.is_none() && reading.problems.len() == before {
        lacks_like(table, key, example, reading);
    }
    origin
}

/// `grant` of a provider that has one grant.
pub(super) fn only_grant(table: &mut Section<'_>, only: &'static str, reading: &mut Reading<'_>) {
    table.word("grant", &[(only, ())], &[], reading);
}

/// Notes that the section lacks a required key.
pub(super) fn lacks(table: &Section<'_>, key: &str, reading: &mut Reading<'_>) {
    lacks_like(table, key, example(key), reading);
}

/// The same with an example that fits the provider.
pub(super) fn lacks_like(table: &Section<'_>, key: &str, example: &str, reading: &mut Reading<'_>) {
    let message = format!("[{}] lacks `{key}`", table.name);
    reading
        .problem(&code::MISSING_KEY, table.span.clone(), message)
        .help(format!("add {key} = {example}"));
}

fn example(key: &str) -> &'static str {
    match key {
        "login_url" => "\"https://YOUR-DOMAIN.my.salesforce.com\"",
        "token_url" => "\"https://HOST/PATH\", the token endpoint",
        "instance_hosts" => "[\"HOST\"], the hosts that the token may be sent to",
        "status" => "401, or another status",
        "path" => "\"/ok\", the place in the answer",
        "equals" => "true, a number or a text",
        "api_url" => "\"https://HOST\", the address of the API",
        "client_id" => "\"...\", or { env = \"CLIENT_ID\" }",
        "username" => "\"...\", or { env = \"USERNAME\" }",
        "private_key" => "{ file = \"KEY.pem\" }",
        "command" => "[\"PROGRAM\", \"ARGUMENT\"], which prints a token at each login",
        _ => "{ env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }",
    }
}

/// How long a Salesforce session lives unused, unless the org says otherwise.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

const SECRETS: &[&str] = &[
    "client_secret",
    "password",
    "security_token",
    "private_key",
    "refresh_token",
];
/// How a private key is given.
pub(super) const PRIVATE_KEY: &str =
    "private_key = { file = \"KEY.pem\" }, a private key in PEM without a password";
