//! Hostile HTTP/2 callers, in front of upstreams that speak HTTP/1.1 and HTTP/2: the rows A14, A44 to A51, A22 to A27 and C1.

mod bodies;
mod floods;
mod heads;
mod hosts;

use super::capture::Capture;
use super::{Sent, counted, is_as};
use crate::support::TestProxy;
use crate::support::frames::{End, Frames};

type Fields<'a> = &'a [(&'a [u8], &'a [u8])];

/// What is said beside or instead of a plain request, its body if any, and what becomes of it. `None`: any refusal.
struct Row<'a> {
    name: &'a str,
    head: [&'a [u8]; 4],
    more: Fields<'a>,
    data: Option<&'a [u8]>,
    outcome: Result<Sent, Option<u16>>,
}

/// Method, scheme, authority, path.
const PLAIN: [&[u8]; 4] = [b"GET", b"http", b"localhost", b"/api/x"];
const POST: [&[u8]; 4] = [b"POST", b"http", b"localhost", b"/api/x"];

fn says<'a>(name: &'a str, more: Fields<'a>, outcome: Result<Sent, Option<u16>>) -> Row<'a> {
    Row {
        name,
        head: PLAIN,
        more,
        data: None,
        outcome,
    }
}

fn asks<'a>(name: &'a str, head: [&'a [u8]; 4], outcome: Result<Sent, Option<u16>>) -> Row<'a> {
    Row {
        name,
        head,
        more: &[],
        data: None,
        outcome,
    }
}

fn sends<'a>(
    name: &'a str,
    head: [&'a [u8]; 4],
    more: Fields<'a>,
    data: &'a [u8],
    outcome: Result<Sent, Option<u16>>,
) -> Row<'a> {
    Row {
        name,
        head,
        more,
        data: Some(data),
        outcome,
    }
}

/// Fires every row at a proxy in front of either upstream; tells of all that went wrong at once.
async fn fire(said: usize, rows: Vec<Row<'_>>) {
    counted(said, rows.len());
    let mut wrong = Vec::new();
    for api in Capture::both().await {
        let proxy = TestProxy::start(&api.upstream());
        for row in &rows {
            if let Err(why) = row.fire(&api, &proxy).await {
                wrong.push(format!("{}, over {}: {why}", row.name, api.speaks));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

impl Row<'_> {
    async fn fire(&self, api: &Capture, proxy: &TestProxy) -> Result<(), String> {
        let mut caller = Frames::connect(proxy.addr()).await;
        let names: [&[u8]; 4] = [b":method", b":scheme", b":authority", b":path"];
        let head = names
            .into_iter()
            .zip(self.head)
            .filter(|(_, value)| *value != ABSENT);
        let head: Vec<_> = head.chain(self.more.iter().copied()).collect();
        caller.headers(1, &head, self.data.is_none()).await;
        if let Some(data) = self.data {
            caller.data(1, data, true).await;
        }
        let end = caller.end(1).await;
        // One more of another caller: whatever the row sent upstream has arrived before it.
        assert_eq!(proxy.get("/api/probe").await.status, 200);
        let mut taken = api.take(self.name);
        taken.retain(|taken| !taken.is_probe());
        let is_fine = match &self.outcome {
            Ok(sent) => {
                let is_one = end == End::Status(200) && taken.len() == 1;
                is_one && is_as(&taken[0], self.head[0], sent)
            }
            Err(Some(status)) => end == End::Status(*status) && taken.is_empty(),
            Err(None) => end != End::Status(200) && taken.is_empty(),
        };
        match is_fine {
            true => Ok(()),
            false => Err(format!("{end:?}, upstream {taken:?}")),
        }
    }
}

/// Leaves a pseudo field out.
const ABSENT: &[u8] = b"\0absent";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_length_spoils_its_stream_and_no_other_of_its_connection() {
    let api = Capture::start().await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = Frames::connect(proxy.addr()).await;
    let plain: Fields<'_> = &[
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", b"/api/x"),
    ];
    let wrong: Vec<_> = plain
        .iter()
        .copied()
        .chain([(b"content-length".as_slice(), b"9".as_slice())])
        .collect();
    caller.headers(1, plain, false).await;
    caller.headers(3, &wrong, false).await;
    caller.data(3, b"hello", true).await;
    assert_eq!(caller.end(3).await, End::Reset);
    caller.data(1, b"fine", true).await;
    assert_eq!(caller.end(1).await, End::Status(200));
    let taken = api.take("A50");
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0].body, b"fine");
}
