//! One entry as a line of text or JSON: written straight into the lines that wait, since each request pays for it.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use super::Entry;
use crate::telemetry::{Format, printable};

/// Appends `entry` to `line`, newline included.
pub(super) fn write(line: &mut Vec<u8>, entry: &Entry, format: Format, stamp: &mut Stamp) {
    match format {
        Format::Text => text(line, entry, stamp),
        Format::Json => json(line, entry, stamp),
    }
    line.push(b'\n');
}

/// A member for each field; those that are not are left out.
fn json(line: &mut Vec<u8>, entry: &Entry, stamp: &mut Stamp) {
    put(line, r#"{"time":""#);
    stamp.put(line, entry.time);
    if let Some(id) = entry.id {
        put(line, r#"","id":""#);
        line.extend_from_slice(&id.letters());
    }
    put(line, r#"","upstream":""#);
    name(line, entry.upstream());
    put(line, r#"","surface":""#);
    name(line, entry.surface);
    put(line, r#"","method":""#);
    name(line, entry.method.as_str());
    put(line, r#"","path":"#);
    quoted(line, &entry.path.0);
    put(line, r#","status":"#);
    put(line, entry.status.as_str());
    put(line, r#","bytes":"#);
    number(line, entry.bytes);
    put(line, r#","duration_ms":"#);
    millis(line, entry.duration, ".0");
    if let Some(time) = entry.upstream_time {
        put(line, r#","upstream_ms":"#);
        millis(line, time, ".0");
    }
    if entry.replayed {
        put(line, r#","replayed":true"#);
    }
    if let Some(code) = entry.code {
        put(line, r#","code":""#);
        name(line, code);
        line.push(b'"');
    }
    if let Some(key) = &entry.key {
        put(line, r#","key":""#);
        name(line, key);
        line.push(b'"');
    }
    if let Some(client) = &entry.client {
        put(line, r#","client":"#);
        quoted(line, client.as_bytes());
    }
    if let Some(caller) = &entry.caller {
        put(line, r#","caller":""#);
        name(line, caller);
        line.push(b'"');
    }
    line.push(b'}');
}

/// Columns that are always there, then `name=value` for what is not.
fn text(line: &mut Vec<u8>, entry: &Entry, stamp: &mut Stamp) {
    stamp.put(line, entry.time);
    for known in [entry.upstream(), entry.surface, entry.method.as_str()] {
        line.push(b' ');
        name(line, if known.is_empty() { "-" } else { known });
    }
    line.push(b' ');
    match &*entry.path.0 {
        b"" => line.push(b'-'),
        path => column(line, path),
    }
    line.push(b' ');
    put(line, entry.status.as_str());
    line.push(b' ');
    number(line, entry.bytes);
    put(line, "B ");
    millis(line, entry.duration, "");
    put(line, "ms");
    if let Some(time) = entry.upstream_time {
        put(line, " upstream=");
        millis(line, time, "");
        put(line, "ms");
    }
    if entry.replayed {
        put(line, " replayed");
    }
    if let Some(code) = entry.code {
        put(line, " code=");
        name(line, code);
    }
    if let Some(id) = entry.id {
        put(line, " id=");
        line.extend_from_slice(&id.letters());
    }
    if let Some(key) = &entry.key {
        put(line, " key=");
        name(line, key);
    }
    if let Some(client) = &entry.client {
        put(line, " client=");
        column(line, client.as_bytes());
    }
    if let Some(caller) = &entry.caller {
        put(line, " caller=");
        name(line, caller);
    }
}

#[inline]
fn put(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

/// A name, a method, a code, an address: no letter of theirs means anything in a line.
fn name(line: &mut Vec<u8>, name: &str) {
    debug_assert!(name.bytes().all(|byte| is_plain(byte) && byte != b' '));
    put(line, name);
}

/// A JSON string, of whatever comes.
fn quoted(line: &mut Vec<u8>, text: &[u8]) {
    // To the end, whatever is found, since that is done with many bytes at a time.
    if text.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        line.push(b'"');
        line.extend_from_slice(text);
        line.push(b'"');
    } else {
        // Text that is written to memory cannot fail.
        let _ = serde_json::to_writer(line, &printable(&String::from_utf8_lossy(text)));
    }
}

/// One column of text, whatever comes.
fn column(line: &mut Vec<u8>, text: &[u8]) {
    // Spaces would make columns of their own.
    let plain = |byte| is_plain(byte) & (byte != b' ');
    if text.iter().fold(true, |all, byte| all & plain(*byte)) {
        line.extend_from_slice(text);
    } else {
        let text = String::from_utf8_lossy(text);
        put(line, &printable(&text).replace(' ', "\\u0020"));
    }
}

/// Stands in a line for itself, in JSON too.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\')
}

fn number(line: &mut Vec<u8>, number: u64) {
    let last = (number % 1000) as u32;
    match number {
        0..10 => line.push(digit(last)),
        10..100 => line.extend_from_slice(&[digit(last / 10), digit(last)]),
        100..1000 => line.extend_from_slice(&three(last)),
        _ => {
            self::number(line, number / 1000);
            line.extend_from_slice(&three(last));
        }
    }
}

/// The last three digits.
fn three(number: u32) -> [u8; 3] {
    [digit(number / 100), digit(number / 10), digit(number)]
}

/// The last digit.
fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

/// Milliseconds to the microsecond, without zeros at the end; after a whole number stands `whole`.
fn millis(line: &mut Vec<u8>, duration: Duration, whole: &str) {
    let micros = duration.as_secs().saturating_mul(1_000_000);
    let micros = micros.saturating_add(u64::from((duration.subsec_nanos() + 500) / 1000));
    number(line, micros / 1000);
    match three((micros % 1000) as u32) {
        [b'0', b'0', b'0'] => put(line, whole),
        [tenths, b'0', b'0'] => line.extend_from_slice(&[b'.', tenths]),
        [tenths, hundredths, b'0'] => line.extend_from_slice(&[b'.', tenths, hundredths]),
        [tenths, hundredths, last] => {
            line.extend_from_slice(&[b'.', tenths, hundredths, last]);
        }
    }
}

/// The second that was written last, as text: requests of one second share it.
#[derive(Default)]
pub(super) struct Stamp {
    second: Option<u64>,
    /// Up to the point behind the second.
    text: [u8; 20],
}

impl Stamp {
    /// `time` since the Unix epoch, to the millisecond, as RFC 3339 has it.
    fn put(&mut self, line: &mut Vec<u8>, time: Duration) {
        if self.second != Some(time.as_secs()) {
            self.second = Some(time.as_secs());
            let time = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + time);
            // The array takes what it has room for.
            let _ = write!(self.text.as_mut_slice(), "{time}");
        }
        line.extend_from_slice(&self.text);
        line.extend_from_slice(&three(time.subsec_millis()));
        line.push(b'Z');
    }
}

#[cfg(test)]
mod tests;
