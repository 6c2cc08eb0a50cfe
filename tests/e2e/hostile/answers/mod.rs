//! Hostile upstreams: what a caller gets to see of their answers, and that the next request sees nothing of them. The
//! rows A42, A53 to A63, C17 and C31.

mod ends;
mod heads;
mod lengths;
mod resets;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::counted;
use crate::support::{Answer, Caller, Scripted, TestProxy};

/// The bytes of an answer, and what the caller gets.
struct Row {
    name: &'static str,
    method: &'static str,
    bytes: Vec<u8>,
    /// The upstream keeps the connection open behind the bytes.
    stays: bool,
    gets: Gets,
}

enum Gets {
    /// A whole answer; the connection may be used again.
    Whole(u16, &'static str),
    /// A whole answer, and the connection is not used again: nobody knows what else comes on it.
    Last(u16, &'static str),
    /// An answer of the proxy's own.
    Refused,
    /// The head and this much of the body, which breaks off with its connection.
    Cut(&'static str),
}

use Gets::{Cut, Last, Refused, Whole};

fn row(name: &'static str, bytes: impl Into<Vec<u8>>, gets: Gets) -> Row {
    Row {
        name,
        method: "GET",
        bytes: bytes.into(),
        stays: true,
        gets,
    }
}

fn to_head(name: &'static str, bytes: impl Into<Vec<u8>>, gets: Gets) -> Row {
    Row {
        method: "HEAD",
        ..row(name, bytes, gets)
    }
}

/// The upstream closes behind the bytes.
fn closed(name: &'static str, bytes: impl Into<Vec<u8>>, gets: Gets) -> Row {
    Row {
        stays: false,
        ..row(name, bytes, gets)
    }
}

/// An answer of 200 with these lines and whatever follows.
fn ok(lines: &str, rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}").into()
}

/// What would be the next answer.
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

async fn fire(said: usize, rows: Vec<Row>) {
    let rows = Arc::new(rows);
    let table = rows.clone();
    let api = Scripted::start(move |mut connection| {
        let rows = table.clone();
        async move {
            while let Some(seen) = connection.request().await {
                let Ok(number) = seen.target[1..].parse::<usize>() else {
                    connection.reply("200 OK", "", "probe").await;
                    continue;
                };
                connection.write(&rows[number].bytes).await;
                if !rows[number].stays {
                    break;
                }
            }
        }
    })
    .await;
    // Longer than the caller is patient: what is refused or cut is so for what it says, not for its silence.
    let proxy = TestProxy::start(&format!("{}response_timeout = \"90s\"\n", api.upstream()));
    counted(said, rows.len());
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let mut caller = proxy.caller().await;
        let head = format!(
            "{} /api/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            row.method
        );
        caller.write(head).await;
        let mut came = caller.head().await;
        let whole = match &mut came {
            Ok(answer) => caller.read_body(answer, row.method == "HEAD").await,
            Err(why) => Err(why.clone()),
        };
        let used = api.seen().last().map(|seen| seen.connection);
        let probe = match &whole {
            Ok(()) => last_of(&mut caller).await,
            Err(_) => last_of(&mut proxy.caller().await).await,
        };
        let again = api.seen().last().map(|seen| seen.connection);
        if let Err(why) = judge(row, &came, &whole, used != again).and(probe) {
            wrong.push(format!("{}: {why}: {whole:?}: {came:?}", row.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

/// Asks once more on this connection, where whatever is left over of the answer before would be in the way, and expects
/// nothing behind that.
async fn last_of<S>(caller: &mut Caller<S>) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let left_over = caller.buffered();
    if !left_over.is_empty() {
        return Err(format!("left over: {}", left_over.escape_ascii()));
    }
    let probe = "GET /api/probe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    caller.write(probe).await;
    let next = caller.answer(false).await?;
    if (next.version.as_str(), next.status, next.text().as_str()) != ("HTTP/1.1", 200, "probe") {
        return Err(format!("not the next answer: {next:?}"));
    }
    match caller.exactly(1).await {
        Err(why) if is_hung_up(&why) => Ok(()),
        other => Err(format!("behind the last answer: {other:?}")),
    }
}

/// Whether the proxy ended the connection within what it was sending, not the caller's patience.
fn is_hung_up(why: &str) -> bool {
    why.starts_with("closed after") || why.contains("reset by peer")
}

fn judge(
    row: &Row,
    came: &Result<Answer, String>,
    whole: &Result<(), String>,
    is_fresh: bool,
) -> Result<(), String> {
    let answer = came.as_ref().map_err(|_| "no head".to_owned())?;
    let count = |name: &str| {
        let named = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        answer.headers.iter().filter(named).count()
    };
    let length = answer.header("content-length").unwrap_or("0");
    if count("content-length") + count("transfer-encoding") > 1
        || !length.bytes().all(|b| b.is_ascii_digit())
    {
        return Err("its framing is not plain".to_owned());
    }
    if ["keep-alive", "upgrade", "trailer", "x-hop"]
        .into_iter()
        .any(|name| count(name) > 0)
    {
        return Err("a field of the hop before".to_owned());
    }
    let text = answer.text();
    let says = |code| {
        answer
            .header("proxy-status")
            .is_some_and(|told| told.contains(code))
    };
    if let Err(why) = whole {
        return match row.gets {
            Cut(body) if (answer.status, text.as_str()) == (200, body) && is_hung_up(why) => Ok(()),
            _ => Err("it broke off".to_owned()),
        };
    }
    match row.gets {
        Whole(status, body) if (answer.status, text.as_str()) == (status, body) => Ok(()),
        Last(status, body) if (answer.status, text.as_str()) == (status, body) => match is_fresh {
            true => Ok(()),
            false => Err("its connection was used again".to_owned()),
        },
        Refused if answer.status == 502 && says("UA-0403") => Ok(()),
        _ => Err("not as expected".to_owned()),
    }
}

#[tokio::test]
async fn what_may_not_stand_behind_an_answer_is_found_when_it_is_planted() {
    let te = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let probe = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe";
    let rows = [
        (format!("{te}\r\n"), "", true),
        (length.to_owned(), "", true),
        (format!("{te}X-A: 1\r\n\r\n"), "", false),
        (format!("{te}\n"), "", false),
        (format!("{te}\r\n\r\n"), "", false),
        (format!("{length}\n"), "", false),
        (format!("{length}{POISON}"), "", false),
        (length.to_owned(), "\n", false),
        (length.to_owned(), POISON, false),
    ];
    for (first, last, is_good) in rows {
        let (ours, mut other) = tokio::io::duplex(4096);
        other.write_all(first.as_bytes()).await.unwrap();
        let mut caller = Caller::over(ours);
        let told = async {
            caller.answer(false).await?;
            last_of(&mut caller).await
        };
        // What is asked for comes when it is.
        let rest = async {
            let rest = format!("{probe}{last}");
            other.write_all(rest.as_bytes()).await.unwrap();
            other.shutdown().await.unwrap();
        };
        let (told, ()) = tokio::join!(biased; told, rest);
        assert_eq!(told.is_ok(), is_good, "{first:?} {last:?}: {told:?}");
    }
}

#[test]
fn only_an_answer_that_is_hung_up_on_counts_as_cut() {
    let cut = row("cut", "", Cut(""));
    let head = Answer {
        version: "HTTP/1.1".to_owned(),
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
    };
    for (why, is_cut) in [
        ("closed after 3 of 5 bytes", true),
        ("Connection reset by peer (os error 104)", true),
        ("nothing came", false),
        ("odd chunk size \"0x5\\r\\n\"", false),
        ("behind a chunk: X-", false),
    ] {
        let told = judge(&cut, &Ok(head.clone()), &Err(why.to_owned()), true);
        assert_eq!(told.is_ok(), is_cut, "{why}");
    }
}
