//! Local logins as data: which login, introspection and logout calls of a provider the proxy answers itself, how
//! clients write them, and what they are told.
//!
//! An application that insists on logging in gets a placeholder instead of a token, and the proxy's own address
//! instead of the API's. Nothing of it reaches the provider. [`calls`] is the data; [`fields`] reads a request.

pub mod calls;
pub mod fields;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value};

pub use self::fields::{Encoding, Fields};
use super::told::Told;
use crate::message::{PathRule, Readings};

/// A call that the proxy answers itself.
#[derive(Clone, Debug)]
pub struct LocalCall {
    /// Method and path; any of them.
    pub on: Vec<PathRule>,
    /// How clients write its fields.
    pub encoding: Encoding,
    /// What it is.
    pub kind: LocalKind,
}

/// What a call asks for.
#[derive(Clone, Debug)]
pub enum LocalKind {
    /// A token.
    Login(LocalLogin),
    /// What a token is good for (RFC 7662).
    Introspection(Introspection),
    /// The end of a session; the field names its token. Nothing ends here: the answer is 200 without a body.
    Logout {
        /// The field.
        token: &'static str,
    },
}

/// A call for a token.
#[derive(Clone, Debug)]
pub struct LocalLogin {
    /// The field that names the grant; `None`: there is one grant, without a name.
    pub grant: Option<&'static str>,
    /// The grants that are answered.
    pub grants: &'static [Grant],
    /// The fields that may hold a caller's key or its placeholder, in the order in which they are tried.
    pub secrets: &'static [Secret],
    /// The fields of the answer.
    pub answer: &'static [Line],
    /// What a login without a key is told, where keys are asked for.
    pub refusal: Refusal,
    /// What a login by another grant is told.
    pub unsupported: Refusal,
    /// What it is told when the proxy has no token itself.
    pub unavailable: Refusal,
}

/// A call for what a token is good for. One that lets its caller in here is active.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The field that names the token.
    pub token: &'static str,
    /// The fields of the answer about an active one.
    pub active: &'static [Line],
    /// What is told when the proxy has no token itself.
    pub unavailable: Refusal,
}

/// A grant, and whether its requests hold no secret that could be a key: assertions are signed instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As the request names it.
    pub name: &'static str,
    /// Whether it is answered without a key, with a placeholder that lets nobody in.
    pub keyless: bool,
}

/// A field of a login that may hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// As it is.
    Whole(&'static str),
    /// As it is, or with a security token at its end.
    Password(&'static str),
}

/// A field of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub said: Said,
    /// When it is there.
    pub when: When,
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// Always the same.
    Fixed(Plain),
    /// What the request says in this field, or nothing.
    Echo(&'static str),
    /// The placeholder.
    Placeholder,
    /// The proxy as the caller sees it, and this behind it.
    Here(&'static str),
    /// The time in milliseconds since the Unix epoch, as text.
    Now,
    /// The time so many seconds from now, in seconds since the Unix epoch.
    Later(u64),
    /// The user that the proxy's own token is for, where the proxy is for the caller; else one that cannot be.
    Identity,
    /// The scope of the proxy's own token; else this.
    Scope(&'static str),
}

/// When a field is there.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// In every answer.
    Always,
    /// In the answers to these grants.
    By(&'static [&'static str]),
    /// When the request has this field with a value that contains this.
    Asked(&'static str, &'static str),
}

/// What a refused login is told, in the provider's own words.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The status; `None`: that of the proxy's own answer.
    pub status: Option<u16>,
    /// The field that says why, for people; the proxy's code is put behind it.
    pub reason: (&'static str, &'static str),
    /// The other fields of the body.
    pub body: &'static [(&'static str, Plain)],
}

/// A fixed value.
#[derive(Clone, Copy, Debug)]
pub enum Plain {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(u64),
    /// Yes.
    True,
}

/// What an answer is made of beside the request.
#[derive(Clone, Copy)]
pub struct Filling<'a> {
    /// What stands in for a token.
    pub placeholder: &'a str,
    /// The proxy as the caller sees it: scheme, host and prefix, without a slash at the end.
    pub here: &'a str,
    /// The time since the Unix epoch.
    pub now: Duration,
    /// What the proxy's own token is for.
    pub told: &'a Told,
}

/// The call that `method` and `path` are, if any. A path that could be read in another way is none.
pub fn find<'a>(
    calls: &'a [LocalCall],
    method: &Method,
    path: &Readings<'_>,
) -> Option<&'a LocalCall> {
    let is = |call: &&LocalCall| call.on.iter().any(|rule| rule.matches_all(method, path));
    calls.iter().find(is)
}

impl LocalLogin {
    /// The grant that is asked for; `None`: one that is not answered here.
    pub fn grant(&self, fields: &Fields) -> Option<&'static Grant> {
        let Some(field) = self.grant else {
            return self.grants.first();
        };
        let name = fields.get(field)?;
        self.grants.iter().find(|grant| grant.name == name)
    }

    /// Everything that may be a key, in the order in which it is tried.
    pub fn secrets<'a>(&'a self, fields: &'a Fields) -> impl Iterator<Item = &'a str> {
        self.secrets.iter().flat_map(|secret| {
            let (name, ends): (_, &[usize]) = match secret {
                Secret::Whole(name) => (name, &[0]),
                Secret::Password(name) => (name, &SECURITY_TOKEN),
            };
            let text = fields.get(name).unwrap_or_default();
            let fronts = ends
                .iter()
                .filter_map(|end| text.get(..text.len().checked_sub(*end)?));
            fronts.filter(|front| !front.is_empty())
        })
    }

    /// The body of the answer.
    pub fn answer(&self, grant: &Grant, fields: &Fields, filling: Filling<'_>) -> String {
        write(self.answer, grant.name, fields, filling)
    }
}

impl Introspection {
    /// The body of the answer; `None`: about a token that is good for nothing here.
    pub fn answer(&self, fields: &Fields, filling: Option<Filling<'_>>) -> String {
        match filling {
            Some(filling) => write(self.active, "", fields, filling),
            None => INACTIVE.to_owned(),
        }
    }
}

fn write(lines: &[Line], grant: &str, fields: &Fields, filling: Filling<'_>) -> String {
    let there = lines.iter().filter(|line| match line.when {
        When::Always => true,
        When::By(grants) => grants.contains(&grant),
        When::Asked(name, part) => fields.get(name).is_some_and(|value| value.contains(part)),
    });
    json(there.map(|line| (line.name, line.said.value(fields, filling))))
}

impl Refusal {
    /// Its body; `code` is the proxy's own word for the reason.
    pub fn body(&self, code: &str) -> String {
        let (name, text) = self.reason;
        let reason = (name, format!("{text} ({code})").into());
        let others = self.body.iter().map(|(name, plain)| (*name, plain.value()));
        json(others.chain([reason]))
    }
}

impl Said {
    fn value(self, fields: &Fields, filling: Filling<'_>) -> Value {
        match self {
            Self::Fixed(plain) => plain.value(),
            Self::Echo(name) => fields.get(name).unwrap_or_default().into(),
            Self::Placeholder => filling.placeholder.into(),
            Self::Here(path) => format!("{}{path}", filling.here).into(),
            Self::Now => filling.now.as_millis().to_string().into(),
            Self::Later(seconds) => (filling.now.as_secs() + seconds).into(),
            Self::Identity => {
                let path = filling.told.identity.as_deref().unwrap_or(NO_USER);
                format!("{}{path}", filling.here).into()
            }
            Self::Scope(usual) => filling.told.scope.as_deref().unwrap_or(usual).into(),
        }
    }
}

impl Plain {
    fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
            Self::True => true.into(),
        }
    }
}

fn json(fields: impl Iterator<Item = (&'static str, Value)>) -> String {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<Map<_, _>>()).to_string()
}

/// A user of an organisation, neither of which can be.
const NO_USER: &str = "/id/00D000000000000EAA/005000000000000AAA";
/// RFC 7662 section 2.2.
const INACTIVE: &str = r#"{"active":false}"#;
/// A password may have none behind it, or one of 24 or 25 characters.
const SECURITY_TOKEN: [usize; 3] = [0, 24, 25];
