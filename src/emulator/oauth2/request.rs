//! The parameters of a token request, by their standard names, wherever a dialect puts them.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::Value;

use super::{Form, Refusal, answer, form};
use crate::emulator::knobs::OauthRequestDials;

/// The parameters that are there and not empty.
pub(super) struct Asked(BTreeMap<&'static str, String>);

impl Asked {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A body of one of two kinds.
enum Body {
    Form(Form),
    Json(Value),
}

impl Body {
    /// The parameter at `name`; in JSON, a pointer.
    fn text(&self, name: &str) -> Option<String> {
        match self {
            Self::Form(form) => form.get(name).map(str::to_owned),
            Self::Json(value) => {
                let value = value.pointer(name)?.as_str()?;
                (!value.is_empty()).then(|| value.to_owned())
            }
        }
    }
}

pub(super) fn read(
    dials: &OauthRequestDials,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Asked, Refusal> {
    for (name, value) in &dials.headers {
        let mut all = headers.get_all(name).iter();
        let is_there = all
            .next()
            .is_some_and(|given| given.as_bytes() == value.as_bytes());
        if !is_there || all.next().is_some() {
            return Err(NO_HEADER);
        }
    }
    let read = if dials.json {
        let object = answer::object(headers, body).ok_or(NOT_JSON)?;
        Body::Json(Value::Object(object))
    } else {
        let read = Form::read(headers, body);
        if form::is_malformed(body) || read.repeats() {
            return Err(MALFORMED);
        }
        Body::Form(read)
    };
    for (name, value) in &dials.required {
        if read.text(name).as_ref() != Some(value) {
            return Err(NO_PARAMETER);
        }
    }
    let own = |name: &str| {
        let slash = if dials.json { "/" } else { "" };
        format!("{slash}{name}")
    };
    let parameters = PARAMETERS.iter().filter_map(|name| {
        let place = dials.names.get(*name).cloned();
        Some((*name, read.text(&place.unwrap_or_else(|| own(name)))?))
    });
    Ok(Asked(parameters.collect()))
}

const PARAMETERS: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion_type",
    "client_assertion",
    "username",
    "password",
    "scope",
    "refresh_token",
    "assertion",
];
const NO_HEADER: Refusal = Refusal::new("invalid_request", "a required header is missing");
const NOT_JSON: Refusal = Refusal::new("invalid_request", "the body is not a JSON object");
const MALFORMED: Refusal = Refusal::new("invalid_request", "the body is malformed");
const NO_PARAMETER: Refusal = Refusal::new("invalid_request", "a required parameter is missing");
