//! [`Login`]: how a token is obtained, as data, and [`request`], which writes a call of a token endpoint down. Nothing here
//! reads a secret or sends anything; the token room does.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value as Json};

mod field;
mod given;
mod value;

pub use self::field::Field;
pub use self::value::Value;
use super::assertion::Unsigned;
use crate::message::{Locator, Origin};
use crate::secret::{Secret, Source};

/// How a token is obtained.
#[derive(Clone, Debug)]
pub enum Login {
    /// A token endpoint is called.
    Call(Call),
    /// A program prints the token, or an answer with the token in it; run at each login.
    Program(Source),
}

/// What is sent to a token endpoint, and where.
#[derive(Clone, Debug)]
pub struct Call {
    /// The token endpoint's origin.
    pub endpoint: Origin,
    /// The token endpoint's path and query.
    pub path: Locator,
    /// How the body is written.
    pub encode: Encode,
    /// The body's parameters, in this order. In JSON `a/b` is the member `b` of the object `a`.
    pub parameters: Vec<(Cow<'static, str>, Value)>,
    /// Whether client id and secret travel in `Authorization`; if not, the parameters hold them.
    pub basic: Option<Basic>,
    /// Further header fields.
    pub headers: Vec<(HeaderName, Value)>,
    /// Where each field comes from; read again at each login.
    pub sources: Vec<(Field, Source)>,
}

/// How the body of a login is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encode {
    /// `application/x-www-form-urlencoded` (RFC 6749 section 4).
    Form,
    /// One JSON object (Marketing Cloud).
    Json,
}

/// How client id and secret are written into `Authorization: Basic` (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basic {
    /// Each form-encoded first, as the RFC wants it.
    Encoded,
    /// As they are, as many servers want it.
    Raw,
}

/// What is particular to one login.
#[derive(Clone)]
pub struct Moment {
    /// The time since the Unix epoch.
    pub wall: Duration,
    /// A text that no other login has.
    pub unique: String,
}

/// The fields of one login, as read.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<(Field, Secret)>);

/// A login, ready to be sent with POST. Its `Debug` does not show the body.
#[derive(Clone)]
pub struct LoginRequest {
    /// Where to.
    pub origin: Origin,
    /// The path.
    pub path: Locator,
    /// The header fields, without `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Secrets {
    /// The value of `field` is `value`, whatever it was.
    pub fn insert(&mut self, field: Field, value: Secret) {
        self.0.retain(|(have, _)| *have != field);
        self.0.push((field, value));
    }

    /// Another value of `field`, which is hidden as the one that is used.
    pub fn also(&mut self, field: Field, value: Secret) {
        self.0.push((field, value));
    }

    /// The value of `field`.
    pub fn get(&self, field: Field) -> Option<&Secret> {
        self.0
            .iter()
            .find(|(have, _)| *have == field)
            .map(|(_, value)| value)
    }

    /// All fields and values, in the order of the login's sources.
    pub fn iter(&self) -> impl Iterator<Item = &(Field, Secret)> {
        self.0.iter()
    }
}

impl Call {
    /// Everything that it asks for, but the values of its sources. For a keyed digest, not for logs.
    pub(super) fn asks(&self) -> String {
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|(name, value)| format!("({name:?}, {})", value.asked()));
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| format!("({name:?}, {})", value.asked()));
        let headers = headers.collect::<Vec<_>>().join(", ");
        format!(
            "{:?} [{parameters}] {:?} [{headers}]",
            self.encode, self.basic
        )
    }

    /// Adds a parameter that is one field.
    pub(super) fn add(&mut self, name: &'static str, field: Field, source: &Source) {
        let value = Value::Fields(vec![field]);
        self.parameters.push((name.into(), value));
        self.sources.push((field, source.clone()));
    }
}

impl Login {
    /// Where each field comes from.
    pub fn sources(&self) -> &[(Field, Source)] {
        match self {
            Self::Call(call) => &call.sources,
            Self::Program(_) => &[],
        }
    }

    /// Whether a password is sent, by whatever name: `passwd`, `user_pwd`. Each that is wrong may lock its user out.
    pub fn sends_password(&self) -> bool {
        let Self::Call(call) = self else {
            return false;
        };
        let parameters = call.parameters.iter().map(|(name, _)| &**name);
        let headers = call.headers.iter().map(|(name, _)| name.as_str());
        let mut names = parameters.chain(headers);
        names.any(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("pass") || name.contains("pwd")
        })
    }

    /// The token endpoint's origin, if one is called.
    pub fn endpoint(&self) -> Option<&Origin> {
        match self {
            Self::Call(call) => Some(&call.endpoint),
            Self::Program(_) => None,
        }
    }
}

/// The token endpoint's address without its query, which may hold a key, or the program's name: for people.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => {
                write!(f, "{}{}", call.endpoint, call.path.without_query())
            }
            Self::Program(Source::Command(argv)) => {
                let program = argv.first().map_or("", String::as_str);
                write!(f, "the command `{program}`")
            }
            Self::Program(_) => f.write_str("a file"),
        }
    }
}

/// Writes `call` down with `secrets`. What is signed is signed now.
pub fn request(call: &Call, secrets: &Secrets, moment: &Moment) -> Result<LoginRequest, Unsigned> {
    let mut values = Vec::with_capacity(call.parameters.len());
    for (name, value) in &call.parameters {
        if let Value::Fields(fields) = value
            && fields.iter().all(|field| secrets.get(*field).is_none())
        {
            continue;
        }
        values.push((name.as_ref(), written(value, secrets, moment)?));
    }
    let (body, kind) = match call.encode {
        Encode::Form => (form(values), "application/x-www-form-urlencoded"),
        Encode::Json => (json(values), "application/json"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in &call.headers {
        let text = text(written(value, secrets, moment)?);
        let mut value = HeaderValue::try_from(text).map_err(|_| Unsigned::Header)?;
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(basic) = call.basic {
        headers.insert(header::AUTHORIZATION, authorization(basic, secrets));
    }
    Ok(LoginRequest {
        origin: call.endpoint.clone(),
        path: call.path.clone(),
        headers,
        body: Bytes::from(body),
    })
}

fn authorization(basic: Basic, secrets: &Secrets) -> HeaderValue {
    let part = |field| {
        let text = secrets.get(field).map_or("", Secret::expose);
        match basic {
            Basic::Encoded => byte_serialize(text.as_bytes()).collect(),
            Basic::Raw => text.to_owned(),
        }
    };
    let both = format!("{}:{}", part(Field::ClientId), part(Field::ClientSecret));
    // Base64 is visible ASCII, so this cannot fail.
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both)))
        .unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Every value is encoded on its own: a raw `+` in a password would arrive as a space, as in every form, and count as a
/// failed login.
fn form(values: Vec<(&str, Json)>) -> String {
    let mut body = Serializer::new(String::new());
    for (name, value) in values {
        match value {
            // A form has no lists; it says a parameter again, as RFC 8707 does.
            Json::Array(list) => body.extend_pairs(list.into_iter().map(|one| (name, text(one)))),
            one => body.append_pair(name, &text(one)),
        };
    }
    body.finish()
}

fn text(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

fn json(values: Vec<(&str, Json)>) -> String {
    let mut body = Map::new();
    for (name, value) in values {
        place(&mut body, name, value);
    }
    Json::Object(body).to_string()
}

/// Puts `value` at `name` (`a/b/c`), making the objects on the way.
fn place(object: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('/') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((outer, inner)) => {
            let entry = object.entry(outer).or_insert_with(|| Map::new().into());
            if let Json::Object(object) = entry {
                place(object, inner, value);
            }
        }
    }
}

fn written(value: &Value, secrets: &Secrets, moment: &Moment) -> Result<Json, Unsigned> {
    Ok(match value {
        Value::Text(text) => Json::String(text.to_string()),
        Value::Json(json) => json.clone(),
        Value::Fields(fields) => fields
            .iter()
            .filter_map(|field| secrets.get(*field))
            .map(Secret::expose)
            .collect::<String>()
            .into(),
        Value::Assertion(assertion) => assertion.sign(secrets, moment)?.into(),
    })
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("origin", &self.origin)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// `grant_type` of RFC 7523 section 2.1.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[cfg(test)]
mod tests;
