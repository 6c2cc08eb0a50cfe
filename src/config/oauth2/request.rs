//! `request` and `token_headers`: what a token request holds beside what the grant wants.

use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use toml::de::DeValue;

use super::Encode;
use crate::code;
use crate::config::header;
use crate::config::reading::{Holds, Reading};
use crate::config::reference::{Value, is_reference, value};
use crate::config::section::{Item, Section};
use crate::config::text::Text;
use crate::secret::Source;

/// The value of a further parameter.
#[derive(Clone, Debug)]
pub enum Parameter {
    /// One that stands in the file.
    Given(Scalar),
    /// Several that stand in the file, in this order.
    List(Vec<Scalar>),
    /// A text that stands elsewhere.
    Secret(Source),
}

/// A text, a number, or a truth. Its `Debug` does not show it: among the parameters of a request may be a key.
#[derive(Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Flag(bool),
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[given]")
    }
}

/// As it is compared with what an answer holds.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// `request = { NAME = VALUE }`. Names in `written` are those of parameters that are there anyway.
pub(super) fn parameters(
    table: &mut Section<'_>,
    encode: Encode,
    written: &[&str],
    reading: &mut Reading<'_>,
) -> Vec<(String, Parameter)> {
    let item = table.take("request", reading);
    let Some(section) = item.and_then(|item| item.into_section(reading)) else {
        return Vec::new();
    };
    let mut parameters = Vec::new();
    for item in section.into_items() {
        // A server may want another word for a grant; nothing else can be said twice.
        if item.key != "grant_type" && written.contains(&item.key.as_str()) {
            let message = format!("`request.{0}` and `{0}` are one parameter", item.key);
            reading
                .problem(&code::DOES_NOT_APPLY, item.key_span, message)
                .help("remove it: the proxy writes this parameter from a key of its own");
            continue;
        }
        add(item, "", encode, &mut parameters, reading);
    }
    parameters
}

/// Adds the parameter, or those of the object.
fn add(
    item: Item<'_>,
    outer: &str,
    encode: Encode,
    parameters: &mut Vec<(String, Parameter)>,
    reading: &mut Reading<'_>,
) {
    let name = match outer {
        "" => item.key.clone(),
        outer => format!("{outer}/{}", item.key),
    };
    let is_object = matches!(item.value, DeValue::Table(_)) && !is_reference(&item.value);
    let slash = encode == Encode::Json && item.key.contains('/');
    if (is_object && encode == Encode::Form) || slash {
        let (message, help) = match slash {
            true => (
                "a name cannot hold a slash here",
                "write an object within the object: { a = { b = 1 } }",
            ),
            false => (
                "a form has no objects",
                "write encode = \"json\", or a name and a text",
            ),
        };
        let message = format!("`request.{name}`: {message}");
        reading
            .problem(&code::BAD_VALUE, item.key_span, message)
            .help(help);
        return;
    }
    if is_object {
        for item in item
            .into_section(reading)
            .map(Section::into_items)
            .unwrap_or_default()
        {
            add(item, &name, encode, parameters, reading);
        }
        return;
    }
    if let Some(parameter) = parameter(item, reading) {
        parameters.push((name, parameter));
    }
}

fn parameter(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Parameter> {
    if matches!(item.value, DeValue::Array(_)) {
        let elements = item.elements().into_iter();
        let elements = elements.map(|element| plain(element, reading));
        // All of them are looked at before one that is wrong ends it.
        let elements: Vec<_> = elements.collect();
        return Some(Parameter::List(
            elements.into_iter().collect::<Option<_>>()?,
        ));
    }
    if !matches!(item.value, DeValue::String(_) | DeValue::Table(_)) {
        return scalar(item, reading).map(Parameter::Given);
    }
    Some(match item.text_or_reference(reading)? {
        Value::Text(Text {
            plain: true, text, ..
        }) => Parameter::Given(Scalar::Text(text)),
        Value::Text(text) => Parameter::Secret(value(text)),
        Value::Later(source, span) => {
            reading.later(&source, span, Holds::Text);
            Parameter::Secret(source)
        }
    })
}

/// An element of a list, which stands in the file.
fn plain(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Scalar> {
    if !matches!(item.value, DeValue::String(_)) {
        return match item.value {
            DeValue::Table(_) => {
                item.wrong_type(
                    ELEMENT,
                    "a list holds neither objects nor references",
                    reading,
                );
                None
            }
            _ => scalar(item, reading),
        };
    }
    match item.text_or_reference(reading)? {
        Value::Text(text) if text.plain => Some(Scalar::Text(text.text)),
        Value::Text(Text { span, .. }) | Value::Later(_, span) => {
            reading
                .problem(&code::BAD_REFERENCE, span, "a list holds no references")
                .help("write the text itself");
            None
        }
    }
}

/// The value as a text, a number, or a truth.
pub(super) fn scalar(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Scalar> {
    let number = match &item.value {
        DeValue::String(_) | DeValue::Table(_) => {
            return item.text(reading).map(|text| Scalar::Text(text.text));
        }
        DeValue::Boolean(flag) => return Some(Scalar::Flag(*flag)),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            number.ok().map(Scalar::Integer)
        }
        // JSON has no others.
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok();
            number
                .filter(|number: &f64| number.is_finite())
                .map(Scalar::Float)
        }
        _ => None,
    };
    if number.is_none() {
        item.wrong_type(
            ELEMENT,
            "dates cannot be written; several values in one text, as many servers want them: \"a b\"",
            reading,
        );
    }
    number
}

/// `token_headers = { NAME = VALUE }`. `by_basic`: `Authorization` is taken.
pub(super) fn headers(
    table: &mut Section<'_>,
    by_basic: bool,
    reading: &mut Reading<'_>,
) -> Vec<(HeaderName, Source)> {
    let item = table.take("token_headers", reading);
    let Some(section) = item.and_then(|item| item.into_section(reading)) else {
        return Vec::new();
    };
    let items = section.into_items().into_iter();
    items
        .filter_map(|item| field(item, by_basic, reading))
        .collect()
}

fn field(
    item: Item<'_>,
    by_basic: bool,
    reading: &mut Reading<'_>,
) -> Option<(HeaderName, Source)> {
    let (key, key_span) = (item.key.clone(), item.key_span.clone());
    let shown = reading.quoted_key(&item);
    let source = match item.text_or_reference(reading)? {
        Value::Text(text) if HeaderValue::from_str(&text.text).is_err() => {
            let message = format!("the value of {shown} cannot stand in a header");
            reading
                .problem(&code::BAD_HEADER, text.span, message)
                .help("visible ASCII characters, spaces and tabs");
            return None;
        }
        Value::Text(text) => value(text),
        Value::Later(source, span) => {
            reading.later(&source, span, Holds::Text);
            source
        }
    };
    let why = match header::own_name(&key) {
        Ok(name) if name == CONTENT_TYPE => "follows from `encode`",
        Ok(name) if name == AUTHORIZATION && by_basic => "is written by `client_auth`",
        Ok(name) => return Some((name, source)),
        Err(why) => why,
    };
    reading
        .problem(&code::BAD_HEADER, key_span, format!("{shown} {why}"))
        .help("set fields that this token endpoint asks for beside its parameters");
    None
}

const ELEMENT: &str = "a text, a number, true or false";
