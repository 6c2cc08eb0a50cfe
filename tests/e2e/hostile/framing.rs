//! Where a request ends (RFC 9112 sections 6 and 7): the rows A1 to A13.

use crate::support::{Scripted, TestProxy};

use super::{Closed, HIDDEN, Last, Once, Refused, Sent, body, fire, get, post, row};

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_length_is_refused_or_made_plain() {
    let chunked = format!("0\r\n\r\n{HIDDEN}");
    let mut rows = vec![
        row("A1 CL.TE", post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", chunked.len()), &chunked), Last(body(""))),
        row("A1 TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 3", &chunked), Last(body(""))),
        row("A1 CL.TE with a body", post("Content-Length: 4\r\nTransfer-Encoding: chunked", &format!("5\r\nhello\r\n{chunked}")), Last(body("hello"))),
        row("A1 GET with both", get("Content-Length: 5\r\nTransfer-Encoding: chunked").into_iter().chain(chunked.bytes()).collect::<Vec<_>>(), Last(body(""))),
        row("A7 two lengths", post("Content-Length: 3\r\nContent-Length: 4", "abcd"), Closed(400)),
        row("A7 twice the same", post("Content-Length: 3\r\nContent-Length: 3", "abc"), Once(body("abc"))),
        row("A15 refused early, the rest is still a body", [b"POST /api/v1/connections HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", HIDDEN.as_bytes()].concat(), Refused(403)),
        row("A15 refused early, a short rest", format!("POST /api/v1/connections HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()), Refused(403)),
        row("A15 a login that is far too long", [b"POST /api/oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", HIDDEN.as_bytes()].concat(), Closed(400)),
        row("A15 a wrong Host with a body", format!("POST /api/x HTTP/1.1\r\nHost: evil.example\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()), Refused(421)),
    ];
    let lengths = [
        "1, 1",
        "1,1",
        "1,2",
        "+1",
        "-0",
        "-1",
        "0x5",
        "1_0",
        "",
        "1 1",
        "1.0",
        "1e1",
        "18446744073709551616",
        "99999999999999999999999999",
        "१",
        "\"1\"",
        "chunked",
        "1;",
        ",1",
        "1,",
    ];
    for length in lengths {
        let bytes = post(&format!("Content-Length: {length}"), &format!("a{HIDDEN}"));
        rows.push(row(
            format!("A7 Content-Length {length:?}"),
            bytes,
            Closed(400),
        ));
    }
    // Blanks around and zeros before are one number to everybody.
    for length in ["5 ", "\t5", "00000005"] {
        let bytes = post(&format!("Content-Length: {length}"), "hello");
        rows.push(row(
            format!("A7 Content-Length {length:?}"),
            bytes,
            Once(body("hello")),
        ));
    }
    fire(33, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disguised_transfer_coding_is_never_read_two_ways() {
    let rest = format!("5\r\nhello\r\n0\r\n\r\n{HIDDEN}");
    let refused = [
        ("A3", "Transfer-Encoding: gzip, chunked"),
        (
            "A3",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        ),
        ("A3", "Transfer-Encoding: identity, chunked"),
        ("A3", "Transfer-Encoding: chunked;a=b, chunked"),
        (
            "A4",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        ("A4", "Transfer-Encoding: chunked, chunked"),
        (
            "A4",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        ),
        ("A5", "Transfer-Encoding: chunked, identity"),
        ("A5", "Transfer-Encoding: xchunked"),
        ("A5", "Transfer-Encoding: chunkedx"),
        ("A5", "Transfer-Encoding: gzip"),
        ("A5", "Transfer-Encoding: identity"),
        ("A5", "Transfer-Encoding:"),
        ("A2", "Transfer-Encoding: \"chunked\""),
        ("A2", "Transfer-Encoding: 'chunked'"),
        ("A2", "Transfer-Encoding: chunked;"),
        ("A2", "Transfer-Encoding: chunked;x=y"),
        ("A2", "Transfer-Encoding: chunk ed"),
        ("A2", "Transfer-Encoding: chunked,"),
        ("A2", "Transfer-Encoding: ,chunked"),
        ("A2", "Transfer-Encoding: x\r\n chunked"),
        ("A2", "Transfer-Encoding:\r\n chunked"),
        ("A2", "Transfer-Encoding:\r\n\tchunked"),
        ("A2", "Transfer-Encoding : chunked"),
        ("A2", "Transfer-Encoding\t: chunked"),
        ("A2", " Transfer-Encoding: chunked"),
        ("A2", "X: y\r Transfer-Encoding: chunked"),
        ("A2", "Transfer-Encoding: \u{b}chunked"),
        ("A2", "Transfer-Encoding: \u{c}chunked"),
        ("A2", "Transfer-Encoding: chunked\u{b}"),
        ("A2", "Transfer-Encoding: chunked\0"),
        ("A2", "Transfer-Encoding: chunked\u{ff}"),
        ("A2", "Transfer-Encoding: \u{a0}chunked"),
        ("A2", "Transfer-Encoding: chun\u{212a}ed"),
        ("A2", "Transfer-Encoding\0: chunked"),
        ("A2", "Transfer\\Encoding: chunked"),
        ("A2", "Transfer Encoding: chunked"),
        ("A9", ": chunked"),
    ];
    let mut rows: Vec<_> = refused
        .iter()
        .map(|(id, lines)| row(format!("{id} {lines:?}"), post(lines, &rest), Closed(400)))
        .collect();
    let plain = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding:chunked",
        "Transfer-Encoding: \t chunked \t",
        "Transfer-Encoding: CHUNKED",
        "tRANSFER-eNCODING: cHuNkEd",
    ];
    let one = "5\r\nhello\r\n0\r\n\r\n";
    rows.extend(plain.iter().map(|lines| {
        row(
            format!("A2 {lines:?}"),
            post(lines, one),
            Once(body("hello")),
        )
    }));
    rows.push(row(
        "A6 HTTP/1.0 with a coding",
        format!("POST /api/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{rest}"),
        Closed(400),
    ));
    // With a length in front the coding that no one may know is what a front end would not have seen.
    for name in [
        "Transfer_Encoding",
        "Transfer.Encoding",
        "X-Transfer-Encoding",
        "Transfer-Encodin",
    ] {
        let field: &[(&'static str, &'static [u8])] = match name {
            // Some servers take it for the true one.
            "Transfer_Encoding" => &[],
            "Transfer.Encoding" => &[("transfer.encoding", b"chunked")],
            "X-Transfer-Encoding" => &[("x-transfer-encoding", b"chunked")],
            _ => &[("transfer-encodin", b"chunked")],
        };
        let sent = Sent {
            fields: field.to_vec(),
            ..body("0\r\n\r\n")
        };
        rows.push(row(
            format!("A2 {name}"),
            post(
                &format!("Content-Length: 5\r\n{name}: chunked"),
                "0\r\n\r\n",
            ),
            Once(sent),
        ));
    }
    fire(48, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_chunks_are_refused_and_right_ones_are_written_anew() {
    let te = "Transfer-Encoding: chunked";
    let wrong = [
        ("0x size", "0x3\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("+ size", "+3\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("- size", "-3\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("_ in the size", "1_0\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("no size", "\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("blank before the size", " 3\r\nabc\r\n0\r\n\r\n".to_owned()),
        (
            "a size over 64 bits",
            "10000000000000003\r\nabc\r\n0\r\n\r\n".to_owned(),
        ),
        ("bare LF behind the size", "3\nabc\r\n0\r\n\r\n".to_owned()),
        ("bare CR behind the size", "3\rabc\r\n0\r\n\r\n".to_owned()),
        ("longer than its size", "3\r\nabcd\r\n0\r\n\r\n".to_owned()),
        ("no CRLF behind the data", "3\r\nabc0\r\n\r\n".to_owned()),
        (
            "LF in an extension",
            "3;a\nb\r\nabc\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "extensions without end",
            format!(
                "{}0\r\n\r\n",
                "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"
                    .repeat(2000)
            ),
        ),
        (
            "an odd trailer",
            "3\r\nabc\r\n0\r\nX\0: y\r\n\r\n".to_owned(),
        ),
    ];
    let mut rows: Vec<_> = wrong
        .iter()
        .map(|(name, rest)| {
            row(
                format!("A10 A11 {name}"),
                post(te, &format!("{rest}{HIDDEN}")),
                Closed(400),
            )
        })
        .collect();
    let right = [
        ("A11 an extension", "3;a=b\r\nabc\r\n0\r\n\r\n".to_owned(), "abc"),
        ("A11 a bare semicolon", "3;\r\nabc\r\n0;\r\n\r\n".to_owned(), "abc"),
        ("A11 a quoted extension", "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n".to_owned(), "abc"),
        ("A12 leading zeros", format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(1000)), "abc"),
        ("A10 capital hex", "A\r\n0123456789\r\n0\r\n\r\n".to_owned(), "0123456789"),
        ("A13 trailers", "3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: evil.example\r\nAuthorization: Bearer x\r\nTransfer-Encoding: chunked\r\nX-T: 1\r\n\r\n".to_owned(), "abc"),
        ("A10 no data", "0\r\n\r\n".to_owned(), ""),
        // hyper reads on to an empty line with CRLF: what follows belongs to this message, and is thrown away with its trailers.
        ("A13 a bare LF for the empty line", format!("3\r\nabc\r\n0\r\n\n{HIDDEN}"), "abc"),
        ("A13 a bare LF behind a trailer", format!("3\r\nabc\r\n0\r\nX-T: 1\r\n\n{HIDDEN}"), "abc"),
    ];
    rows.extend(
        right
            .iter()
            .map(|(name, rest, whole)| row(*name, post(te, rest), Once(body(whole)))),
    );
    fire(23, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_framing_within_a_body_is_the_callers_fault_and_reaches_nobody() {
    let (whole, mut came) = tokio::sync::mpsc::channel(9);
    let api = Scripted::start_with(&whole, |mut connection, whole| async move {
        while let Some(seen) = connection.head().await {
            let piece = connection.caller.chunk().await;
            assert_eq!(piece.unwrap().unwrap(), b"hello", "{seen:?}");
            let rest = connection.caller.chunk().await;
            whole.send(rest.is_ok()).await.unwrap();
            if rest.is_err() {
                return;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for wrong in ["zz\r\n", "0x3\r\nabc\r\n", "ffffffffffffffffff\r\n"] {
        let mut caller = proxy.caller().await;
        caller.begin_upload("/api/up").await;
        caller.piece("hello").await;
        // The answer must not depend on how the pieces fall together.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        caller.write(wrong).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (400, "UA-0201"));
        assert!(!came.recv().await.unwrap(), "{wrong} was completed");
    }
}
