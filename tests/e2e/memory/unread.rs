//! What is not taken is not held: answers whose callers read nothing, uploads that wait for an upstream, the rows B5 and B11.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{PATIENCE, Process};
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, WINDOW_UPDATE, frame,
};
use crate::support::tls::Folder;
use crate::support::{Caller, Connection, Scripted};

const STREAMS: u32 = 100;
const OTHERS: usize = 20;
/// What one answer may hold that nobody reads, in KiB: what was read of the upstream at once, and what waits for the caller.
const MOST_PER_ANSWER: u64 = 320;
/// What the uploads of a connection may hold, in KiB: its window of a MiB, and as much for each of its requests that waits.
const MOST_PER_CONNECTION: u64 = 1024 + 100 * 24;

/// Sends a body of 100 MB as far as it is taken, and counts; answers other requests.
async fn serve(mut connection: Connection, sent: Arc<AtomicUsize>) {
    while let Some(seen) = connection.head().await {
        if seen.target != "/large" {
            connection.reply("200 OK", "", "fine").await;
            continue;
        }
        connection
            .write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            .await;
        let piece = [b'x'; 10_000];
        let stream = &mut connection.caller.stream;
        for _ in 0..10_000 {
            if stream.write_all(&piece).await.is_err() {
                return;
            }
            sent.fetch_add(piece.len(), Ordering::SeqCst);
        }
    }
}

/// A proxy with one worker and an upstream `api` that takes so many requests at once; `calm` is the same server, with
/// connections of its own.
async fn start(api: &Scripted, connections: usize, folder: &Folder) -> Process {
    crate::support::open_files::as_many_as_there_may_be();
    let upstream = api.upstream();
    let calm = upstream.replace("[upstream.api]", "[upstream.calm]");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"\"\n[log]\naccess = \"off\"\n\
         {upstream}connections = {connections}\n{calm}"
    );
    Process::start(&config, folder).await
}

/// A request of HTTP/1.1.
async fn get(process: &Process, target: &str) -> Caller<TcpStream> {
    let mut caller = Caller::over(process.connect().await);
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    caller.write(head).await;
    caller
}

async fn others_are_served(process: &Process) {
    for _ in 0..OTHERS {
        let mut caller = get(process, "/calm/x").await;
        let answer = timeout(PATIENCE, caller.answer(false)).await;
        assert_eq!(answer.expect("others wait").unwrap().text(), "fine");
    }
}

/// `POST` or `GET`, http, `localhost` (RFC 7541 appendix A).
fn head(method: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let path = [&[0x04, length], path.as_bytes()].concat();
    [&[method, 0x86], &*path, b"\x01\x09localhost"].concat()
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

/// A connection of HTTP/2 whose callers take 2 GiB of each answer and of all of them, if the socket does.
async fn open(process: &Process) -> TcpStream {
    let window = 0x7fff_ffff_u32;
    let all = (window - 65_535).to_be_bytes();
    let each = [&[0, 4], window.to_be_bytes().as_slice()].concat();
    let first = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &each),
        frame(WINDOW_UPDATE, 0, 0, &all),
    ];
    let mut stream = process.connect().await;
    stream.write_all(&first.concat()).await.unwrap();
    stream
}

/// Waits until nothing more is counted.
async fn settled(count: &AtomicUsize) {
    let settled = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = count.load(Ordering::SeqCst);
            if now == before && now > 0 {
                return;
            }
            before = now;
        }
    };
    timeout(PATIENCE, settled).await.expect("it goes on and on");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_hold_little_each_and_others_are_served() {
    let answers = 500;
    for name in ["B5 HTTP/1.1", "B11 HTTP/2"] {
        let sent = Arc::default();
        let api = Scripted::start_with(&sent, serve).await;
        let folder = Folder::new();
        let process = start(&api, 500, &folder).await;
        others_are_served(&process).await;
        let before = process.peak();
        let mut unread = Vec::new();
        if name.ends_with('1') {
            for _ in 0..answers {
                unread.push(get(&process, "/api/large").await.stream);
            }
        } else {
            for _ in 0..answers / STREAMS as usize {
                let mut stream = open(&process).await;
                for id in (1..2 * STREAMS).step_by(2) {
                    let whole = END_HEADERS | END_STREAM;
                    let request = frame(HEADERS, whole, id, &head(GET, "/api/large"));
                    stream.write_all(&request).await.unwrap();
                }
                unread.push(stream);
            }
        }
        api.saw(OTHERS + answers).await;
        settled(&sent).await;
        others_are_served(&process).await;
        let grown = process.peak() - before;
        assert!(
            grown < answers as u64 * MOST_PER_ANSWER,
            "{name}: {grown} KiB"
        );
    }
}

/// Sends uploads on all streams as far as there is room, until there is none for a while. What was sent.
async fn fill(stream: &mut TcpStream) -> usize {
    let mut rooms = [65_535_usize; 2 * STREAMS as usize];
    let (mut buffer, mut sent) = (Vec::new(), 0);
    loop {
        // The first MiB is the connection's window, which is there.
        let pause = match sent < 1 << 20 {
            true => PATIENCE,
            false => Duration::from_secs(1),
        };
        let Ok(Ok(1..)) = timeout(pause, stream.read_buf(&mut buffer)).await else {
            return sent;
        };
        while let [a, b, c, kind, _, _, _, _, on, ..] = buffer[..] {
            let end = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
            if buffer.len() < end {
                break;
            }
            if kind == WINDOW_UPDATE {
                let more = u32::from_be_bytes(buffer[9..13].try_into().unwrap());
                rooms[usize::from(on)] += more as usize;
            }
            buffer.drain(..end);
        }
        for id in (1..rooms.len()).step_by(2) {
            loop {
                let part = rooms[0].min(rooms[id]).min(16 * 1024);
                if part == 0 {
                    break;
                }
                let data = frame(DATA, 0, u32::try_from(id).unwrap(), &vec![b'x'; part]);
                stream.write_all(&data).await.unwrap();
                rooms[0] -= part;
                rooms[id] -= part;
                sent += part;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_wait_hold_no_more_than_a_window_for_each_connection() {
    let sent = Arc::default();
    let api = Scripted::start_with(&sent, serve).await;
    let folder = Folder::new();
    let process = start(&api, 1, &folder).await;
    others_are_served(&process).await;
    // All that the upstream takes at once.
    let _first = get(&process, "/api/large").await;
    settled(&sent).await;
    let before = process.peak();
    let mut waiting = tokio::task::JoinSet::new();
    let connections = 20;
    for _ in 0..connections {
        let mut stream = process.connect().await;
        waiting.spawn(async move {
            let first = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
            stream.write_all(&first).await.unwrap();
            for id in (1..2 * STREAMS).step_by(2) {
                let request = frame(HEADERS, END_HEADERS, id, &head(POST, "/api/x"));
                stream.write_all(&request).await.unwrap();
            }
            let sent = fill(&mut stream).await;
            (stream, sent)
        });
    }
    let filled = waiting.join_all().await;
    others_are_served(&process).await;
    let sent: usize = filled.iter().map(|(_, sent)| sent).sum();
    let grown = process.peak() - before;
    assert!(
        sent > connections as usize * 1_000_000,
        "{sent} bytes are no flood"
    );
    assert!(grown < connections * MOST_PER_CONNECTION, "{grown} KiB");
}
