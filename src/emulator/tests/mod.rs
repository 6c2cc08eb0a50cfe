//! The emulator against the wire facts: answers byte for byte, and every strictness with a wrong
//! client that is refused.
//!
//! The caller is written by hand over a socket, so that nothing between a test and the wire decides
//! what is sent.

mod api;
mod billing;
mod bulk;
mod facility;
mod generic;
mod grants;
mod login;
mod mail;
mod mail_accounts;
mod pricing;
mod signing;

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::salesforce::{CLIENT_ID, CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, USERNAME};
use super::{
    Canned, Dials, Emulator, Settings, keys, marketing_cloud, marketing_cloud_legacy, oauth2, zuora,
};

/// An answer as it came, with the chunks of its body put together.
struct Reply {
    status: u16,
    head: String,
    bytes: Vec<u8>,
}

impl Reply {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (candidate, value) = line.split_once(": ")?;
            candidate.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

async fn emulator() -> Emulator {
    Emulator::start(Settings::default()).await.unwrap()
}

/// Sends `line`, the right `Host`, `headers` (each ended by `\r\n`) and `body`.
async fn call(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Reply {
    let host = format!("Host: {to}\r\n{headers}");
    raw(to, line, &host, body).await
}

/// The same without a `Host` of its own.
async fn raw(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    read(&mut BufReader::new(stream)).await
}

async fn read(stream: &mut BufReader<TcpStream>) -> Reply {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    let status = head[9..12].parse().unwrap();
    let mut reply = Reply {
        status,
        head,
        bytes: Vec::new(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).await.unwrap();
            if length == 0 {
                return reply;
            }
            reply.bytes.extend_from_slice(&chunk[..length]);
        }
    }
    let length = reply
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    reply.bytes = vec![0; length];
    stream.read_exact(&mut reply.bytes).await.unwrap();
    reply
}

fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

async fn token_request(to: SocketAddr, body: &str) -> Reply {
    call(to, "POST /services/oauth2/token", FORM, body.as_bytes()).await
}

fn machine_form() -> String {
    form(&[
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ])
}

fn person_form() -> String {
    let password = format!("{PASSWORD}{SECURITY_TOKEN}");
    form(&[
        ("grant_type", "password"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("username", USERNAME),
        ("password", &password),
    ])
}

/// A fresh token of the run-as user.
async fn token(emulator: &Emulator) -> String {
    let reply = token_request(emulator.login(), &machine_form()).await;
    reply.field("access_token")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
