//! What a caller may say in its header, and what of it goes on: the rows A36 to A43, C1, C4, C31, C34 and C35.

use super::{Closed, Last, Once, Refused, Row, Sent, body, fields, fire, get, row};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_have_a_field_taken_off_or_put_on() {
    let mut rows: Vec<Row> = Vec::new();
    for lines in [
        "Connection: authorization",
        "Connection: close, Authorization\r\nConnection: via, zuora-track-id",
        "Connection: x-a\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2",
        "Connection: X-A ,, x-b\r\nX-A: 1\r\nX-A: 3\r\nX-B: 2",
        "Connection: keep-alive, cookie\r\nCookie: sid=1",
        "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5\r\nProxy-Authenticate: Basic",
        "TE: trailers, deflate\r\nTrailer: X-T",
        "Upgrade: foo/1\r\nConnection: upgrade",
        "HTTP2-Settings: AAMAAABk\r\nUpgrade: h2c",
        "Authorization: Bearer mine",
        "Authorization: Bearer mine\r\nauthorization: Basic eDp5\r\nAUTHORIZATION: x",
        "Authorization_: Bearer mine\r\nAuthorization-: x",
        "X-SFDC-Session: x\r\nX_SFDC_Session: x\r\nXSFDCSession: x",
        "apiAccessKeyId: x\r\napiSecretAccessKey: y\r\nAccess_Token: z\r\nAccessToken: z",
        "Proxy_Authorization: x",
        "Cookie: sid=1; ZSession=2\r\nCookie: x=y\r\nCookie_: x",
        "X-Upauth-Key: mine\r\nX_Upauth_Key: mine",
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 1\r\nX-Forwarded: 1",
        "Forwarded: for=1.2.3.4;host=evil\r\nX-Real-IP: 1.2.3.4\r\nX_Real_IP: 1",
        "X-Original-URL: /shut\r\nX-Rewrite-URL: /shut\r\nX-Original-Host: evil\r\nX-Forwarded-Uri: /shut",
        "Via: 1.0 fred, 1.1 evil",
        "Via: 1.1 upauth",
        "Referer: http://localhost/page",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
    ] {
        let outcome = match lines.starts_with("Connection: close") {
            true => Last(fields(&[])),
            false => Once(fields(&[])),
        };
        rows.push(row(format!("A36 to A41 {lines:?}"), get(lines), outcome));
    }
    for lines in [
        "Connection: host",
        "Connection: close, content-length",
        "Connection: Transfer-Encoding",
        "Connection: x-a\r\nConnection: HOST",
        "Connection: x a",
        "Connection: \u{e9}",
        "Connection: x;y=\"z\"",
        "Connection: (x)",
        "Connection: x-a\r\nConnection: \u{ff}",
        "Connection: \"authorization\"",
        "Connection: :authority",
    ] {
        rows.push(row(format!("A37 A38 {lines:?}"), get(lines), Closed(400)));
    }
    fire(36, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_proxy_writes_has_no_twin_of_the_callers() {
    let rows = [
        "Zuora-Track-Id: one\r\nzuora_track_id: two\r\nZuoraTrackId: three",
        "X-Tenant: mine\r\nX_Tenant: mine\r\nX-Tenant_: mine",
        "X-Gone: mine\r\nX_Gone: mine\r\nXGone: mine",
        "Zuora-Entity-Ids: mine\r\nZuora_Entity_Ids: mine\r\nentityId: mine",
        // What frames is written anew as well. CGI and WSGI know `Content_Length` by the name of the true one.
        "Content_Length: 5\r\nContentLength: 5\r\nContent-Length_: 5",
        "Transfer_Encoding: chunked\r\nTransferEncoding: chunked\r\nHost_: evil",
    ];
    let kept = fields(&[("x-tenant", b"ours"), ("zuora-entity-ids", b"7")]).fields;
    let rows = rows.map(|lines| {
        let sent = Sent {
            fields: kept.clone(),
            ..body("")
        };
        row(format!("A40 {lines:?}"), get(lines), Once(sent))
    });
    let ours = "set_headers = { X-Tenant = \"ours\" }\nremove_headers = [\"X-Gone\"]\nentity_ids = [\"7\"]\n";
    fire(6, rows.into(), ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_callers_own_pass_byte_for_byte() {
    let with = |bytes: &[u8]| {
        let head = b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n";
        [head, bytes, b"\r\n\r\n"].concat()
    };
    let rows = vec![
        row(
            "A43 bytes that are not ASCII",
            with(b"X-A: \x80\xff\xc3\xa9"),
            Once(fields(&[("x-a", b"\x80\xff\xc3\xa9")])),
        ),
        row(
            "A43 a tab",
            with(b"X-A: a\tb"),
            Once(fields(&[("x-a", b"a\tb")])),
        ),
        row(
            "A43 blanks within",
            with(b"X-A:   a  b  "),
            Once(fields(&[("x-a", b"a  b")])),
        ),
        row("A43 nothing", with(b"X-A:"), Once(fields(&[("x-a", b"")]))),
        row(
            "A43 twice",
            with(b"X-A: 1\r\nX-B: 2\r\nX-A: 3"),
            Once(fields(&[("x-a", b"1"), ("x-a", b"3"), ("x-b", b"2")])),
        ),
        row(
            "A43 an odd name",
            with(b"!#$%&'*+-.^_`|~: 1"),
            Once(fields(&[("!#$%&'*+-.^_`|~", b"1")])),
        ),
        row(
            "A43 what looks like a head",
            with(b"X-A: GET / HTTP/1.1"),
            Once(fields(&[("x-a", b"GET / HTTP/1.1")])),
        ),
        row(
            "A41 Max-Forwards",
            with(b"Max-Forwards: 3"),
            Once(fields(&[("max-forwards", b"2")])),
        ),
        row(
            "A39 names that only begin so",
            with(b"X-Connection: 1\r\nTEX: 2"),
            Once(fields(&[("tex", b"2"), ("x-connection", b"1")])),
        ),
        row(
            "A42 100 fields",
            with(vec!["X-A: 1"; 99].join("\r\n").as_bytes()),
            Once(fields(&[("x-a", b"1".as_slice()); 99])),
        ),
    ];
    fire(10, rows, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_refused_whatever_they_leave_out() {
    let mut rows = Vec::new();
    for lines in [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
        "Origin:",
        "Origin: http://localhost\r\nOrigin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Mode: no-cors",
        "Sec-Fetch-Site: CROSS-SITE",
        "Sec-Fetch-Site: anything",
        "Referer: https://evil.example/",
        "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let bytes = format!(
                "{method} /api/x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\nContent-Length: 0\r\n\r\n"
            );
            rows.push(row(
                format!("C1 C4 C6 {method} {lines:?}"),
                bytes,
                Refused(403),
            ));
        }
    }
    fire(36, rows, "").await;
}
