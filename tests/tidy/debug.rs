//! What `Debug` may show: whatever else a value holds, a secret or a byte of a message is not among it.
//!
//! Each field that a `Debug` of the sources reads, derived or by hand, is of a type of the house, which is held to the same,
//! or of one that can hold no text of anybody ([`HARMLESS`]), or it is listed with why it may be seen: texts by their room or type
//! ([`TEXTS`]), but for those that are called like a secret ([`SECRETS`]); those, and whatever is of a message, one by one ([`FIELDS`]).

use std::collections::BTreeSet;

use crate::fields::{Field, survey};
use crate::sources;

/// Types of others that hold nothing but what is in their arguments, or nothing that anybody said.
const HARMLESS: &str = "
    Arc ArcSwap ArcSwapOption AtomicBool AtomicI64 AtomicU64 AtomicUsize BTreeMap Box CancellationToken Cow Duration File
     HashMap HashSet HeaderName IncomingError Instant Method Mutex Option OwnedSemaphorePermit ParseError PathBuf Range Reason Receiver Result
    Self Semaphore Send Sender Shell SmallVec SocketAddr StatusCode StdUnixListener Sync SystemTime TcpListener Thread UnixListener Vec
    VecDeque VerifierBuilderError bool f64 i64 u16 u32 u64 u8 usize
    BOUNDS rcgen::Error rustls::Error std::Error";

/// Whose texts may be shown, by rooms and types, and why. Not those that are called like a secret.
const TEXTS: &[(&str, &str)] = &[
    ("what the operator wrote: a file without its secrets, arguments", "cli config"),
    ("the made-up secrets of a stand-in", "emulator"),
    (
        "names and addresses that the operator gave",
        "admin::Changed admin::Reloaded app::Addresses app::Leads app::Terms app::Reloaded app::StartError egress::Proxy message::Address
        message::HostRule message::Origin message::Segment provider::Assertion provider::Base
        provider::Success provider::TargetField provider::Template telemetry::All telemetry::Error tls::Error
        token::Leftover token::Unusable",
    ),
    (
        "words about what went wrong here, or a provider's without what repeats a secret (`provider::refusal`)",
        "admin::Problem admin::ReloadError admin::UpstreamStatus app::AskError app::ReloadError egress::Failure
        provider::LoginFailure secret::ReadError token::Refusal token::Status token::Unavailable",
    ),
    ("what the admin API and every caller may know of a token", "provider::Told"),
];

/// What else may be shown, field by field, and why.
const FIELDS: &[(&str, &str)] = &[
    (
        "values that are marked as sensitive when they are read",
        "config::Upstream.set_headers",
    ),
    (
        "ids of the operator's, or constants",
        "provider::Stamp::Set.1",
    ),
    (
        "an argument, which the whole machine sees",
        "cli::Wishes.token_url",
    ),
    (
        "where something stands in an answer, or what is looked for in one",
        "config::Dead.body config::Fields.access_token config::Fields.refresh_token",
    ),
    (
        "names of header fields",
        "message::Names.by_count message::Spelled.name message::Spelled.first",
    ),
    (
        "why a secret could not be read, without it",
        "provider::LoginFailure::Secret.text token::Unavailable::Secret.text",
    ),
    ("made of constants", "proxy::Error::Login.body"),
    ("a part of a keyed digest", "secret::Fingerprint.0"),
    ("of a program its name alone", "secret::Source::Command.0"),
    (
        "the ids of requests",
        "telemetry::Id.beginning telemetry::Ids.letters",
    ),
    (
        "not of the program: what tests and fuzz targets compare",
        "egress::Outcome::Answer.fields egress::Outcome::Answer.body",
    ),
];

/// What a text must not be called.
const SECRETS: &[&str] = &[
    "secret",
    "passw",
    "token",
    "private",
    "credential",
    "cookie",
    "query",
    "body",
];

#[test]
fn debug_shows_no_text_that_nobody_has_looked_at() {
    let survey = survey(&sources(&["src"]));
    let wrong: Vec<String> = survey
        .fields
        .iter()
        .filter_map(|field| fault(field, &survey.types))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_debug_may_show_is_there() {
    let survey = survey(&sources(&["src"]));
    let named = |listed: &&str| {
        survey.fields.iter().any(|field| {
            let owner = owner(&field.name);
            let is_named = [&field.name, room(&field.name), owner].contains(listed);
            is_named && !unknown(field, &survey.types).is_empty()
        })
    };
    let wrong: Vec<&str> = names(TEXTS)
        .chain(names(FIELDS))
        .filter(|listed| !named(listed))
        .collect();
    assert!(
        wrong.is_empty(),
        "nothing is shown of {wrong:?}: take it out of tests/tidy/debug.rs"
    );
}

/// A file, what is in it, and which fields are found.
const PLANTED: &[(&str, &str, &[&str])] = &[
    (
        "src/token/held.rs",
        "#[derive(Debug)] pub struct Held { token: String }",
        &["token::Held.token"],
    ),
    (
        "src/token/status.rs",
        "#[derive(Debug)] struct Status { why: String, token: Arc<str> }",
        &["token::Status.token"],
    ),
    ("src/token/held.rs", "struct Held { token: String }", &[]),
    (
        "src/token/held.rs",
        "#[derive(Debug)] struct Held { token: Option<Secret>, what: &'static str }",
        &[],
    ),
    (
        "src/token/held.rs",
        "#[derive(Clone, Debug)] enum Held { One(u8), Two(Vec<u8>) }",
        &["token::Held::Two.0"],
    ),
    (
        "src/egress/x.rs",
        "use http::HeaderMap as M; #[derive(Debug)] struct X<'a>(&'a M);",
        &["egress::X.0"],
    ),
    (
        "src/egress/x.rs",
        "use serde_json::Value; #[derive(Debug)] struct X(Value);",
        &["egress::X.0"],
    ),
    (
        "src/egress/x.rs",
        "type Y = (u8, Bytes); #[derive(Debug)] struct X(Y);",
        &["egress::X.0"],
    ),
    (
        "src/egress/x.rs",
        "use reqwest::Error; #[derive(Debug)] enum X { Token(String), Other(Error) }",
        &["egress::X::Token.0", "egress::X::Other.0"],
    ),
    (
        "src/egress/x.rs",
        "use crate::provider::Value; #[derive(Debug)] struct X(Value);",
        &[],
    ),
    (
        "src/config/x.rs",
        "#[derive(Debug)] struct X { name: String, client_secret: String }",
        &["config::X.client_secret"],
    ),
    (
        "src/config/x.rs",
        "fn f() { #[derive(Debug)] struct X { uri: http::Uri } }",
        &["config::X.uri"],
    ),
    (
        "src/proxy/x.rs",
        "struct X { a: u8, b: String } impl fmt::Debug for X { fn fmt() { f(&self.a) } }",
        &[],
    ),
    (
        "src/proxy/x.rs",
        "struct X { a: u8, b: String } impl Debug for X { fn fmt() { f(&self.b) } }",
        &["proxy::X.b"],
    ),
    (
        "src/proxy/x.rs",
        "enum X { A(String), B(u8) } impl Debug for X { fn fmt() { match self { Self::A(a) => f(a), Self::B(_) => {} } } }",
        &["proxy::X::A.0"],
    ),
    (
        "src/proxy/x.rs",
        "struct X { b: String } impl Debug for X { fn fmt() { fmt::Display::fmt(self, f) } }",
        &["proxy::X.Display"],
    ),
    (
        "src/proxy/x.rs",
        "#[cfg(test)] mod tests { #[derive(Debug)] struct X(String); }",
        &[],
    ),
];

#[test]
fn a_planted_debug_is_found() {
    let house = BTreeSet::from(["Secret", "Value"].map(str::to_owned));
    for (path, text, expected) in PLANTED {
        let survey = survey(&[(path.to_string(), text.to_string())]);
        let told = survey
            .fields
            .iter()
            .filter_map(|field| fault(field, &house));
        let told: Vec<String> = told.collect();
        assert_eq!(told.len(), expected.len(), "{text}: {told:?}");
        for (told, expected) in told.iter().zip(*expected) {
            let is_whole = told.starts_with(&format!("{path}: Debug shows {expected}, "))
                && told.contains("Secret, Source");
            assert!(is_whole, "{text}: {told}");
        }
    }
}

/// What is wrong with it: where, what, and what to do.
fn fault(field: &Field, house: &BTreeSet<String>) -> Option<String> {
    let Field { name, file, .. } = field;
    let unknown = unknown(field, house);
    let is_text = unknown
        .iter()
        .all(|one| ["String", "str"].contains(&one.as_str()));
    let called = name[owner(name).len()..].to_lowercase();
    let is_secret = SECRETS.iter().any(|word| called.contains(word));
    let is_made_up = room(name) == "emulator";
    let may = names(TEXTS).any(|known| known == room(name) || known == owner(name));
    let is_listed =
        (may && is_text && !is_secret) || is_made_up || names(FIELDS).any(|known| known == name);
    (!unknown.is_empty() && !is_listed).then(|| {
        format!(
            "{file}: Debug shows {name}, with {unknown:?} in it. If a secret may stand there, since it is of a request, an answer or a \
             URL: have a type that hides it (Secret, Source, Locator), no Debug, or one that leaves it out. If not: list it in \
             tests/tidy/debug.rs, under why."
        )
    })
}

/// What in its type is neither of the house nor harmless.
fn unknown<'a>(field: &'a Field, house: &BTreeSet<String>) -> Vec<&'a String> {
    let is_harmless = |name: &str| {
        let last = name.rsplit("::").next();
        let mut harmless = HARMLESS.split_whitespace();
        harmless.any(|known| known == name || Some(known) == last)
    };
    let unknown = field.types.iter();
    unknown
        .filter(|name| !house.contains(*name) && !is_harmless(name))
        .collect()
}

fn names(table: &[(&str, &'static str)]) -> impl Iterator<Item = &'static str> {
    table.iter().flat_map(|(_, names)| names.split_whitespace())
}

fn room(name: &str) -> &str {
    name.split("::").next().unwrap_or(name)
}

/// `room::Type`.
fn owner(name: &str) -> &str {
    let end = name.match_indices([':', '.']).map(|(at, _)| at).nth(2);
    end.map_or(name, |end| &name[..end])
}
