//! Callers who write frames without end: the rows B7 to B10. The library ends such a connection, or it costs nobody but
//! the caller: what is looked at is that others are served meanwhile, and that no flood goes on for ever.

use tokio::time::timeout;

use crate::support::caller::PATIENCE;
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::{Scripted, TestProxy};

/// What is written in a round of a flood.
type Round = fn(u32) -> Vec<(u8, u8, u32, Vec<u8>)>;

const WHOLE: u8 = END_HEADERS | END_STREAM;
/// GET or POST, http, `/api/x`, `localhost` (RFC 7541 appendix A).
const GET: &[u8] = b"\x82\x86\x04\x06/api/x\x01\x09localhost";
const POST: &[u8] = b"\x83\x86\x04\x06/api/x\x01\x09localhost";

/// The stream of a round, if each round has one of its own.
fn own(round: u32) -> u32 {
    2 * round + 1
}

fn nothing(_: u32) -> Vec<(u8, u8, u32, Vec<u8>)> {
    Vec::new()
}

fn upload(_: u32) -> Vec<(u8, u8, u32, Vec<u8>)> {
    vec![(HEADERS, END_HEADERS, 1, POST.into())]
}

async fn write(caller: &mut Frames, frames: Vec<(u8, u8, u32, Vec<u8>)>) {
    for (kind, flags, id, payload) in frames {
        caller.frame(kind, flags, id, &payload).await;
    }
}

/// Why the proxy gives the connection up.
async fn given_up(caller: &mut Frames) -> Vec<u8> {
    loop {
        match caller.next().await {
            Some((GOAWAY, _, payload)) => return payload[4..8].to_vec(),
            Some(_) => {}
            None => return Vec::new(),
        }
    }
}

/// ENHANCE_YOUR_CALM (RFC 9113 section 7): it was the number, and nothing wrong in one of them.
const TOO_MUCH: [u8; 4] = [0, 0, 0, 11];

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_at_most_its_own_connection() {
    let api = Scripted::constant("fine").await;
    let proxy = TestProxy::start(&api.upstream());
    // The name, whether the connection must end by it, what comes first, and what comes then over and over.
    let floods: [(&str, bool, Round, Round); 11] = [
        ("B7 rapid resets", true, nothing, |n| {
            let cancel = vec![0, 0, 0, 8];
            vec![
                (HEADERS, WHOLE, own(n), GET.into()),
                (RST_STREAM, 0, own(n), cancel),
            ]
        }),
        ("B7 malformed heads", true, nothing, |n| {
            vec![(
                HEADERS,
                WHOLE,
                own(n),
                [GET, b"\0\x0aconnection\x05close"].concat(),
            )]
        }),
        ("B7 streams that are made to be reset", true, nothing, |n| {
            vec![
                (HEADERS, END_HEADERS, own(n), POST.into()),
                (WINDOW_UPDATE, 0, own(n), vec![0x7f, 255, 255, 255]),
            ]
        }),
        (
            "B8 a head without end",
            true,
            |_| vec![(HEADERS, 0, 1, GET.into())],
            |_| vec![(CONTINUATION, 0, 1, b"\0\x01a\x01b".repeat(100))],
        ),
        ("B9 empty pieces", true, upload, |_| {
            vec![(DATA, 0, 1, vec![])]
        }),
        ("B9 small pieces", true, upload, |_| {
            vec![(DATA, 0, 1, vec![b'x'])]
        }),
        ("B10 settings", false, nothing, |_| {
            vec![(SETTINGS, 0, 0, vec![0, 4, 0, 0, 255, 255])]
        }),
        ("B10 pings", false, nothing, |_| {
            vec![(PING, 0, 0, vec![0; 8])]
        }),
        ("B10 windows", false, nothing, |_| {
            vec![(WINDOW_UPDATE, 0, 0, vec![0, 0, 0, 1])]
        }),
        ("B10 priorities", false, nothing, |n| {
            vec![(PRIORITY, 0, own(n), vec![0, 0, 0, 0, 1])]
        }),
        ("B10 unknown frames", false, nothing, |_| {
            vec![(0xfa, 0, 0, vec![0; 8])]
        }),
    ];
    for (name, is_cut, first, round) in floods {
        let mut caller = Frames::connect(proxy.addr()).await;
        let flooding = async {
            write(&mut caller, first(0)).await;
            for number in 0..20_000 {
                write(&mut caller, round(number)).await;
            }
        };
        // Who is not read from any more waits, which is as good an end as any if there need be none.
        let most = if is_cut { PATIENCE } else { PATIENCE / 6 };
        let flooding = timeout(most, flooding);
        let beside = async {
            for _ in 0..20 {
                let answer = timeout(PATIENCE, proxy.get("/api/fine")).await;
                assert_eq!(answer.expect(name).text(), "fine", "{name}");
            }
        };
        let _ = tokio::join!(flooding, beside);
        if is_cut {
            let why = timeout(PATIENCE, given_up(&mut caller)).await;
            assert_eq!(why.expect(name), TOO_MUCH, "{name}");
        }
        assert_eq!(proxy.get("/api/fine").await.text(), "fine", "{name}");
    }
}
