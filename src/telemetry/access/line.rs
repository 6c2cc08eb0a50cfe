//! One entry as a line of text or JSON.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::Entry;
use crate::telemetry::{Format, printable};

/// Appends `entry` to `line`, newline included.
pub(super) fn write(line: &mut String, entry: &Entry, format: Format) {
    let before_query = entry.target.split(|&byte| byte == b'?').next();
    let path = String::from_utf8_lossy(before_query.unwrap_or_default());
    let shown = Shown {
        time: humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + entry.time).to_string(),
        id: entry.id.map(|id| id.to_string()),
        upstream: &entry.upstream,
        surface: &entry.surface,
        method: entry.method.as_str(),
        path: &printable(&path),
        status: entry.status.as_u16(),
        bytes: entry.bytes,
        duration_ms: millis(entry.duration),
        upstream_ms: entry.upstream_time.map(millis),
        replayed: entry.replayed,
        code: entry.code,
        key: entry.key.as_deref(),
        client: entry.client.as_deref().map(printable),
        caller: entry.caller.map(|caller| caller.to_string()),
    };
    match format {
        Format::Text => text(line, &shown),
        Format::Json => line.push_str(&serde_json::to_string(&shown).unwrap_or_default()),
    }
    line.push('\n');
}

/// The fields in the order in which JSON shows them.
#[derive(Serialize)]
struct Shown<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    upstream: &'a str,
    surface: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    bytes: u64,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
}

/// Columns that are always there, then `name=value` for what is not.
fn text(line: &mut String, shown: &Shown<'_>) {
    let or_dash = |text: &'_ str| if text.is_empty() { "-" } else { text }.to_owned();
    let _ = write!(
        line,
        "{} {} {} {} {} {} {}B {}ms",
        shown.time,
        or_dash(shown.upstream),
        or_dash(shown.surface),
        shown.method,
        // Spaces would make columns of their own.
        or_dash(shown.path).replace(' ', "\\u0020"),
        shown.status,
        shown.bytes,
        shown.duration_ms,
    );
    if let Some(upstream) = shown.upstream_ms {
        let _ = write!(line, " upstream={upstream}ms");
    }
    if shown.replayed {
        line.push_str(" replayed");
    }
    // Spaces would make columns of their own.
    let client = shown
        .client
        .as_ref()
        .map(|name| name.replace(' ', "\\u0020"));
    let rest = [
        ("code", shown.code),
        ("id", shown.id.as_deref()),
        ("key", shown.key),
        ("client", client.as_deref()),
        ("caller", shown.caller.as_deref()),
    ];
    for (name, value) in rest {
        if let Some(value) = value {
            let _ = write!(line, " {name}={value}");
        }
    }
}

/// Milliseconds to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::telemetry::access::tests::entry;

    fn line(entry: &Entry, format: Format) -> String {
        let mut line = String::new();
        write(&mut line, entry, format);
        line
    }

    #[test]
    fn a_line_of_text_has_the_same_columns_always() {
        let mut entry = entry("/services/data?q=secret");
        let bare = "2026-11-23T13:20:00.250Z crm rest GET /services/data 200 512B 12.345ms";
        assert_eq!(line(&entry, Format::Text), format!("{bare}\n"));
        entry.upstream_time = Some(Duration::from_millis(10));
        entry.replayed = true;
        entry.code = Some("UA-0301");
        entry.key = Some("etl".into());
        entry.caller = "127.0.0.1:9".parse().ok();
        let rest = "upstream=10ms replayed code=UA-0301 key=etl caller=127.0.0.1:9";
        assert_eq!(line(&entry, Format::Text), format!("{bare} {rest}\n"));
    }

    #[test]
    fn a_line_of_json_leaves_out_what_is_not() {
        let expected = r#"{"time":"2026-11-23T13:20:00.250Z","upstream":"crm","surface":"rest","method":"GET","path":"/services/data","status":200,"bytes":512,"duration_ms":12.345}"#;
        assert_eq!(
            line(&entry("/services/data?q=secret"), Format::Json),
            format!("{expected}\n")
        );
    }

    #[test]
    fn a_path_breaks_no_line_and_no_column() {
        let rows: [(&[u8], &str); 4] = [
            (b"/a\x1b[2J\nb", "/a\\u001b[2J\\u000ab"),
            (b"/a b?c", "/a\\u0020b"),
            (b"?token=x", "-"),
            (b"/\xff", "/\u{fffd}"),
        ];
        for (target, expected) in rows {
            let mut entry = entry("");
            entry.target = Bytes::copy_from_slice(target);
            let text = line(&entry, Format::Text);
            assert_eq!(text.split(' ').nth(4), Some(expected));
            let json = line(&entry, Format::Json);
            assert_eq!((text + &json).matches('\n').count(), 2);
        }
    }
}
