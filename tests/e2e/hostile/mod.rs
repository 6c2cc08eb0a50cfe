//! Hostile callers and hostile upstreams, as tables: bytes in, and what may become of them.
//!
//! Every row of a caller is sent over a socket of its own to the real product in front of a [`Capture`] that speaks HTTP/1.1, and
//! of one that speaks HTTP/2, which read strictly and tell whatever is not canonical. Nothing here is about load.

#![expect(clippy::too_many_lines, reason = "a table is as long as it is")]

mod answers;
mod capture;
mod fields;
mod framed;
mod framing;
mod h2;
mod heads;
mod planted;
mod spellings;
mod targets;
mod timing;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::capture::{Capture, Taken};
use crate::support::TestProxy;
use crate::support::caller::PATIENCE;

/// What a caller sends, and what becomes of it.
struct Row {
    name: String,
    bytes: Vec<u8>,
    outcome: Outcome,
}

/// What becomes of a request.
enum Outcome {
    /// Answered with this status by the proxy; nothing is sent upstream.
    Refused(u16),
    /// The same, and the connection ends with the answer: where the next request begins is not certain.
    Closed(u16),
    /// The connection ends without an answer, and nothing is sent upstream.
    Dropped,
    /// Sent upstream once.
    Once(Sent),
    /// The same, and the connection ends with the answer.
    Last(Sent),
}

/// What is sent upstream.
#[derive(Default)]
struct Sent {
    target: Vec<u8>,
    body: Vec<u8>,
    /// Of the caller's own.
    fields: Vec<(&'static str, &'static [u8])>,
}

use Outcome::{Closed, Dropped, Last, Once, Refused};

fn row(name: impl Into<String>, bytes: impl Into<Vec<u8>>, outcome: Outcome) -> Row {
    Row {
        name: name.into(),
        bytes: bytes.into(),
        outcome,
    }
}

/// `GET /api/x` with these lines, which need no CRLF at the end.
fn get(lines: &str) -> Vec<u8> {
    format!("GET /api/x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n").into()
}

/// `POST /api/x` with these lines and whatever follows the head.
fn post(lines: &str, rest: &str) -> Vec<u8> {
    format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{rest}").into()
}

/// `/x` with this body.
fn body(body: &str) -> Sent {
    Sent {
        target: b"/x".to_vec(),
        body: body.into(),
        fields: Vec::new(),
    }
}

/// This target, without a body.
fn target(target: impl Into<Vec<u8>>) -> Sent {
    Sent {
        target: target.into(),
        ..Sent::default()
    }
}

/// `/x` with these fields of the caller's own.
fn fields(fields: &[(&'static str, &'static [u8])]) -> Sent {
    Sent {
        fields: fields.to_vec(),
        ..body("")
    }
}

/// Holds a table to how many rows its test says that it has: `docs/reliability.md` has their sum.
fn counted(said: usize, rows: usize) {
    assert_eq!(rows, said, "rows: say it here and in docs/reliability.md");
    eprintln!("{rows} rows");
}

/// Fires every row at a proxy in front of either upstream; tells of all that went wrong at once.
async fn fire(said: usize, rows: Vec<Row>, more: &str) {
    counted(said, rows.len());
    let mut wrong = Vec::new();
    for api in Capture::both().await {
        let proxy = TestProxy::start(&format!("{}{more}", api.upstream()));
        for row in &rows {
            let answers = exchange(&proxy, row).await;
            if let Err(why) = judge(row, &answers, api.take(&row.name)) {
                let (name, over) = (&row.name, api.speaks);
                wrong.push(format!("{name}, over {over}: {why}; answered {answers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

/// Sends the row and, after the first answer, one plain request more. The statuses of all answers.
async fn exchange(proxy: &TestProxy, row: &Row) -> Vec<u16> {
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    // Who refuses early need not read to the end.
    let _ = stream.write_all(&row.bytes).await;
    let mut read = Vec::new();
    let whole = async {
        let mut asked = false;
        loop {
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if !asked && statuses(&read).iter().any(|status| *status >= 200) {
                asked = true;
                let _ = stream.write_all(PROBE).await;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, whole).await;
    assert!(ended.is_ok(), "{}: the connection hangs", row.name);
    statuses(&read)
}

fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let heads = text
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok());
    heads.filter(|status| *status != 100).collect()
}

fn judge(row: &Row, answers: &[u16], mut taken: Vec<Taken>) -> Result<(), String> {
    let probed = taken.pop_if(|last| last.is_probe()).is_some();
    let (status, sent, goes_on) = match &row.outcome {
        Dropped if answers.is_empty() && taken.is_empty() && !probed => return Ok(()),
        Dropped => return Err(format!("not dropped: {taken:?}")),
        Refused(status) => (*status, None, None),
        Closed(status) => (*status, None, Some(false)),
        Once(sent) => (200, Some(sent), Some(true)),
        Last(sent) => (200, Some(sent), Some(false)),
    };
    if answers.first() != Some(&status) {
        return Err(format!("not answered with {status}"));
    }
    let expected: &[u16] = if probed { &[200] } else { &[] };
    if answers[1..] != *expected {
        return Err(format!(
            "the probe was not answered as it arrived: {taken:?}"
        ));
    }
    if goes_on.is_some_and(|goes_on| goes_on != probed) {
        return Err(format!("that the connection goes on is {probed}"));
    }
    match (sent, taken.as_slice()) {
        (None, []) => Ok(()),
        (None, _) => Err(format!("sent upstream: {taken:?}")),
        (Some(sent), [taken]) if is_as(taken, row.method(), sent) => Ok(()),
        (Some(_), _) => Err(format!("not the one request that was asked for: {taken:?}")),
    }
}

impl Row {
    /// What is asked with is asked for, whatever stands around it.
    fn method(&self) -> &[u8] {
        let line = self.bytes.trim_ascii_start();
        line.split(|byte| *byte == b' ').next().unwrap()
    }
}

/// Whether this arrived upstream of that request.
fn is_as(taken: &Taken, method: &[u8], sent: &Sent) -> bool {
    let own = taken.own_fields();
    let mut own: Vec<(&str, &[u8])> = own.iter().map(|(n, v)| (&**n, &**v)).collect();
    // The order of different fields means nothing (RFC 9110 section 5.3).
    own.sort_by_key(|(name, _)| *name);
    let is_asked = taken.method.as_bytes() == method && taken.target == sent.target;
    is_asked && taken.body == sent.body && own == sent.fields
}

/// Asked on the connection of a row after its answer.
const PROBE: &[u8] = b"GET /api/probe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A request that would be a second one if the framing were read otherwise.
const HIDDEN: &str = "GET /api/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
