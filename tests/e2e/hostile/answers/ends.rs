//! Answers that end too early, and what comes behind them: the rows A10, A11, A13, A55, A56, A60 and A61.

use super::{Cut, Last, POISON, Refused, Whole, closed, fire, ok, row, to_head};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_never_whole() {
    let te = "Transfer-Encoding: chunked";
    let rows = vec![
        closed(
            "A55 shorter than told",
            ok("Content-Length: 99", "short"),
            Cut("short"),
        ),
        closed("A55 nothing of it", ok("Content-Length: 99", ""), Cut("")),
        closed("A55 no last chunk", ok(te, "5\r\nhello\r\n"), Cut("hello")),
        closed("A55 within a chunk", ok(te, "ff\r\nhello"), Cut("hello")),
        closed("A55 within a size", ok(te, "5\r\nhello\r\n0"), Cut("hello")),
        closed(
            "A55 within the trailers",
            ok(te, "5\r\nhello\r\n0\r\nX-T: 1"),
            Cut("hello"),
        ),
        closed(
            "A55 before the last line",
            ok(te, "5\r\nhello\r\n0\r\n"),
            Cut("hello"),
        ),
        row("A10 0x size", ok(te, "0x5\r\nhello\r\n0\r\n\r\n"), Cut("")),
        row(
            "A10 - size",
            ok(te, "5\r\nhello\r\n-1\r\n\r\n"),
            Cut("hello"),
        ),
        row("A10 no size", ok(te, "\r\nhello\r\n0\r\n\r\n"), Cut("")),
        row(
            "A10 a size over 64 bits",
            ok(te, "10000000000000005\r\nhello\r\n0\r\n\r\n"),
            Cut(""),
        ),
        row(
            "A10 longer than its size",
            ok(te, "3\r\nhello\r\n0\r\n\r\n"),
            Cut("hel"),
        ),
        row("A10 bare LF", ok(te, "5\nhello\n0\n\n"), Cut("")),
        row(
            "A11 LF in an extension",
            ok(te, "5;a\nb\r\nhello\r\n0\r\n\r\n"),
            Cut(""),
        ),
        row(
            "A11 an extension",
            ok(te, "5;a=b\r\nhello\r\n0\r\n\r\n"),
            Whole(200, "hello"),
        ),
        row(
            "A13 trailers",
            ok(
                &format!("{te}\r\nTrailer: Set-Cookie"),
                "5\r\nhello\r\n0\r\nSet-Cookie: sid=1\r\nContent-Length: 9\r\n\r\n",
            ),
            Whole(200, "hello"),
        ),
        closed(
            "A56 as long as it lasts",
            ok("X-A: 1", "hello"),
            Last(200, "hello"),
        ),
        closed(
            "A56 of HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\nhello",
            Last(200, "hello"),
        ),
        closed(
            "A55 within the head",
            "HTTP/1.1 200 OK\r\nContent-Le",
            Refused,
        ),
        closed("A55 nothing at all", "", Refused),
    ];
    fire(20, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_an_answer_is_nobodys() {
    let rows = vec![
        row(
            "A61 behind a body",
            ok("Content-Length: 2", &format!("ok{POISON}")),
            Last(200, "ok"),
        ),
        row(
            "A61 behind chunks",
            ok(
                "Transfer-Encoding: chunked",
                &format!("2\r\nok\r\n0\r\n\r\n{POISON}"),
            ),
            Last(200, "ok"),
        ),
        row(
            "A61 one byte",
            ok("Content-Length: 2", "ok\n"),
            Last(200, "ok"),
        ),
        row(
            "A61 behind nothing",
            ok("Content-Length: 0", POISON),
            Last(200, ""),
        ),
        row(
            "A60 204 with a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
            Last(204, ""),
        ),
        row(
            "A60 204 with a length",
            "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
            Whole(204, ""),
        ),
        row(
            "A60 204 with chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Last(204, ""),
        ),
        row(
            "A60 204 and another answer",
            format!("HTTP/1.1 204 No Content\r\n\r\n{POISON}"),
            Last(204, ""),
        ),
        row(
            "A60 304 with a body",
            format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n{POISON}"),
            Last(304, ""),
        ),
        to_head(
            "A60 HEAD and another answer",
            ok("Content-Length: 6", POISON),
            Last(200, ""),
        ),
        to_head(
            "A60 HEAD with chunks",
            ok("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
            Last(200, ""),
        ),
        row(
            "A61 it says close",
            ok(
                "Connection: close\r\nContent-Length: 2",
                &format!("ok{POISON}"),
            ),
            Last(200, "ok"),
        ),
    ];
    fire(12, rows).await;
}
