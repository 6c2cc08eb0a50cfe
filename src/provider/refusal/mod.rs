//! [`classify`]: why a login brought no token, and whether another try is harmless.
//!
//! JSON fields are compared, never the whole body: the order of keys varies, and `X-PrettyPrint` exists.

mod clocks;
mod echo;
mod shown;

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

pub use self::shown::printable;
pub(super) use self::shown::shown;
use super::Provider;
use super::answer::{self, Answer, AnswerMap};
use super::expiry;
use super::failure::{LoginFailure, Refused};
use super::login::{Login, Secrets};

/// What an error means at one provider. Everything that is given must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRule {
    /// The status.
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<Cow<'static, str>>,
    /// A part of the error's text, in any letter case.
    pub text: Option<Cow<'static, str>>,
    /// Whether it holds of pages, too: they are mostly of something in front of the provider.
    pub pages: bool,
    /// What it means.
    pub class: Class,
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No, until something changes.
    Refused(Refused),
    /// Another try may help.
    Again,
    /// Another try may help, but not before so long, unless the provider says when.
    Later(Duration),
}

/// The error fields of an answer. They may repeat a secret.
#[derive(Clone, Default)]
pub(super) struct Said {
    code: String,
    text: String,
}

impl RefusalRule {
    /// A rule on the code.
    pub const fn code(code: &'static str, class: Class) -> Self {
        Self {
            status: None,
            code: Some(Cow::Borrowed(code)),
            text: None,
            pages: false,
            class,
        }
    }

    /// A rule on a part of the text.
    pub const fn text(text: &'static str, class: Class) -> Self {
        Self {
            status: None,
            code: None,
            text: Some(Cow::Borrowed(text)),
            pages: false,
            class,
        }
    }

    /// A rule on the status.
    pub const fn status(status: u16, class: Class) -> Self {
        Self {
            status: Some(status),
            code: None,
            text: None,
            pages: false,
            class,
        }
    }

    fn matches(&self, status: StatusCode, said: &Said, is_page: bool) -> bool {
        (self.pages || !is_page)
            && self.status.is_none_or(|wanted| status == wanted)
            && self.code.as_ref().is_none_or(|code| said.code == *code)
            && self.text.as_ref().is_none_or(|text| {
                let said = said.text.to_ascii_lowercase();
                said.contains(&text.to_ascii_lowercase())
            })
    }
}

impl Said {
    /// The error fields in `json`.
    pub(super) fn of(map: &AnswerMap, json: &Value) -> Self {
        let all = |places: &[Cow<'static, str>]| -> Vec<String> {
            let texts = places
                .iter()
                .filter_map(|place| match json.pointer(place)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                });
            texts.collect()
        };
        let codes = all(&map.error_code);
        let code = codes.iter().find(|code| is_error(code));
        Self {
            code: code.or(codes.first()).cloned().unwrap_or_default(),
            text: all(&map.error_text).into_iter().next().unwrap_or_default(),
        }
    }

    /// Its code is none if it is but the status over again, in figures or words: so frameworks and gateways write, for which nobody has
    /// looked at the login.
    fn beside(mut self, status: StatusCode) -> Self {
        let phrase = status.canonical_reason().map(letters);
        if self.code == status.as_str() || Some(letters(&self.code)) == phrase {
            self.code.clear();
        }
        self
    }

    /// Whether there is an error at all.
    pub(super) fn has_code(&self) -> bool {
        is_error(&self.code)
    }

    /// Its code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Whether no code is said, not even one that there is no error.
    pub(super) fn is_silent(&self) -> bool {
        self.code.is_empty()
    }
}

/// Many servers write their errors' field into every answer: with nothing in it, 0, or a word for it, where there is none.
fn is_error(code: &str) -> bool {
    let code = code.trim();
    let is_none = NONE.iter().any(|word| code.eq_ignore_ascii_case(word));
    !code.is_empty() && !is_none && code.parse::<f64>() != Ok(0.0)
}

/// Why `answer` brought no token.
pub fn classify(provider: &Provider, secrets: &Secrets, answer: &Answer<'_>) -> LoginFailure {
    let status = answer.status;
    let json = answer::document(answer);
    let said = json.as_ref().map(|json| Said::of(&provider.answer, json));
    let (is_overload, is_page) = (is_overload(status), is_page(answer));
    let said = said.unwrap_or_default().beside(status);
    let mut rules = provider.refusals.iter().filter(|_| !is_overload);
    let rule = rules.find(|rule| rule.matches(status, &said, is_page));
    let is_elsewhere = rule.is_none() && (is_overload || is_page);
    let class = match rule {
        Some(rule) => rule.class,
        None if is_elsewhere => Class::Again,
        None => usual(status, json.is_some(), &said),
    };
    let text = told(provider, secrets, answer, json.as_ref());
    let (class, text) = match is_elsewhere {
        true => (class, text),
        false => clocks::heed(provider, answer, class, text),
    };
    let class = match class {
        // Nobody is locked out by a login without one, and it is not to hold up others of the same client.
        Class::Refused(Refused::Password) if !provider.login.sends_password() => {
            Class::Refused(Refused::Policy)
        }
        class => class,
    };
    let asked = expiry::retry_after(answer.status, answer.headers, json.as_ref(), answer.wall);
    match class {
        // Who says when to come back refuses nothing for good. A password is another matter: each further try counts.
        Class::Refused(Refused::Client | Refused::Policy)
            if asked.is_some() && said.code != "invalid_client" =>
        {
            LoginFailure::Transient {
                text,
                retry_after: asked,
            }
        }
        Class::Refused(what) => LoginFailure::Refused { what, text },
        Class::Again => LoginFailure::Transient {
            text,
            retry_after: asked,
        },
        Class::Later(wait) => LoginFailure::Transient {
            text,
            retry_after: asked.or(Some(wait)),
        },
    }
}

/// What the provider said, or what came instead of words.
fn told(
    provider: &Provider,
    secrets: &Secrets,
    answer: &Answer<'_>,
    json: Option<&Value>,
) -> String {
    let status = answer.status;
    match json.map(|json| Said::of(&provider.answer, json)) {
        Some(said) if !said.code.is_empty() || !said.text.is_empty() => {
            let granted = json.map(|json| granted(&provider.answer, json));
            let mut hidden = granted.unwrap_or_default();
            let given = match &provider.login {
                Login::Call(call) => call.given(),
                Login::Program(_) => vec![],
            };
            hidden.extend(given.iter().map(Cow::as_ref));
            let both = [said.code, said.text];
            let both = both.iter().filter(|part| !part.is_empty());
            let both: Vec<_> = both
                .map(|part| shown(part, secrets, &hidden, TEXT_SHOWN))
                .collect();
            printable(&both.join(": "), TEXT_SHOWN)
        }
        Some(_) => format!("HTTP {} without a reason", status.as_u16()),
        None if status.is_redirection() => {
            format!(
                "HTTP {} to another address, which is not followed",
                status.as_u16()
            )
        }
        None if answer.body.is_empty() => format!("HTTP {} without a body", status.as_u16()),
        None if is_page(answer) => format!("HTTP {} with a page instead of JSON", status.as_u16()),
        None => format!("HTTP {} with a body that is not JSON", status.as_u16()),
    }
}

fn is_page(answer: &Answer<'_>) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}

/// The tokens that stand beside an error: they are not used, but may be good.
fn granted<'a>(map: &AnswerMap, json: &'a Value) -> Vec<&'a str> {
    let places = [Some(&map.token), map.refresh_token.as_ref()];
    let tokens = places.into_iter().flatten();
    let tokens = tokens.filter_map(|place| json.pointer(place)?.as_str());
    tokens.map(str::trim_end).collect()
}

/// What an error means where the provider has no rule: RFC 6749 section 5.2, read leniently.
fn usual(status: StatusCode, is_json: bool, said: &Said) -> Class {
    // What has a blank or a colon in it is a text: a code is a word.
    let code = match said.code.contains([' ', ':']) {
        true => "",
        false => said.code.as_str(),
    };
    match code {
        "invalid_client" | "unauthorized_client" => Class::Refused(Refused::Client),
        code if code == "server_error" || BUSY.contains(&code) => Class::Again,
        _ if !is_json || status.is_redirection() => Class::Again,
        // The token endpoint is not there, or not yet.
        _ if status == StatusCode::NOT_FOUND => Class::Again,
        // Something in front of the token endpoint, most likely: a route that is being set up, a firewall. It waits longer
        // and longer, and nobody has to have it try again.
        "" if status.is_client_error() && !matches!(status.as_u16(), 400 | 401) => Class::Again,
        _ if status.is_client_error() => Class::Refused(Refused::Policy),
        // A 200 with an error: one in words is a refusal, a number or nothing may be anything.
        _ if said.code.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Class::Refused(Refused::Policy)
        }
        _ => Class::Again,
    }
}

/// A phrase without what is written in many ways: `Not Found`, `not_found`, `NotFound`.
fn letters(phrase: &str) -> String {
    let letters = phrase.chars().filter(char::is_ascii_alphabetic);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

fn is_overload(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// It is too much, or too early: codes that say nothing of who logs in.
pub(super) const BUSY: [&str; 9] = [
    "temporarily_unavailable",
    "slow_down",
    "too_many_requests",
    "rate_limit_exceeded",
    "rate_limited",
    "rate_limit",
    "rate_limit_reached",
    "rate_exceeded",
    "throttled",
];
const NONE: [&str; 5] = ["none", "null", "false", "ok", "success"];
const TEXT_SHOWN: usize = 200;

#[cfg(test)]
mod tests;
