//! [`Told`]: an answer of the admin listener as it may be shown. Whoever has that port answers there, which need not be the
//! proxy: in a terminal nothing of it moves the cursor, changes colors or looks like a line of ours.

use serde_json::Value;

use crate::app::remote::Reply;
use crate::telemetry::printable;

/// What was told.
pub(super) struct Told {
    /// The status.
    pub(super) status: u16,
    /// Its fields, each text fit for one line; null where it is no JSON.
    pub(super) fields: Value,
    /// `detail` in its lines: the one text that may have several.
    pub(super) detail: String,
    /// All of it. JSON is one line, and says the same as what came.
    pub(super) body: String,
}

impl Told {
    pub(super) fn of(reply: &Reply) -> Self {
        let body = String::from_utf8_lossy(&reply.body);
        let fields = serde_json::from_str::<Value>(&body).ok();
        let body = match fields {
            // Within texts these are escaped already, so that here they are the space between them.
            Some(_) => printable(&body.trim().replace(['\r', '\n', '\t'], " ")).into_owned(),
            None => lines(&body),
        };
        let mut fields = fields.unwrap_or_default();
        let detail = fields.get("detail").and_then(Value::as_str);
        let detail = detail.map(lines).unwrap_or_default();
        clean(&mut fields);
        Self {
            status: reply.status,
            fields,
            detail,
            body,
        }
    }

    /// What went wrong, as a person reads it; all of it if that is not one of the proxy's problems.
    pub(super) fn problem(&self) -> String {
        let [code, title, detail] = ["code", "title", "detail"].map(|key| text(&self.fields, key));
        match code.is_empty() {
            false => format!("{title}: {detail} ({code})"),
            true => self.body.clone(),
        }
    }
}

/// The text under a key; empty if there is none.
pub(super) fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The list under a key; empty if there is none.
pub(super) fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    let list = of.get(key).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn lines(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(printable).collect();
    lines.join("\n")
}

/// Keys are ours, and are not shown.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
