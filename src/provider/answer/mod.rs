//! [`read`]: what a token endpoint answered becomes a [`Credential`] or a [`LoginFailure`].
//!
//! A host that the allow-list does not cover is refused here, so a credential for a strange host cannot
//! exist as a value. Bodies are never put into a failure; only what a provider says in its error fields.

mod held;
pub(crate) mod json;
mod kind;
mod unread;

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

pub use self::unread::unread;
use super::Provider;
use super::base::{Base, TargetField};
use super::credential::{Credential, Template};
use super::expiry::{self, Unit};
use super::failure::{LoginFailure, Strange};
use super::login::{Field, Secrets};
use super::refusal::{self, Said};
use super::told::{self, Told};
use crate::config::org::OrgId;
use crate::config::salesforce::Environment;
use crate::message::Allowed;
use crate::secret::Secret;

/// Where the fields of the token answer stand (JSON pointers, RFC 6901), and what is made of them.
#[derive(Clone, Debug)]
pub struct AnswerMap {
    /// The token.
    pub token: Cow<'static, str>,
    /// The hosts that come with the token.
    pub targets: Vec<TargetField>,
    /// The lifetime.
    pub expires_in: Cow<'static, str>,
    /// What the lifetime is counted in.
    pub unit: Unit,
    /// The refresh token to be used next.
    pub refresh_token: Option<Cow<'static, str>>,
    /// The org that an answer must be of, as its `id` says (Salesforce).
    pub org: Option<OrgId>,
    /// What an answer with a token must show besides.
    pub success: Option<Success>,
    /// Header values of the operator's own making; [`CarrierForm::Template`](super::CarrierForm) counts them.
    pub templates: Vec<Template>,
    /// Without a lifetime: how long the token lives unused. The token room renews it at half of that, because Salesforce
    /// notes activity only in the second half of the timeout (Salesforce Help on session timeouts).
    pub unused: Duration,
    /// The code of an error; the first that is there counts.
    pub error_code: Vec<Cow<'static, str>>,
    /// The text of an error; the first that is there counts.
    pub error_text: Vec<Cow<'static, str>>,
}

/// A value that tells success from failure, for servers that answer 200 to everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// Where it stands.
    pub place: Cow<'static, str>,
    /// What it is then; numbers and booleans are read as they are written.
    pub equals: String,
}

impl Success {
    fn passes(&self, json: &Value) -> bool {
        match json.pointer(&self.place) {
            Some(Value::String(text)) => *text == self.equals,
            Some(Value::Number(number)) => number.to_string() == self.equals,
            Some(Value::Bool(truth)) => truth.to_string() == self.equals,
            _ => false,
        }
    }
}

/// What a token endpoint answered.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The body, whole.
    pub body: &'a [u8],
    /// When it came: time since the Unix epoch, for dates in it.
    pub wall: Duration,
}

/// What a login brought.
#[derive(Debug)]
pub struct Granted {
    /// The credential.
    pub credential: Credential,
    /// The refresh token to be used next; `None`: the one that was used, if any, stays.
    pub refresh_token: Option<Secret>,
}

/// What `answer` grants. `secrets` are those of the login, so that no failure repeats them.
pub fn read(
    provider: &Provider,
    secrets: &Secrets,
    answer: &Answer<'_>,
) -> Result<Granted, LoginFailure> {
    let refused = || refusal::classify(provider, secrets, answer);
    if !answer.status.is_success() {
        return Err(refused());
    }
    if answer.body.len() > TOKEN_ANSWER_MAX {
        let why = LoginFailure::transient("the token endpoint's answer is larger than 64 KiB");
        return Err(unread(provider, secrets, answer, why));
    }
    let json = document(answer).ok_or_else(|| unread::no_document(provider, secrets, answer))?;
    let map = &provider.answer;
    if !grants(map, &json) {
        return Err(refused());
    }
    let token = match json.pointer(&map.token).and_then(Value::as_str) {
        // A newline at the end is a slip of the server; anything else that no header carries is not.
        Some(token) => token.trim_end_matches(['\r', '\n']),
        None => "",
    };
    if token.is_empty() {
        let why = refused();
        return Err(match Said::of(map, &json).is_silent() {
            true => no_token(&why),
            false => why,
        });
    }
    kind::can_carry(map, &json)?;
    if let Some(org) = &map.org {
        is_of_org(org, secrets, token, &json)?;
    }
    let mut targets = Vec::new();
    for field in &map.targets {
        if let Some(base) = target(provider, field, secrets, token, &json)? {
            targets.push((field.name, base));
        }
    }
    let expires_in = json.pointer(&map.expires_in);
    let lifetime = expiry::lifetime(expires_in, map.unit, answer.wall, map.unused);
    let credential = Credential::new(token, answer.body, &map.templates, targets, lifetime)
        .map_err(|_| LoginFailure::transient("the token holds bytes that no header can carry"))?
        .telling(Told::of(
            &json,
            token,
            secrets,
            told::asked(&provider.login),
        ));
    Ok(Granted {
        credential,
        refresh_token: next(map, &json),
    })
}

/// The refresh token to be used next, of an answer that grants no credential that can be used: it is for a strange host, too large, not
/// whole, or in a way that is not understood. The one that was presented may be of no use any more; that one is never it, however often
/// an answer repeats it.
pub fn successor(provider: &Provider, secrets: &Secrets, answer: &Answer<'_>) -> Option<Secret> {
    let map = &provider.answer;
    if !answer.status.is_success() {
        return None;
    }
    let json = document(answer).or_else(|| json::begun(answer.body));
    let successor = next(map, &json.filter(|json| grants(map, json))?)?;
    let presented = secrets.get(Field::RefreshToken).map(Secret::expose);
    (presented != Some(successor.expose())).then_some(successor)
}

/// Whether an answer denies the refresh token that was presented, be it with 200: by its code, and without a token.
pub fn denies_token(provider: &Provider, answer: &Answer<'_>) -> bool {
    let map = &provider.answer;
    let denies = |json: &Value| {
        let granted = match json.pointer(&map.token) {
            Some(Value::String(token)) => !stands_for_one(token),
            Some(token) => !token.is_null(),
            None => false,
        };
        let granted = granted || next(map, json).is_some();
        DENIALS.contains(&Said::of(map, json).code()) && !granted
    };
    let says = answer.status.is_success() || answer.status.is_client_error();
    says && document(answer).is_some_and(|json| denies(&json))
}

/// Some servers answer 200 with an error; a token beside an error is not used.
fn grants(map: &AnswerMap, json: &Value) -> bool {
    let succeeded = map.success.as_ref().is_none_or(|test| test.passes(json));
    succeeded && !Said::of(map, json).has_code()
}

fn next(map: &AnswerMap, json: &Value) -> Option<Secret> {
    let token = json.pointer(map.refresh_token.as_ref()?)?.as_str()?;
    // One that had to be mended is another one.
    let is_whole = !token.contains(char::REPLACEMENT_CHARACTER);
    let fits = token.len() <= TOKEN_ANSWER_MAX;
    (is_whole && fits && !stands_for_one(token)).then(|| Secret::new(token))
}

/// Whether a text says that there is no token, or that it is not shown.
fn stands_for_one(text: &str) -> bool {
    let word = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut signs = word.chars();
    let first = signs.next();
    let is_one_sign = signs.all(|sign| Some(sign) == first);
    let is_masked = MASKS.iter().any(|mask| text.contains(mask));
    is_one_sign || is_masked || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The body as JSON; older servers answer with a form, some of them as plain text.
pub(super) fn document(answer: &Answer<'_>) -> Option<Value> {
    if let Some(json) = json::read(answer.body) {
        return Some(json);
    }
    // One that was kept has no header any more.
    let kind = match answer.headers.get(header::CONTENT_TYPE) {
        Some(kind) => kind.to_str().ok()?,
        None => "text/plain",
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        || (kind.eq_ignore_ascii_case("text/plain")
            && (answer.body.starts_with(b"access_token=") || answer.body.starts_with(b"error=")));
    let fields = form_urlencoded::parse(answer.body);
    let fields = fields.map(|(name, value)| (name.into_owned(), Value::from(value)));
    is_form.then(|| Value::Object(fields.collect()))
}

fn target(
    provider: &Provider,
    field: &TargetField,
    secrets: &Secrets,
    token: &str,
    json: &Value,
) -> Result<Option<Base>, LoginFailure> {
    let Some(text) = json.pointer(&field.place).and_then(Value::as_str) else {
        return match field.required {
            true => Err(LoginFailure::transient(
                "the token answer does not name the host to call",
            )),
            false => Ok(None),
        };
    };
    let why = match fits(provider, field.allow(text)) {
        Ok(base) => return Ok(Some(base)),
        Err(why) => why,
    };
    let host = refusal::shown(&bare(text), secrets, &[token], HOST_SHOWN);
    Err(LoginFailure::TargetRefused { host, why })
}

/// Whether a host that the allow-list lets in is of the right environment.
fn fits(provider: &Provider, allowed: Option<Base>) -> Result<Base, Strange> {
    match (allowed, provider.environment) {
        (None, _) => Err(Strange::NotAllowed),
        (Some(base), Some(wanted)) if !is_of(&base, wanted) => Err(Strange::NotOf(wanted)),
        (Some(base), _) => Ok(base),
    }
}

/// `id` is the address of the user who logged in: `https://HOST/id/ORG/USER`. Programs print the org's alone.
fn is_of_org(
    wanted: &OrgId,
    secrets: &Secrets,
    token: &str,
    json: &Value,
) -> Result<(), LoginFailure> {
    let id = json.pointer("/id").and_then(Value::as_str).unwrap_or("");
    let org = match id.split_once("/id/") {
        Some((_, path)) => path.split('/').next().unwrap_or_default(),
        None => id,
    };
    if org.parse().as_ref() == Ok(wanted) {
        return Ok(());
    }
    let named = match org {
        "" => "no org".to_owned(),
        org => refusal::shown(&bare(org), secrets, &[token], HOST_SHOWN),
    };
    Err(LoginFailure::TargetRefused {
        host: named,
        why: Strange::OtherOrg,
    })
}

/// A name that tells nothing is taken for what the operator says, if it was the operator who wrote it.
fn is_of(base: &Base, wanted: Environment) -> bool {
    match Environment::of(base.origin.host()) {
        Some(environment) => environment == wanted,
        None => base.allowed == Allowed::Exactly,
    }
}

/// A refused host without what may be secret in it: user information, query and fragment.
fn bare(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => text.to_owned(),
    }
}

/// An answer that looks good and is none; whether it is a refusal, the provider's rules say.
fn no_token(class: &LoginFailure) -> LoginFailure {
    let text = "the token endpoint's answer holds no token";
    match class {
        LoginFailure::Refused { what, .. } => LoginFailure::Refused {
            what: *what,
            text: text.to_owned(),
        },
        _ => LoginFailure::transient(text),
    }
}

/// Real answers are below 4 KiB; the whole answer may have to fit into a header (Zilliant).
const TOKEN_ANSWER_MAX: usize = 64 * 1024;
/// How much of a refused host is shown.
const HOST_SHOWN: usize = 100;

/// What is said of a refresh token: RFC 6749 section 5.2, and what some servers have for it.
pub(super) const DENIALS: [&str; 5] = [
    "invalid_grant",
    "invalid_token",
    "expired_token",
    "bad_refresh_token",
    "invalid_refresh_token",
];
/// What is put in the place of a secret, or of a part of it.
const MASKS: [&str; 4] = ["***", "...", "\u{2026}", "\u{2022}"];
/// The same in words, and none.
const WORDS: [&str; 10] = [
    "null",
    "none",
    "undefined",
    "false",
    "redacted",
    "hidden",
    "filtered",
    "masked",
    "removed",
    "secret",
];

#[cfg(test)]
mod tests;
