//! Documents that are JSON, or XML for who asks for that (REST developer guide, "Using Identity URLs").

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;

use super::{answer, form};

/// The document, in XML within an element of this name.
pub(super) fn answer(parts: &Parts, name: &str, value: Value) -> Response {
    if !wants_xml(parts) {
        return answer::value(StatusCode::OK, value);
    }
    let mut body = XML.to_owned();
    write(&mut body, name, &value);
    answer::text(StatusCode::OK, "application/xml;charset=UTF-8", body)
}

/// Whether XML is asked for. (Real hosts take `.xml` at the end of a path of REST for it, too.)
pub(super) fn wants_xml(parts: &Parts) -> bool {
    let accept = parts.headers.get("accept");
    let accept = accept.and_then(|value| value.to_str().ok());
    let by_header = accept.is_some_and(|value| value.starts_with("application/xml"));
    by_header || form::query(parts, "format").as_deref() == Some("xml")
}

fn write(to: &mut String, name: &str, value: &Value) {
    to.push_str(&format!("<{name}>"));
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                write(to, name, value);
            }
        }
        Value::String(text) => to.push_str(&text.replace('&', "&amp;").replace('<', "&lt;")),
        other => to.push_str(&other.to_string()),
    }
    to.push_str(&format!("</{name}>"));
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
