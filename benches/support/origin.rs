//! A tiny origin that answers from memory, and a caller that waits for whole answers; neither knows more HTTP than the
//! benches need.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts the origin on a thread that lives as long as the process. It serves each connection on one more thread.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer_all(stream));
        }
    });
    addr
}

/// A caller's connection, kept alive.
pub struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    /// Connects.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends a request and reads the whole answer; gives its length.
    pub fn ask(&mut self, request: &[u8]) -> usize {
        self.stream.write_all(request).unwrap();
        self.buffer.clear();
        let mut piece = [0; 16 * 1024];
        while !is_whole(&self.buffer) {
            let length = self.stream.read(&mut piece).unwrap();
            assert!(length > 0, "closed early");
            self.buffer.extend(piece.iter().take(length));
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200 "), "not an answer");
        self.buffer.len()
    }
}

/// `GET path`.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").into_bytes()
}

fn answer_all(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let small = with_length(&"x".repeat(1024));
    let token = with_length(r#"{"access_token":"t","token_type":"bearer","expires_in":3598}"#);
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(32)
    );
    let mut buffer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => buffer.extend(piece.iter().take(length)),
        }
        if !is_whole(&buffer) {
            continue;
        }
        let answer = if buffer.starts_with(b"GET /chunked") {
            &chunked
        } else if buffer.starts_with(b"GET ") {
            &small
        } else {
            &token
        };
        buffer.clear();
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn with_length(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Whether this is a whole message: one is under way at a time.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = bytes.split_at(head + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
