//! Hostile upstreams: what a caller gets to see of their answers, and that the next request sees nothing of them. The
//! rows A42, A53 to A63, C17 and C31.

mod ends;
mod heads;
mod lengths;

use std::sync::Arc;

use crate::support::{Answer, Scripted, TestProxy};

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
    /// A good head and a body that breaks off.
    Cut,
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

async fn fire(rows: Vec<Row>) {
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
    let proxy = TestProxy::start(&format!("{}response_timeout = \"2s\"\n", api.upstream()));
    eprintln!("{} rows", rows.len());
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let mut caller = proxy.caller().await;
        let head = format!(
            "{} /api/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            row.method
        );
        caller.write(head).await;
        let answer = caller.answer(row.method == "HEAD").await;
        let used = api.seen().last().map(|seen| seen.connection);
        let probe = proxy.get("/api/probe").await;
        let again = api.seen().last().map(|seen| seen.connection);
        if let Err(why) = judge(row, &answer, used != again) {
            wrong.push(format!("{}: {why}: {answer:?}", row.name));
        }
        assert_eq!(
            (probe.status, probe.text().as_str()),
            (200, "probe"),
            "after {}",
            row.name
        );
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

fn judge(row: &Row, answer: &Result<Answer, String>, is_fresh: bool) -> Result<(), &'static str> {
    let Ok(answer) = answer else {
        return if matches!(row.gets, Cut) {
            Ok(())
        } else {
            Err("it broke off")
        };
    };
    let count = |name: &str| {
        let named = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        answer.headers.iter().filter(named).count()
    };
    let length = answer.header("content-length").unwrap_or("0");
    if count("content-length") + count("transfer-encoding") > 1
        || !length.bytes().all(|b| b.is_ascii_digit())
    {
        return Err("its framing is not plain");
    }
    if ["keep-alive", "upgrade", "trailer", "x-hop"]
        .into_iter()
        .any(|name| count(name) > 0)
    {
        return Err("a field of the hop before");
    }
    let text = answer.text();
    let says = |code| {
        answer
            .header("proxy-status")
            .is_some_and(|told| told.contains(code))
    };
    match row.gets {
        Whole(status, body) if (answer.status, text.as_str()) == (status, body) => Ok(()),
        Last(status, body) if (answer.status, text.as_str()) == (status, body) => match is_fresh {
            true => Ok(()),
            false => Err("its connection was used again"),
        },
        Refused if answer.status == 502 && says("UA-0403") => Ok(()),
        _ => Err("not as expected"),
    }
}
