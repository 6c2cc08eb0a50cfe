//! Whether a request asks to be taken for one of another method than its own.

use http::Method;
use http::header::HeaderMap;

use super::path::decoded;
use super::target::Target;
use super::twins::alike;

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
    let both = query.contains(';').then(|| query.split(['&', ';']));
    let mut parameters = query.split('&').chain(both.into_iter().flatten());
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
    let decoded = decoded(raw.as_bytes());
    let decoded = decoded.iter().map(|byte| match *byte {
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

const OVERRIDE_FIELDS: [&str; 3] = [
    "x-http-method-override",
    "x-method-override",
    "x-http-method",
];

const OVERRIDE_PARAMETERS: [&str; 2] = ["_httpmethod", "_method"];

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
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
