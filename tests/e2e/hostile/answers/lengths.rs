//! How long an answer is: the rows A53, A54, A57 and A60.

use super::{Last, Refused, Whole, fire, ok, row, to_head};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_length_is_ambiguous_is_refused_or_the_last_of_its_connection() {
    let te = "Transfer-Encoding: chunked";
    let one = "2\r\nok\r\n0\r\n\r\n";
    let mut rows = vec![
        row(
            "A53 a length, then chunks",
            ok(&format!("Content-Length: 99\r\n{te}"), one),
            Last(200, "ok"),
        ),
        row(
            "A53 chunks, then a length",
            ok(&format!("{te}\r\nContent-Length: 2"), one),
            Last(200, "ok"),
        ),
        row(
            "A54 twice the same",
            ok("Content-Length: 2\r\nContent-Length: 2", "ok"),
            Whole(200, "ok"),
        ),
        row(
            "A54 a list",
            ok("Content-Length: 2, 2", "ok"),
            Whole(200, "ok"),
        ),
        row(
            "A54 two lengths",
            ok("Content-Length: 2\r\nContent-Length: 3", "okx"),
            Refused,
        ),
        row(
            "A54 a list of two",
            ok("Content-Length: 2, 3", "okx"),
            Refused,
        ),
        row("A57 gzip", ok("Transfer-Encoding: gzip", "xx"), Refused),
        row(
            "A57 gzip, chunked",
            ok("Transfer-Encoding: gzip, chunked", one),
            Refused,
        ),
        row(
            "A57 chunked, gzip",
            ok("Transfer-Encoding: chunked, gzip", one),
            Refused,
        ),
        row(
            "A57 chunked twice",
            ok("Transfer-Encoding: chunked, chunked", one),
            Refused,
        ),
        row("A57 two lines", ok(&format!("{te}\r\n{te}"), one), Refused),
        row(
            "A57 identity",
            ok("Transfer-Encoding: identity", "ok"),
            Refused,
        ),
        row(
            "A57 xchunked",
            ok("Transfer-Encoding: xchunked", one),
            Refused,
        ),
        row(
            "A57 chunks of HTTP/1.0",
            format!("HTTP/1.0 200 OK\r\n{te}\r\n\r\n{one}"),
            Refused,
        ),
        row(
            "A54 of HEAD, a list",
            "HTTP/1.1 200 OK\r\nContent-Length: 7, 7\r\n\r\n",
            Whole(200, ""),
        ),
        row(
            "A54 of 304, a list",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7, 7\r\n\r\n",
            Whole(304, ""),
        ),
        row(
            "A54 of 304, twice",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n",
            Whole(304, ""),
        ),
        row(
            "A54 of 304, chunks",
            format!("HTTP/1.1 304 Not Modified\r\n{te}\r\n\r\n"),
            Whole(304, ""),
        ),
    ];
    rows[14].method = "HEAD";
    rows.push(to_head(
        "A54 of HEAD, twice",
        ok("Content-Length: 7\r\nContent-Length: 7", ""),
        Whole(200, ""),
    ));
    rows.push(to_head(
        "A53 of HEAD, both",
        ok(&format!("{te}\r\nContent-Length: 7"), ""),
        Last(200, ""),
    ));
    rows.push(to_head(
        "A60 of HEAD, a body",
        ok("Content-Length: 2", "ok"),
        Last(200, ""),
    ));
    for length in [
        "+2",
        "-1",
        "0x2",
        "x",
        "",
        "2 2",
        "2;",
        "18446744073709551616",
        "99999999999999999999",
    ] {
        rows.push(row(
            "A54 no number",
            ok(&format!("Content-Length: {length}"), "ok"),
            Refused,
        ));
        rows.push(to_head(
            "A54 no number, of HEAD",
            ok(&format!("Content-Length: {length}"), ""),
            Refused,
        ));
    }
    fire(39, rows).await;
}
