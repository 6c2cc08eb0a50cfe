//! Lines: their columns, what may stand in them, and that JSON is what serde would write.

use std::borrow::Cow;

use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::telemetry::access::tests::entry;
use crate::telemetry::id::Ids;

fn line(entry: &Entry, format: Format) -> String {
    let mut line = Vec::new();
    write(&mut line, entry, format, &mut Stamp::default());
    String::from_utf8(line).unwrap()
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
    entry.client = Some("a b\n".into());
    entry.caller = Some("127.0.0.1:9".into());
    let rest =
        "upstream=10ms replayed code=UA-0301 key=etl client=a\\u0020b\\u000a caller=127.0.0.1:9";
    assert_eq!(line(&entry, Format::Text), format!("{bare} {rest}\n"));
    entry.upstream = None;
    entry.surface = "";
    let text = line(&entry, Format::Text);
    assert!(text.contains("Z - - GET /services/data 200"), "{text}");
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
    let rows = [
        ("/a\x1b[2J\nb", "/a\\u001b[2J\\u000ab"),
        ("/a b?c", "/a\\u0020b"),
        ("?token=x", "-"),
        ("/é\"\\?é", "/é\"\\"),
    ];
    for (target, expected) in rows {
        let entry = entry(target);
        let text = line(&entry, Format::Text);
        assert_eq!(text.split(' ').nth(4), Some(expected));
        let json = line(&entry, Format::Json);
        assert_eq!((text + &json).matches('\n').count(), 2);
    }
}

#[test]
fn lines_of_one_second_share_its_text_and_others_do_not() {
    let mut stamp = Stamp::default();
    let mut times = Vec::new();
    for millis in [
        0,
        999,
        1_795_440_000_250,
        1_795_440_000_007,
        1_795_440_001_000,
    ] {
        stamp.put(&mut times, Duration::from_millis(millis));
        times.push(b' ');
    }
    let expected = "1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.999Z 2026-11-23T13:20:00.250Z \
                    2026-11-23T13:20:00.007Z 2026-11-23T13:20:01.000Z ";
    assert_eq!(String::from_utf8(times).unwrap(), expected);
}

/// The fields as serde would write them.
#[derive(Serialize)]
struct Shown<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    upstream: &'a str,
    surface: &'a str,
    method: &'a str,
    path: Cow<'a, str>,
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
    caller: Option<&'a str>,
}

fn as_serde_writes(entry: &Entry) -> String {
    let time = SystemTime::UNIX_EPOCH + entry.time;
    let millis = |time: Duration| (time.as_micros() as f64) / 1e3;
    let shown = Shown {
        time: humantime::format_rfc3339_millis(time).to_string(),
        id: entry.id.map(|id| id.to_string()),
        upstream: entry.upstream(),
        surface: entry.surface,
        method: entry.method.as_str(),
        path: printable(str::from_utf8(&entry.path.0).unwrap()),
        status: entry.status.as_u16(),
        bytes: entry.bytes,
        duration_ms: millis(entry.duration),
        upstream_ms: entry.upstream_time.map(millis),
        replayed: entry.replayed,
        code: entry.code,
        key: entry.key.as_deref(),
        client: entry.client.as_deref().map(printable),
        caller: entry.caller.as_deref(),
    };
    serde_json::to_string(&shown).unwrap() + "\n"
}

/// Letters of all kinds, most of them such as must be escaped.
const TEXT: &str = "[a-z \"\\\\/\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}é\u{1f600}]{0,12}";

proptest! {
    #[test]
    fn a_line_of_json_is_what_serde_writes(
        target in TEXT,
        (upstream, key, client) in ("[a-z0-9-]{0,9}", "[a-z0-9-]{1,9}", TEXT),
        (millis, bytes, replayed) in (0..4_000_000_000_000_u64, any::<u64>(), any::<bool>()),
        (took, waited) in (0..1_u64 << 48, 0..100_000_u64),
        status in 100..1000_u16,
        caller in any::<std::net::SocketAddr>(),
    ) {
        let entry = Entry {
            time: Duration::from_millis(millis),
            id: Some(Ids::new().next()),
            upstream: Some(upstream.into()),
            path: target.as_str().into(),
            status: http::StatusCode::from_u16(status).unwrap(),
            bytes,
            duration: Duration::from_micros(took),
            upstream_time: Some(Duration::from_micros(waited)),
            replayed,
            code: Some("UA-0301"),
            key: Some(key.into()),
            client: Some(client.into()),
            caller: Some(caller.to_string().into()),
            ..entry("")
        };
        prop_assert_eq!(line(&entry, Format::Json), as_serde_writes(&entry));
    }
}
