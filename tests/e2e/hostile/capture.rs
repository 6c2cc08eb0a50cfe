//! Upstreams that read strictly: whatever is not canonical HTTP/1.1, or a request over HTTP/2 (`framed.rs`), is a fault, which
//! the next look at it tells.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::framed;
use crate::support::Framed;

/// The server, which ends with the test's runtime.
pub struct Capture {
    pub speaks: &'static str,
    /// What it is called: the one Host that may come.
    pub authority: String,
    upstream: String,
    shared: Kept,
    /// Has the login and the certificate of who speaks HTTP/2.
    _framed: Option<Framed>,
}

pub(super) type Kept = Arc<Mutex<Shared>>;

#[derive(Default)]
pub(super) struct Shared {
    requests: Vec<Taken>,
    faults: Vec<String>,
}

/// A whole request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub method: String,
    pub target: Vec<u8>,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Capture {
    /// One that speaks HTTP/1.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let shared = Kept::default();
        let (seen, own) = (shared.clone(), authority.clone());
        tokio::task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn(serve(stream, own.clone(), seen.clone()));
            }
        });
        let upstream = format!(
            "[upstream.api]\nprovider = \"zuora\"\nlogin_url = \"http://{authority}\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n"
        );
        Self {
            speaks: "HTTP/1.1",
            authority,
            upstream,
            shared,
            _framed: None,
        }
    }

    /// One that speaks HTTP/2.
    pub async fn framed() -> Self {
        let shared = Kept::default();
        let api = framed::start(&shared).await;
        Self {
            speaks: "HTTP/2",
            authority: format!("localhost:{}", api.port),
            upstream: api.upstream("http2 = true"),
            shared,
            _framed: Some(api),
        }
    }

    /// Whatever callers send comes to both in the same way.
    pub async fn both() -> [Self; 2] {
        [Self::start().await, Self::framed().await]
    }

    /// The `[upstream.api]` that stands for this server.
    pub fn upstream(&self) -> String {
        self.upstream.clone()
    }

    /// What came since the last look.
    pub fn take(&self, row: &str) -> Vec<Taken> {
        let (requests, faults) = self.shared.lock().unwrap().take();
        assert!(faults.is_empty(), "{row}: {faults:?}");
        requests
    }

    /// What was wrong with all that came since it was asked for last.
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().faults)
    }
}

impl Shared {
    /// Keeps a request that came to this authority.
    pub(super) fn keep(&mut self, taken: Taken, authority: &str) {
        self.faults.extend(faults(&taken, authority));
        self.requests.push(taken);
    }

    /// What came since the last look, and what was wrong with it.
    pub(super) fn take(&mut self) -> (Vec<Taken>, Vec<String>) {
        let Self { requests, faults } = std::mem::take(self);
        (requests, faults)
    }

    pub(super) fn tell(&mut self, fault: String) {
        self.faults.push(fault);
    }
}

impl Taken {
    /// What the proxy lets through of the caller's own fields: the rest is told by [`faults`].
    pub fn own_fields(&self) -> Vec<(String, Vec<u8>)> {
        let ours = ["host", "authorization", "via", "zuora-track-id"];
        let mut fields = self.fields.clone();
        fields.retain(|(name, _)| !ours.contains(&name.as_str()) && !FRAMING.contains(&&**name));
        fields
    }

    /// Whether this is what [`super::PROBE`] asks for, and no byte of another request with it.
    pub fn is_probe(&self) -> bool {
        self.method == "GET" && self.target == b"/probe" && self.body.is_empty()
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(own, _)| own == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

async fn serve(mut stream: TcpStream, authority: String, shared: Kept) {
    let mut buffer = Vec::new();
    loop {
        let taken = match parse(&buffer) {
            Ok(Some((taken, length))) => {
                if length != buffer.len() {
                    let rest = buffer[length..].escape_ascii().to_string();
                    let fault = format!("left over behind a request: {rest}");
                    shared.lock().unwrap().tell(fault);
                }
                taken
            }
            Ok(None) => match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            },
            Err(fault) => {
                let told = format!("{fault}: {}", buffer.escape_ascii());
                return shared.lock().unwrap().tell(told);
            }
        };
        buffer.clear();
        let body = if taken.target == b"/oauth/token" && taken.values("via").is_empty() {
            r#"{"access_token":"token-1","token_type":"bearer","expires_in":3598}"#
        } else {
            shared.lock().unwrap().keep(taken, &authority);
            "ok"
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What a request that left the proxy may never be.
fn faults(taken: &Taken, authority: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |is_so: bool, what: &str| {
        if !is_so {
            faults.push(format!("{what}: {taken:?}"));
        }
    };
    expect(
        taken.values("host") == [authority.as_bytes()],
        "exactly one Host, ours",
    );
    expect(
        taken.values("authorization") == [b"Bearer token-1"],
        "exactly one credential, ours",
    );
    expect(taken.values("via").len() == 1, "exactly one Via");
    let framing: usize = FRAMING.iter().map(|name| taken.values(name).len()).sum();
    expect(framing <= 1, "at most one framing field");
    for name in NEVER {
        expect(taken.values(name).is_empty(), name);
    }
    faults
}

/// A whole request at the beginning of `bytes`, with its length; `None`: more must come.
fn parse(bytes: &[u8]) -> Result<Option<(Taken, usize)>, &'static str> {
    // What is written late, behind an answer, would else be taken for the beginning of the next request.
    if !METHODS.iter().any(|method| begins(bytes, method)) {
        return Err("no method that is passed on");
    }
    let Some(end) = position(bytes, b"\r\n\r\n") else {
        // Whoever took it for the end of a line would have a whole head already.
        let is_bare = |at: usize| at == 0 || bytes[at - 1] != b'\r';
        let mut ends = (0..bytes.len()).filter(|at| bytes[*at] == b'\n');
        return match ends.any(is_bare) {
            true => Err("a bare LF"),
            false => Ok(None),
        };
    };
    let mut lines = split(&bytes[..end]).into_iter();
    let line = lines.next().ok_or("no request line")?;
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = words[..] else {
        return Err("the request line is odd");
    };
    if !target.starts_with(b"/") || line.iter().any(u8::is_ascii_control) {
        return Err("the target is odd");
    }
    let mut taken = Taken {
        method: String::from_utf8_lossy(method).into_owned(),
        target: target.to_vec(),
        ..Taken::default()
    };
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.ok_or("a line without a colon")?);
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_value = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
        if name.is_empty() || !name.iter().all(is_name) || !value.iter().all(is_value) {
            return Err("a field is odd");
        }
        let value = value[1..].strip_prefix(b" ").unwrap_or(&value[1..]);
        if value.trim_ascii() != value {
            return Err("blanks around a value");
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        taken.fields.push((name, value.to_vec()));
    }
    let from = end + 4;
    let length = if taken.values("transfer-encoding").is_empty() {
        let length = taken.values("content-length").first().copied();
        let length = std::str::from_utf8(length.unwrap_or(b"0")).unwrap_or("");
        // Rust would read a sign as well.
        let is_plain = length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse::<usize>().ok().filter(|_| is_plain);
        let length = length.ok_or("an odd length")?;
        let Some(body) = bytes.get(from..from + length) else {
            return Ok(None);
        };
        taken.body = body.to_vec();
        length
    } else if let Some((body, length)) = chunks(&bytes[from..])? {
        taken.body = body;
        length
    } else {
        return Ok(None);
    };
    Ok(Some((taken, from + length)))
}

/// Whether the bytes, of which more may come, begin with this word and a blank.
fn begins(bytes: &[u8], word: &str) -> bool {
    let mut word = word.bytes().chain([b' ']);
    bytes
        .iter()
        .all(|byte| word.next().is_none_or(|other| other == *byte))
}

fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, &'static str> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = position(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).unwrap_or("");
        if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("a chunk size is odd");
        }
        let size = usize::from_str_radix(size, 16).map_err(|_| "a chunk size is odd")?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err("a chunk or the trailers do not end");
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn split(head: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut rest) = (Vec::new(), head);
    while let Some(at) = position(rest, b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    lines
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// Fields of one connection, of the caller's side, and credentials that are not ours.
const NEVER: [&str; 21] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "referer",
    "origin",
    "x-original-url",
    "x-sfdc-session",
    "authorization_",
    "x_forwarded_for",
];
