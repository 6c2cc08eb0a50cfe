//! Bodies stream: a gibibyte each way costs the process next to no memory. Of what is not taken, little is held.

/// Frames of HTTP/2 without end.
mod frames;
/// Answers and uploads that are not taken.
mod unread;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::tls::Folder;
use crate::support::{Caller, Connection, Scripted, TestProxy};

const GIB: usize = 1 << 30;
const PIECE: usize = 256 * 1024;
const MOST_GROWTH_KIB: u64 = 32 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// `upauth run` as a process of its own.
struct Process {
    child: Child,
    addr: String,
}

impl Process {
    async fn start(config: &str, folder: &Folder) -> Self {
        let config = folder.write("proxy.toml", config);
        let mut child = Command::new(env!("CARGO_BIN_EXE_upauth"))
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it ended");
                if let Some((_, url)) = line.split_once("http://") {
                    return url.split('/').next().unwrap().to_owned();
                }
            }
        };
        let addr = timeout(PATIENCE, told).await.expect("it never said where");
        Self { child, addr }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.addr).await.unwrap()
    }

    /// The most memory it ever held, in KiB.
    fn peak(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Takes uploads of a gibibyte (or a byte), and sends downloads.
async fn serve(mut connection: Connection) {
    while let Some(seen) = connection.head().await {
        let size = if seen.target.ends_with("/gib") {
            GIB
        } else {
            1
        };
        if seen.method == "GET" {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
            connection.write(head).await;
            send(&mut connection.caller.stream, size, false).await;
        } else {
            let chunked = seen.header("transfer-encoding").is_some();
            let got = receive(&mut connection.caller, size, chunked).await;
            connection.reply("200 OK", "", &got.to_string()).await;
        }
    }
}

async fn send(stream: &mut TcpStream, size: usize, chunked: bool) {
    let piece = vec![b'x'; PIECE];
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE);
        if chunked {
            let head = format!("{now:x}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
        }
        stream.write_all(&piece[..now]).await.unwrap();
        if chunked {
            stream.write_all(b"\r\n").await.unwrap();
        }
        left -= now;
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
}

/// Counts the bytes of a body without looking at each; framing counts as well.
async fn receive(caller: &mut Caller, size: usize, chunked: bool) -> usize {
    let mut buffer = vec![0; PIECE];
    let first = caller.buffered();
    let mut end = first
        .iter()
        .rev()
        .take(5)
        .rev()
        .copied()
        .collect::<Vec<u8>>();
    let mut got = first.len();
    while if chunked {
        end != b"0\r\n\r\n"
    } else {
        got < size
    } {
        let read = caller.stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after {got} bytes");
        got += read;
        end.extend(&buffer[read.saturating_sub(5)..read]);
        end.drain(..end.len().saturating_sub(5));
    }
    got
}

async fn exchange(process: &Process, name: &str) {
    let size = if name == "gib" { GIB } else { 1 };
    let framings = [
        format!("POST /api/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"),
        format!(
            "POST /api/{name} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        ),
    ];
    for (head, chunked) in framings.into_iter().zip([false, true]) {
        let mut caller = Caller::over(process.connect().await);
        caller.write(head).await;
        send(&mut caller.stream, size, chunked).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().parse::<usize>().unwrap() >= size);
    }
    let mut caller = Caller::over(process.connect().await);
    caller
        .write(format!(
            "GET /api/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ))
        .await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(receive(&mut caller, size, false).await, size);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_each_way_costs_next_to_no_memory() {
    let api = Scripted::start(serve).await;
    let folder = Folder::new();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"\"\n[log]\naccess = \"off\"\n{}",
        api.upstream()
    );
    let process = Process::start(&config, &folder).await;
    exchange(&process, "byte").await;
    let before = process.peak();
    // Whatever it takes of a machine that has other work: nothing of this is optimized.
    let all = timeout(10 * PATIENCE, exchange(&process, "gib"));
    all.await.expect("a gibibyte takes too long");
    let grown = process.peak() - before;
    assert!(
        grown <= MOST_GROWTH_KIB,
        "grown by {grown} KiB from {before} KiB"
    );
}

/// What a request meets whose session is dead, while `other` is under way and may hold all memory for replays.
async fn replayed_beside(other: &[u8]) -> u16 {
    let end = Arc::new(Notify::new());
    let api = Scripted::start_with(&end, |mut connection, end| async move {
        let json = "Content-Type: application/json\r\n";
        while let Some(seen) = connection.head().await {
            if seen.target == "/other" {
                return end.notified().await;
            }
            let _ = connection.body(&seen).await;
            if seen.header("authorization") == Some("Bearer token-1") {
                let body = r#"{"message":"Authentication error"}"#;
                connection.reply("401 Unauthorized", json, body).await;
            } else {
                connection.reply("200 OK", json, "{}").await;
            }
        }
    })
    .await;
    let limits = "[server.limits]\nreplay_bytes = \"4KiB\"\nbuffer_bytes = \"4KiB\"\n";
    let proxy = TestProxy::start(&format!("{limits}{}", api.upstream()));
    let mut caller = proxy.caller().await;
    caller.write(other).await;
    api.saw(1).await;
    let answer = proxy.post("/api/x", vec![b'x'; 4096]).await;
    end.notify_one();
    answer.status
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_kept_for_a_replay_share_one_memory() {
    let head = "POST /api/other HTTP/1.1\r\nHost: localhost\r\n";
    let small = format!("{head}Content-Length: 1\r\n\r\nx");
    let whole = format!("{head}Content-Length: 4096\r\n\r\n{}", "x".repeat(4096));
    let begun = format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    for (other, status) in [(small, 401), (whole, 401), (begun, 401)] {
        assert_eq!(replayed_beside(other.as_bytes()).await, status, "{other}");
    }
    // What is too large to be kept holds none of it, declared or found out.
    let declared = format!("{head}Content-Length: 4097\r\n\r\nx");
    let found = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n1001\r\n{}\r\n",
        "x".repeat(4097)
    );
    for other in [
        String::from("GET /api/other HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        declared,
        found,
    ] {
        assert_eq!(replayed_beside(other.as_bytes()).await, 200, "{other:.80}");
    }
}
