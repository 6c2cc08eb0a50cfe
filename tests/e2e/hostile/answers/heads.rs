//! Odd heads of answers: the rows A42, A51, A58, A59, A62, A63 and C17.

use super::{Last, Refused, Whole, fire, ok, row};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_an_answer_that_is_odd_is_refused_or_made_plain() {
    let many = |count: usize| {
        ok(
            &format!(
                "{}\r\nContent-Length: 2",
                vec!["X-A: 1"; count].join("\r\n")
            ),
            "ok",
        )
    };
    let status = |line: &str| format!("{line}\r\nContent-Length: 2\r\n\r\nok");
    let length = "Content-Length: 2";
    let rows = vec![
        row("A63 999", status("HTTP/1.1 999 Odd"), Refused),
        row("A63 600", status("HTTP/1.1 600 Odd"), Refused),
        row("A63 099", status("HTTP/1.1 099 Odd"), Refused),
        row("A63 20", status("HTTP/1.1 20 OK"), Refused),
        row("A63 2000", status("HTTP/1.1 2000 OK"), Refused),
        row("A63 no number", status("HTTP/1.1 abc OK"), Refused),
        row("A63 HTTP/2.0", status("HTTP/2.0 200 OK"), Refused),
        row("A63 HTTP/1.2", status("HTTP/1.2 200 OK"), Refused),
        row("A63 another protocol", status("SIP/2.0 200 OK"), Refused),
        row("A63 HTTP/0.9", "<html>hello</html>\r\n\r\n", Refused),
        row("A63 599", status("HTTP/1.1 599 Odd"), Whole(599, "ok")),
        row("A63 no reason", status("HTTP/1.1 200"), Whole(200, "ok")),
        row(
            "A63 an odd reason",
            status("HTTP/1.1 200 \u{e9}t\u{e9} \"x\""),
            Whole(200, "ok"),
        ),
        row("A63 CR in the reason", status("HTTP/1.1 200 O\rK"), Refused),
        row(
            "A63 a folded line",
            ok(&format!("X-A: 1\r\n 2\r\n{length}"), "ok"),
            Refused,
        ),
        row(
            "A63 NUL in a value",
            ok(&format!("X-A: \0\r\n{length}"), "ok"),
            Refused,
        ),
        row(
            "A63 bare CR in a value",
            ok(&format!("X-A: 1\rSet-Cookie: x=y\r\n{length}"), "ok"),
            Refused,
        ),
        row(
            "A63 a blank before the colon",
            ok(&format!("X-A : 1\r\n{length}"), "ok"),
            Refused,
        ),
        row(
            "A63 a blank before the colon of the length",
            ok("Content-Length : 2", "ok"),
            Refused,
        ),
        row(
            "A63 a line without a colon",
            ok(&format!("X-A\r\n{length}"), "ok"),
            Refused,
        ),
        row(
            "A63 no name",
            ok(&format!(": 1\r\n{length}"), "ok"),
            Refused,
        ),
        row("A42 100 fields", many(99), Whole(200, "ok")),
        row("A42 101 fields", many(100), Refused),
        row("A42 100000 fields", many(100_000), Refused),
        row(
            "A42 a field without end",
            ok(&format!("X-A: {}\r\n{length}", "a".repeat(600_000)), "ok"),
            Refused,
        ),
        row(
            "A58 101 unasked",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            Refused,
        ),
        row(
            "A58 101 with a body",
            "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 2\r\n\r\nok",
            Refused,
        ),
        row(
            "A59 some interim answers",
            format!(
                "{}{}",
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(20),
                status("HTTP/1.1 200 OK")
            ),
            Whole(200, "ok"),
        ),
        row(
            "A59 100 unasked",
            format!("HTTP/1.1 100 Continue\r\n\r\n{}", status("HTTP/1.1 200 OK")),
            Whole(200, "ok"),
        ),
        row(
            "A59 100000 interim answers",
            format!(
                "{}{}",
                "HTTP/1.1 102 Processing\r\n\r\n".repeat(100_000),
                status("HTTP/1.1 200 OK")
            ),
            Refused,
        ),
        row(
            "A62 fields of its hop",
            ok(
                &format!(
                    "Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n{length}"
                ),
                "ok",
            ),
            Whole(200, "ok"),
        ),
        row(
            "A62 Connection names the length",
            ok(&format!("Connection: content-length\r\n{length}"), "ok"),
            Whole(200, "ok"),
        ),
        row(
            "A51 HTTP/1.0",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Last(200, "ok"),
        ),
        row(
            "C17 a redirect elsewhere",
            "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
            Whole(302, ""),
        ),
    ];
    fire(34, rows).await;
}
