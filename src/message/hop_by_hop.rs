//! Takes off the fields that belong to one connection (RFC 9110 section 7.6.1), in both directions.
//!
//! This comes before anything of ours goes in: a caller that writes `Connection: authorization` would otherwise have
//! the credential taken off again, here or by the next intermediary (CVE-2021-32813, CVE-2022-31813).

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::rejection::Rejection;

/// Takes them off a request, with the fields that any of its `Connection` lines names; refuses a request whose
/// `Connection` cannot be read or names a field that the message cannot do without.
pub fn strip(headers: &mut HeaderMap) -> Result<(), Rejection> {
    let mut named = Vec::new();
    for token in connection_tokens(headers) {
        let name = HeaderName::from_bytes(token)
            .map_err(|_| Rejection::Malformed("Connection is not a list of names"))?;
        if PROTECTED.contains(&name) {
            return Err(Rejection::Malformed(
                "Connection names a field that must stay",
            ));
        }
        named.push(name);
    }
    remove(headers, named);
    // The proxy meets the expectation itself: hyper sends 100 when the body is first read (RFC 9110 section 10.1.1).
    headers.remove(EXPECT);
    Ok(())
}

/// Takes them off an answer. An upstream's `Connection` is obeyed as far as it can be.
pub fn strip_response(headers: &mut HeaderMap) {
    let named = connection_tokens(headers)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !PROTECTED.contains(name))
        .collect();
    remove(headers, named);
}

/// The tokens of every `Connection` line, but for the two that everybody sends and that name no field.
fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| {
            !token.is_empty()
                && !token.eq_ignore_ascii_case(b"close")
                && !token.eq_ignore_ascii_case(b"keep-alive")
        })
}

fn remove(headers: &mut HeaderMap, named: Vec<HeaderName>) {
    // RFC 9112 section 6.3: the coding overrides the length, and the body that hyper decoded has another one.
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    for name in named {
        headers.remove(name);
    }
}

/// Fields without which the message is another one. `Content-Length` off a request turns its body into the next request.
static PROTECTED: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];

static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    type Row<'a> = (&'a [(&'a str, &'a [u8])], &'a [&'a str]);

    const BOTH_WAYS: &[Row<'_>] = &[
        (&[("accept", b"*/*")], &["accept"]),
        (
            &[("connection", b"keep-alive"), ("keep-alive", b"timeout=5")],
            &[],
        ),
        (
            &[
                ("connection", b"close, X-Foo"),
                ("x-foo", b"1"),
                ("x-bar", b"1"),
            ],
            &["x-bar"],
        ),
        (
            &[
                ("connection", b"close"),
                ("connection", b"x-internal"),
                ("x-internal", b"1"),
            ],
            &[],
        ),
        (
            &[
                ("connection", b" , x-a ,,x-b"),
                ("x-a", b"1"),
                ("x-a", b"2"),
                ("x-b", b"1"),
            ],
            &[],
        ),
        (
            &[
                ("connection", b"AUTHORIZATION"),
                ("authorization", b"Bearer x"),
            ],
            &[],
        ),
        (
            &[
                ("keep-alive", b"1"),
                ("proxy-connection", b"close"),
                ("proxy-authenticate", b"Basic"),
                ("proxy-authorization", b"Basic x"),
                ("te", b"trailers"),
                ("trailer", b"x-t"),
                ("transfer-encoding", b"chunked"),
                ("upgrade", b"h2c"),
                ("http2-settings", b"AAMAAABkAAQAoAAAAAIAAAAA"),
                ("content-type", b"text/plain"),
            ],
            &["content-type"],
        ),
        (
            &[("transfer-encoding", b"chunked"), ("content-length", b"3")],
            &[],
        ),
        (&[("content-length", b"3")], &["content-length"]),
    ];

    #[test]
    fn hop_by_hop_fields_go_in_both_directions() {
        for (fields, expected) in BOTH_WAYS {
            let mut request = headers(fields);
            assert_eq!(strip(&mut request), Ok(()), "{fields:?}");
            assert_eq!(names(&request), *expected, "{fields:?}");
            let mut response = headers(fields);
            strip_response(&mut response);
            assert_eq!(names(&response), *expected, "{fields:?}");
        }
    }

    #[test]
    fn a_request_whose_connection_is_hostile_is_malformed() {
        let lines: [&[u8]; 7] = [
            b"host",
            b"Content-Length",
            b"close, transfer-encoding",
            b"x-a x-b",
            b"x-\xff",
            b"\xc3\xa9",
            b"a;b\"",
        ];
        for line in lines {
            let mut headers = headers(&[("connection", b"close"), ("connection", line)]);
            assert!(
                matches!(strip(&mut headers), Err(Rejection::Malformed(_))),
                "{line:?}"
            );
        }
    }

    #[test]
    fn an_answer_keeps_what_it_cannot_do_without() {
        let mut headers = headers(&[
            ("connection", b"content-length, x\xff, x-a"),
            ("content-length", b"3"),
            ("x-a", b"1"),
        ]);
        strip_response(&mut headers);
        assert_eq!(names(&headers), ["content-length"]);
    }

    #[test]
    fn the_expectation_is_not_passed_on() {
        let mut headers = headers(&[("expect", b"100-continue")]);
        assert_eq!(strip(&mut headers), Ok(()));
        assert!(headers.is_empty());
    }
}
