//! Who the caller says it is and where it says it comes from: taken off; and `Via`, by which a loop is noticed.
//!
//! None of these fields is an input to any decision of the proxy except `Via`. Nothing is added for the
//! upstream to learn about the caller.

use http::header::{HeaderMap, VIA};
use http::{HeaderValue, Method};

use super::path::decoded;
use super::target::Target;
use super::twins::alike;

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

/// Whether the request asks to be taken for one of another method than `method`: by a header, or by a parameter as
/// Salesforce documents it. For upstreams that limit methods.
pub fn method_override(method: &Method, target: &Target, headers: &HeaderMap) -> bool {
    let other = |value: &[u8]| {
        !value
            .trim_ascii()
            .eq_ignore_ascii_case(method.as_str().as_bytes())
    };
    let by_header = headers.iter().any(|(name, value)| {
        OVERRIDE_FIELDS
            .iter()
            .any(|field| alike(name.as_str(), field))
            && other(value.as_bytes())
    });
    let query = target.query().unwrap_or_default();
    // Some servers take `;` for `&`.
    let mut parameters = query.split('&').chain(query.split(['&', ';']));
    by_header
        || parameters.any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = parameter_name(name);
            let names = OVERRIDE_PARAMETERS.iter().chain(&OVERRIDE_FIELDS);
            names.into_iter().any(|known| name == known.as_bytes())
                && other(&decoded(value.as_bytes()))
        })
}

/// The name of a parameter as lenient servers read it: decoded, perhaps twice, in lower case, without what does not print
/// around it and an index behind it (`_method[]`); PHP takes dots and blanks in it for `_`.
fn parameter_name(raw: &str) -> Vec<u8> {
    let decoded = decoded(raw.as_bytes()).into_iter().map(|byte| match byte {
        0..=b' ' | b'+' => b' ',
        other => other.to_ascii_lowercase(),
    });
    let decoded: Vec<u8> = decoded.collect();
    let name = decoded.split(|byte| *byte == b'[').next();
    let name = name.unwrap_or_default().trim_ascii();
    let name = name.iter().map(|byte| match *byte {
        b'.' | b' ' => b'_',
        other => other,
    });
    name.collect()
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

/// How others of them begin.
pub(super) const PREFIXES: [&str; 4] = ["x-forwarded-", "sec-fetch-", "x-ssl-", "x-envoy-"];

const OVERRIDE_FIELDS: [&str; 3] = [
    "x-http-method-override",
    "x-method-override",
    "x-http-method",
];

const OVERRIDE_PARAMETERS: [&str; 2] = ["_httpmethod", "_method"];

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

    #[test]
    fn a_method_override_is_noticed_wherever_it_stands() {
        type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], bool);
        let rows: [Row<'_>; 33] = [
            ("GET", "/x", &[], false),
            ("GET", "/x?method=PATCH&q=_HttpMethod", &[], false),
            ("POST", "/x?_HttpMethod=PATCH", &[], true),
            ("POST", "/x?a=b&_httpmethod=PATCH", &[], true),
            ("POST", "/x?%5FHttpMethod=PATCH", &[], true),
            ("POST", "/x?_%48ttpMethod=%50ATCH", &[], true),
            ("POST", "/x?a;_method=DELETE", &[], true),
            ("GET", "/x?_method", &[], true),
            ("GET", "/x?_method=get", &[], false),
            ("GET", "/x?_method=get&_method=delete", &[], true),
            ("GET", "/x?X-HTTP-Method-Override=PUT", &[], true),
            ("GET", "/x?%20_HttpMethod=PATCH", &[], true),
            ("GET", "/x?+_HttpMethod%20=PATCH", &[], true),
            ("GET", "/x?_HttpMethod%00=PATCH", &[], true),
            ("GET", "/x?%09_method=PATCH", &[], true),
            ("GET", "/x?.HttpMethod=PATCH", &[], true),
            ("GET", "/x?.method=PATCH", &[], true),
            ("GET", "/x?%255fHttpMethod=PATCH", &[], true),
            ("GET", "/x?%u005fHttpMethod=PATCH", &[], true),
            ("GET", "/x?%c1%9fHttpMethod=PATCH", &[], true),
            ("GET", "/x?%ef%bc%bfHttpMethod=PATCH", &[], true),
            ("GET", "/x?_HttpMethod=%u0047ET", &[], false),
            ("GET", "/x?_HttpMethod[]=PATCH", &[], true),
            ("GET", "/x?_method%5B0%5D=PATCH", &[], true),
            ("GET", "/x?_HttpMethod=GET;PATCH", &[], true),
            ("GET", "/x?_HttpMethod=GET;_a=PATCH", &[], true),
            ("GET", "/x?%20_method=+get", &[], true),
            ("GET", "/x?a_method=PATCH&method.=1&_methods=2", &[], false),
            ("GET", "/x", &[("x-http-method-override", "DELETE")], true),
            ("GET", "/x", &[("x_http_method_override", "DELETE")], true),
            ("GET", "/x", &[("x-method-override", "DELETE")], true),
            (
                "GET",
                "/x",
                &[("x-http-method", "GET"), ("x-http-method", "PUT")],
                true,
            ),
            ("GET", "/x", &[("x-http-method", "Get")], false),
        ];
        for (method, target, fields, expected) in rows {
            let method = method.parse().unwrap();
            let parsed = Target::of(&target.parse().unwrap()).unwrap();
            let got = method_override(&method, &parsed, &headers(fields));
            assert_eq!(got, expected, "{method} {target} {fields:?}");
        }
    }
}
