//! Upstreams that reset the connection (RST, not FIN) in each phase of an exchange: the rows A55 and A67.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{counted, is_hung_up};
use crate::support::{Caller, Scripted, Seen, TestProxy};

/// What an upstream says before it resets the connection.
struct Reset {
    name: &'static str,
    says: &'static str,
}

impl Reset {
    /// The caller has a good head already: only the body can break off.
    fn has_head(&self) -> bool {
        self.says.contains("\r\n\r\n")
    }
}

fn reset(name: &'static str, says: &'static str) -> Reset {
    Reset { name, says }
}

fn sent(api: &Scripted, target: &str) -> Vec<Seen> {
    let seen = api.seen().into_iter();
    seen.filter(|seen| seen.target == target).collect()
}

/// An upstream of which the request `/NUMBER/...` is reset by that row, the first time. Before it resets what has a
/// head it waits until the caller has that head.
async fn resetting(rows: &Arc<Vec<Reset>>, there: &Arc<Notify>) -> Scripted {
    let shared = (rows.clone(), there.clone());
    Scripted::start_with(&shared, |mut connection, (rows, there)| async move {
        while let Some(seen) = connection.request().await {
            let row = seen.target[1..].split('/').next().unwrap();
            match row.parse::<usize>() {
                Ok(row) if connection.number_of(&seen.target) == 1 => {
                    connection.write(rows[row].says).await;
                    if rows[row].has_head() {
                        there.notified().await;
                    }
                    return connection.reset();
                }
                Ok(_) => {
                    return connection
                        .reply("200 OK", "Connection: close\r\n", "again")
                        .await;
                }
                Err(_) => connection.reply("200 OK", "", "warm").await,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_a_coded_502_or_a_cut_answer_and_sends_no_post_twice() {
    let rows = Arc::new(vec![
        reset("A67 reset before the head", ""),
        reset("A67 reset in the first line", "HTTP/1.1 2"),
        reset("A67 reset in the head", "HTTP/1.1 200 OK\r\nContent-Le"),
        reset(
            "A67 reset behind an interim head",
            "HTTP/1.1 103 Early Hints\r\n",
        ),
        reset(
            "A55 reset right behind the head",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        ),
        reset(
            "A55 reset within a known length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        ),
        reset(
            "A55 reset before the first chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        reset(
            "A55 reset within a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ),
        reset(
            "A55 reset between two chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        reset(
            "A55 reset in the last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ),
        reset(
            "A55 reset of one as long as its connection",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ),
    ]);
    let there = Arc::new(Notify::new());
    let api = resetting(&rows, &there).await;
    let proxy = TestProxy::start(&api.upstream());
    counted(44, rows.len() * 4);
    for (number, row) in rows.iter().enumerate() {
        for (method, is_used) in [
            ("GET", false),
            ("GET", true),
            ("POST", false),
            ("POST", true),
        ] {
            let case = format!("{}, {method}, on a used connection: {is_used}", row.name);
            if is_used {
                assert_eq!(proxy.get("/api/warm").await.text(), "warm");
            }
            let target = format!("/{number}/{method}/{is_used}");
            let mut caller = proxy.caller().await;
            let head = format!("{method} /api{target} HTTP/1.1\r\nHost: localhost\r\n");
            caller
                .write(format!("{head}Content-Length: 0\r\n\r\n"))
                .await;
            judge(&mut caller, row, method == "GET" && is_used, &there, &case).await;
            let sent = sent(&api, &target);
            let sends = if method == "GET" && is_used && !row.has_head() {
                2
            } else {
                1
            };
            assert_eq!(sent.len(), sends, "{case}");
            let warm = api.seen().into_iter().rfind(|seen| seen.target == "/warm");
            let warm = warm.map(|warm| warm.connection);
            assert_eq!(warm == Some(sent[0].connection), is_used, "{case}");
        }
    }
}

/// What the caller gets of a row whose request may be sent again, or may not.
async fn judge(caller: &mut Caller, row: &Reset, again: bool, there: &Notify, case: &str) {
    let head = caller.head().await;
    let head = head.unwrap_or_else(|why| panic!("{case}: {why}"));
    if row.has_head() {
        assert_eq!(head.status, 200, "{case}");
        there.notify_one();
        let end = caller.rest_of(head, false).await;
        assert!(
            end.as_ref().is_err_and(|why| is_hung_up(why)),
            "{case}: {end:?}"
        );
        return;
    }
    let answer = caller.rest_of(head, false).await.unwrap();
    match again {
        true => assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "again"),
            "{case}"
        ),
        false => assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "UA-0403"),
            "{case}"
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_within_an_upload_is_a_coded_502_and_the_upload_is_not_sent_again() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.head().await {
            if seen.target == "/warm" {
                connection.reply("200 OK", "", "warm").await;
                continue;
            }
            connection.caller.exactly(1).await.unwrap();
            return connection.reset();
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for is_used in [false, true] {
        for length in ["Content-Length: 9000000", "Transfer-Encoding: chunked"] {
            if is_used {
                assert_eq!(proxy.get("/api/warm").await.text(), "warm");
            }
            let before = sent(&api, "/up").len();
            let mut caller = proxy.caller().await;
            let head = format!("POST /api/up HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n");
            caller.write(head).await;
            caller.piece("some of it").await;
            let answer = caller.answer(false).await.unwrap();
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (502, "UA-0403"),
                "{length}"
            );
            assert_eq!(sent(&api, "/up").len(), before + 1, "{length}");
        }
    }
}
