//! Which fields belong to one connection (RFC 9110 section 7.6.1).
//!
//! This comes before anything of ours goes in: a caller that writes `Connection: authorization` would otherwise have
//! the credential taken off again, here or by the next intermediary (CVE-2021-32813, CVE-2022-31813).

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::rejection::Rejection;

/// Whether a field of this name belongs to one connection, whatever `Connection` says.
pub(super) fn covers(name: &HeaderName) -> bool {
    match *name {
        CONNECTION | PROXY_AUTHENTICATE | PROXY_AUTHORIZATION | TE | TRAILER
        | TRANSFER_ENCODING | UPGRADE => true,
        _ => OTHERS.contains(&name.as_str()),
    }
}

/// The fields that any `Connection` line of a request names. One that cannot be read, or names a field that the message
/// cannot do without, is refused.
pub(super) fn named(headers: &HeaderMap) -> Result<Vec<HeaderName>, Rejection> {
    let name = |token| {
        let name = HeaderName::from_bytes(token)
            .map_err(|_| Rejection::Malformed("Connection is not a list of names"))?;
        match PROTECTED.contains(&name) {
            true => Err(Rejection::Malformed(
                "Connection names a field that must stay",
            )),
            false => Ok(name),
        }
    };
    connection_tokens(headers).map(name).collect()
}

/// The fields that an answer's `Connection` names: obeyed as far as it can be.
pub(super) fn named_in_answer(headers: &HeaderMap) -> Vec<HeaderName> {
    connection_tokens(headers)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !PROTECTED.contains(name))
        .collect()
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

/// Fields without which the message is another one. `Content-Length` off a request turns its body into the next request.
pub(super) static PROTECTED: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];

const OTHERS: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::message::strip;

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
            assert_eq!(strip::request(&mut request, &[], &[]), Ok(()), "{fields:?}");
            // A request's length does not go on, whatever it is.
            request.remove(CONTENT_LENGTH);
            let mut expected_of_request = expected.to_vec();
            expected_of_request.retain(|name| *name != "content-length");
            assert_eq!(names(&request), expected_of_request, "{fields:?}");
            let mut response = headers(fields);
            strip::answer(&mut response, true);
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
                matches!(
                    strip::request(&mut headers, &[], &[]),
                    Err(Rejection::Malformed(_))
                ),
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
        strip::answer(&mut headers, true);
        assert_eq!(names(&headers), ["content-length"]);
    }

    #[test]
    fn the_expectation_is_not_passed_on() {
        let mut headers = headers(&[("expect", b"100-continue")]);
        assert_eq!(strip::request(&mut headers, &[], &[]), Ok(()));
        assert!(headers.is_empty());
    }
}
