//! [`Login`]: what is sent to a token endpoint, as data, and [`request`], which writes it down.
//!
//! It does not read secrets and does not send anything; the token room does.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value as Json};

use crate::message::Origin;
use crate::secret::{Secret, Source};

/// What a login sends, and where.
#[derive(Clone, Debug)]
pub struct Login {
    /// The token endpoint's origin.
    pub endpoint: Origin,
    /// The token endpoint's path.
    pub path: Cow<'static, str>,
    /// How the body is written.
    pub encode: Encode,
    /// The body's parameters, in this order.
    pub parameters: Vec<(Cow<'static, str>, Value)>,
    /// Further header fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Where each field comes from; read again at each login.
    pub sources: Vec<(Field, Source)>,
}

/// How the body of a login is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encode {
    /// `application/x-www-form-urlencoded` (RFC 6749 section 4).
    Form,
    /// One JSON object of strings (Marketing Cloud).
    Json,
}

/// A value that the operator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `client_id`.
    ClientId,
    /// `client_secret`.
    ClientSecret,
    /// `username`.
    Username,
    /// `password`.
    Password,
    /// `security_token`.
    SecurityToken,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// As it stands.
    Text(Cow<'static, str>),
    /// These fields, one right after the other, as one value; a field that is not configured is empty.
    Fields(Vec<Field>),
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
    pub path: String,
    /// The header fields, without `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Field {
    /// The key in `proxy.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::Username => "username",
            Self::Password => "password",
            Self::SecurityToken => "security_token",
        }
    }

    /// Whether its value must not be shown even to the operator. (An operator who looks for the
    /// mistake needs to see which client and which user a provider's text names.)
    pub fn is_secret(self) -> bool {
        match self {
            Self::ClientId | Self::Username => false,
            Self::ClientSecret | Self::Password | Self::SecurityToken => true,
        }
    }
}

impl Secrets {
    /// Adds the value of `field`.
    pub fn insert(&mut self, field: Field, value: Secret) {
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

/// Writes `login` down with `secrets`.
pub fn request(login: &Login, secrets: &Secrets) -> LoginRequest {
    let (body, kind) = match login.encode {
        Encode::Form => (form(login, secrets), "application/x-www-form-urlencoded"),
        Encode::Json => (json(login, secrets), "application/json"),
    };
    let mut headers: HeaderMap = login.headers.iter().cloned().collect();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    LoginRequest {
        origin: login.endpoint.clone(),
        path: login.path.to_string(),
        headers,
        body: Bytes::from(body),
    }
}

/// Every value is encoded on its own: a raw `+` in a password would arrive as a space and count as a failed
/// login (PROVIDERS 1.2).
fn form(login: &Login, secrets: &Secrets) -> String {
    let mut body = String::new();
    for (name, value) in &login.parameters {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(byte_serialize(name.as_bytes()));
        body.push('=');
        body.extend(byte_serialize(text(value, secrets).as_bytes()));
    }
    body
}

fn json(login: &Login, secrets: &Secrets) -> String {
    let parameters = login.parameters.iter();
    let object: Map<_, _> = parameters
        .map(|(name, value)| (name.to_string(), Json::String(text(value, secrets))))
        .collect();
    Json::Object(object).to_string()
}

fn text(value: &Value, secrets: &Secrets) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Fields(fields) => fields
            .iter()
            .filter_map(|field| secrets.get(*field))
            .map(Secret::expose)
            .collect(),
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("origin", &self.origin)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_login_is_one_object_of_strings_with_every_value_escaped() {
        let login = Login {
            endpoint: "https://auth.example.com".parse().unwrap(),
            path: "/v2/token".into(),
            encode: Encode::Json,
            parameters: vec![
                (
                    "grant_type".into(),
                    Value::Text("client_credentials".into()),
                ),
                (
                    "client_secret".into(),
                    Value::Fields(vec![Field::ClientSecret]),
                ),
                ("account_id".into(), Value::Fields(vec![Field::Username])),
            ],
            headers: vec![],
            sources: vec![],
        };
        let mut secrets = Secrets::default();
        secrets.insert(Field::ClientSecret, Secret::new("a\"b\\c\n+é"));
        let request = request(&login, &secrets);
        assert_eq!(
            request.body,
            r#"{"account_id":"","client_secret":"a\"b\\c\n+é","grant_type":"client_credentials"}"#
        );
        assert_eq!(request.headers[header::CONTENT_TYPE], "application/json");
    }
}
