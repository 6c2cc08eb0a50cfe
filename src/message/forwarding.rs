//! Who the caller says it is and where it says it comes from: taken off; and `Via`, by which a loop is noticed.
//!
//! None of these fields is an input to any decision of the proxy except `Via`. Nothing is added for the
//! upstream to learn about the caller.

use http::HeaderValue;
use http::header::{HeaderMap, VIA};

/// `Max-Forwards` counted down (RFC 9110 section 7.6.2). `None`: it goes.
pub(super) fn fewer_forwards(hops: &HeaderValue) -> Option<HeaderValue> {
    let hops = hops.to_str().ok()?.parse::<u32>().ok()?;
    hops.checked_sub(1).map(HeaderValue::from)
}

/// Whether the request has already passed this `instance` (RFC 9110 section 7.6.3), or more of them than anybody puts in a
/// row. Asked before it is taken off.
pub fn passed_before(headers: &HeaderMap, instance: &str) -> bool {
    passed(headers)
        .enumerate()
        .any(|(before, id)| id == instance.as_bytes() || before + 1 == MOST_INSTANCES)
}

/// What goes upstream: the instances that it has passed, so that each of them notices its return, and this one,
/// `1.1 upauth-INSTANCE` by [`via`]. Others in front of the proxy are not the upstream's business.
pub fn via_after(headers: &HeaderMap, ours: &HeaderValue) -> HeaderValue {
    if !headers.contains_key(VIA) {
        return ours.clone();
    }
    let mut all = Vec::new();
    for id in passed(headers).filter(|id| is_instance(id)) {
        all.extend_from_slice(b"1.1 ");
        all.extend_from_slice(PSEUDONYM.as_bytes());
        all.extend_from_slice(id);
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(ours.as_bytes());
    HeaderValue::from_bytes(&all).unwrap_or_else(|_| ours.clone())
}

/// The instances of this program that a request has passed.
fn passed(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(VIA).iter();
    let hops = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    hops.filter_map(|hop| {
        // received-protocol RWS received-by
        let words = hop.split(u8::is_ascii_whitespace);
        let by = words.filter(|word| !word.is_empty()).nth(1)?;
        by.strip_prefix(PSEUDONYM.as_bytes())
    })
}

fn is_instance(id: &[u8]) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (1..=MOST_OF_INSTANCE).contains(&id.len()) && id.iter().all(known)
}

/// What the proxy adds: `1.1 upauth-INSTANCE`. The instance (letters, digits, `-`) is part of the pseudonym, because
/// anyone on the way may drop a comment.
pub fn via(instance: &str) -> HeaderValue {
    HeaderValue::try_from(format!("1.1 {PSEUDONYM}{instance}"))
        .unwrap_or(HeaderValue::from_static("1.1 upauth"))
}

const PSEUDONYM: &str = "upauth-";

/// Of more than this in a row some stand behind one another without end.
const MOST_INSTANCES: usize = 8;

/// The longest that is passed on: what comes may be anything.
const MOST_OF_INSTANCE: usize = 64;

/// Fields that say where a request comes from (RFC 7239 and its forerunners) and with which certificate (RFC 9440 and its
/// forerunners), that a browser adds, and `Via`.
pub(super) const FORWARDING: [&str; 24] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "remote-user",
    "x-remote-user",
    "x-salesforce-sip",
    "referer",
    "origin",
    "via",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-original-method",
    "x-host",
    "client-cert",
    "client-cert-chain",
    "x-client-cert",
];

/// How others of them begin, in letters alone: `X-Forwarded-`, `Sec-Fetch-`, `X-SSL-`, `X-Envoy-`.
pub(super) const PREFIXES: [&str; 4] = ["xforwarded", "secfetch", "xssl", "xenvoy"];

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, MAX_FORWARDS};

    use super::*;
    use crate::message::strip;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn forwarding_fields_and_their_twins_go() {
        let rows = [
            ("Forwarded", false),
            ("X-Forwarded-For", false),
            ("X-Forwarded-Host", false),
            ("X-Forwarded-Uri", false),
            ("X_Forwarded_For", false),
            ("X-Forwarded_Proto", false),
            ("X-Forwarded", false),
            ("X-Real-IP", false),
            ("X_Real_IP", false),
            ("Referer", false),
            ("Origin", false),
            ("Via", false),
            ("X-Original-URL", false),
            ("X_Original_URL", false),
            ("X-Rewrite-Url", false),
            ("X-Client-IP", false),
            ("True_Client_IP", false),
            ("CF-Connecting-IP", false),
            ("Remote-User", false),
            ("X-Envoy-Original-Path", false),
            ("X-Host", false),
            ("X-Original-Method", false),
            ("Client-Cert", false),
            ("Client-Cert-Chain", false),
            ("X-SSL-Cert", false),
            ("X_SSL_Client_S_DN", false),
            ("X-Forwarded-Client-Cert", false),
            ("Sec-Fetch-Site", false),
            ("Sec_Fetch_Mode", false),
            ("X-HTTP-Method-Override", true),
            ("X-Request-Id", true),
            ("Original", true),
            ("User-Agent", true),
        ];
        for (name, stays) in rows {
            let mut headers = headers(&[(name, "a"), (name, "b")]);
            strip::request(&mut headers, &[], &[]).unwrap();
            assert_eq!(!headers.is_empty(), stays, "{name}");
        }
    }

    #[test]
    fn max_forwards_is_counted_down() {
        for (given, expected) in [
            ("10", Some("9")),
            ("1", Some("0")),
            ("0", None),
            ("x", None),
            ("-1", None),
        ] {
            let mut headers = headers(&[("max-forwards", given)]);
            strip::request(&mut headers, &[], &[]).unwrap();
            let left = headers.get(MAX_FORWARDS).map(|hops| hops.to_str().unwrap());
            assert_eq!(left, expected, "{given}");
        }
    }

    #[test]
    fn a_request_that_passed_before_is_recognised() {
        let rows: [(&[&str], bool); 9] = [
            (&[], false),
            (&["1.1 upauth-7f3a"], true),
            (&["1.1 varnish, 2 upauth-7f3a (x), 1.1 nginx"], true),
            (&["1.1 varnish", "1.1\tupauth-7f3a"], true),
            (&["1.1 upauth-7f3b"], false),
            (&["1.1 upauth-7f3a4"], false),
            (&["1.1 upauth"], false),
            (&["upauth-7f3a"], false),
            (&["1.1 nginx (upauth-7f3a)"], false),
        ];
        for (lines, expected) in rows {
            let fields: Vec<_> = lines.iter().map(|line| ("via", *line)).collect();
            assert_eq!(
                passed_before(&headers(&fields), "7f3a"),
                expected,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_row_of_instances_that_is_too_long_counts_as_a_return() {
        let row = |count: usize| vec!["1.0 other, 1.1 upauth-a"; count];
        for (count, expected) in [(7, false), (8, true), (9, true)] {
            let fields: Vec<_> = row(count).into_iter().map(|line| ("via", line)).collect();
            assert_eq!(passed_before(&headers(&fields), "7f3a"), expected);
        }
    }

    #[test]
    fn instances_that_were_passed_go_on_and_nobody_else() {
        let long = format!("1.1 upauth-{}", "a".repeat(65));
        let rows: [(&[&str], &str); 5] = [
            (&[], "1.1 upauth-7f3a"),
            (&["1.0 varnish"], "1.1 upauth-7f3a"),
            (
                &["1.0 varnish, 2 upauth-b (x)", "1.1 upauth-c-1"],
                "1.1 upauth-b, 1.1 upauth-c-1, 1.1 upauth-7f3a",
            ),
            (
                &["1.1 upauth-", "1.1 upauth-a;b", "1.1 upauth-\u{e9}", &long],
                "1.1 upauth-7f3a",
            ),
            (&["1.1 upauth-7f3a"], "1.1 upauth-7f3a, 1.1 upauth-7f3a"),
        ];
        for (lines, expected) in rows {
            let mut fields = HeaderMap::new();
            for line in lines {
                fields.append(VIA, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(via_after(&fields, &via("7f3a")), expected, "{lines:?}");
        }
    }

    #[test]
    fn our_own_via_is_recognised() {
        let mut headers = HeaderMap::new();
        headers.insert(VIA, via("7f3a"));
        assert_eq!(headers["via"], "1.1 upauth-7f3a");
        assert!(passed_before(&headers, "7f3a"));
        assert_eq!(via("a\nb"), "1.1 upauth");
    }
}
