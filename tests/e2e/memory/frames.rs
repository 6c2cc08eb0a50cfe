//! Frames of HTTP/2 without end, from callers who read nothing: the row B10. Nothing of them stays.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{PATIENCE, Process};
use crate::support::frames::{PING, PREFACE, PRIORITY, SETTINGS, WINDOW_UPDATE, frame};
use crate::support::tls::Folder;
use crate::support::{Caller, Scripted};

const CONNECTIONS: usize = 4;
/// What each writes, if it is taken: more than all sockets on the way hold.
const MUCH: usize = 16 << 20;
const MOST_GROWTH_KIB: u64 = 8 * 1024;

/// Writes a frame over and over to a connection that it does not read from. What was taken.
async fn flood(process: &Process, one: &[u8]) -> (TcpStream, usize) {
    let socket = TcpSocket::new_v4().unwrap();
    // The system would take answers for it.
    socket.set_recv_buffer_size(4096).unwrap();
    let addr = process.addr.parse().unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let first = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    stream.write_all(&first).await.unwrap();
    let piece = one.repeat(16 * 1024 / one.len());
    let mut taken = 0;
    // Who is not read from any more waits.
    while taken < MUCH
        && let Ok(Ok(())) = timeout(Duration::from_secs(1), stream.write_all(&piece)).await
    {
        taken += piece.len();
    }
    (stream, taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_without_end_whose_answers_nobody_reads_are_not_kept() {
    let api = Scripted::constant("fine").await;
    let folder = Folder::new();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"\"\n[log]\naccess = \"off\"\n{}",
        api.upstream()
    );
    let floods = [
        (
            "B10 settings",
            frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
        ),
        ("B10 pings", frame(PING, 0, 0, &[0; 8])),
        ("B10 windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("B10 priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("B10 unknown frames", frame(0xfa, 0, 0, &[0; 8])),
    ];
    for (name, one) in floods {
        let process = Process::start(&config, &folder).await;
        let served = async || {
            let mut caller = Caller::over(process.connect().await);
            let request = "GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n";
            caller.write(request).await;
            let answer = timeout(PATIENCE, caller.answer(false)).await;
            assert_eq!(answer.expect(name).unwrap().text(), "fine", "{name}");
        };
        served().await;
        let before = process.peak();
        let flooding = async {
            let floods = std::array::from_fn::<_, CONNECTIONS, _>(|_| flood(&process, &one));
            futures_util::future::join_all(floods).await
        };
        let beside = async {
            for _ in 0..20 {
                served().await;
            }
        };
        let (held, ()) = tokio::join!(flooding, beside);
        let grown = process.peak() - before;
        let taken: Vec<usize> = held.iter().map(|(_, taken)| *taken).collect();
        assert!(
            grown < MOST_GROWTH_KIB,
            "{name}: {grown} KiB for {taken:?} bytes"
        );
    }
}
