//! [`offered`]: what a caller shows to be let in, wherever clients put their credentials.
//!
//! The same places are emptied by [`credentials`](super::credentials) and
//! [`Target::without_parameters`](super::Target::without_parameters) before a request goes on.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use percent_encoding::percent_decode_str;

use super::target::{Target, is_named};

/// Every credential of a request: `X-Upauth-Key`, `Authorization` as Bearer, OAuth or the password of Basic,
/// `X-SFDC-Session`, and the query parameters that are `parameters`. Useless ones may be among them. What follows OAuth may
/// also be the base64 of a whole token answer: both are given.
pub fn offered<'a>(
    headers: &'a HeaderMap,
    target: &'a Target,
    parameters: &'a [&str],
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let whole = [KEY, SESSION].into_iter();
    let whole = whole.flat_map(|name| headers.get_all(name));
    let whole = whole.map(|value| Cow::Borrowed(value.as_bytes().trim_ascii()));
    let schemes = headers.get_all(AUTHORIZATION).iter();
    let schemes = schemes.flat_map(|value| credentials(value.as_bytes()));
    let schemes = schemes.flatten();
    let query = target.query().unwrap_or_default().split('&');
    let query = query.filter(|parameter| parameters.iter().any(|name| is_named(parameter, name)));
    let query = query.filter_map(|parameter| {
        let (_, value) = parameter.split_once('=')?;
        Some(Cow::from(percent_decode_str(value)))
    });
    let all = whole.chain(schemes).chain(query);
    all.filter(|credential| !credential.is_empty())
}

/// What stands behind the scheme of an `Authorization` field.
fn credentials(value: &[u8]) -> [Option<Cow<'_, [u8]>>; 2] {
    let Some(blank) = value.iter().position(|byte| *byte == b' ') else {
        return [None, None];
    };
    let (scheme, rest) = value.split_at(blank);
    let rest = rest.trim_ascii();
    let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
    let decoded = || STANDARD.decode(rest).ok();
    if is("Bearer") {
        [Some(Cow::Borrowed(rest)), None]
    } else if is("OAuth") {
        [Some(Cow::Borrowed(rest)), decoded().map(Cow::Owned)]
    } else if is("Basic") {
        [
            decoded().and_then(|pair| password(&pair)).map(Cow::Owned),
            None,
        ]
    } else {
        [None, None]
    }
}

fn password(pair: &[u8]) -> Option<Vec<u8>> {
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

const KEY: HeaderName = HeaderName::from_static("x-upauth-key");
/// Of Salesforce's Bulk API 1.0.
const SESSION: HeaderName = HeaderName::from_static("x-sfdc-session");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)], target: &str, expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let target = Target::of(&target.parse().unwrap()).unwrap();
        let found: Vec<_> = offered(&headers, &target, &["oauth_token"])
            .map(|credential| String::from_utf8(credential.into_owned()).unwrap())
            .collect();
        assert_eq!(found, expected, "{fields:?} {target:?}");
    }

    #[test]
    fn credentials_are_found_in_header_fields() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        let rows: [Row<'_>; 18] = [
            (&[("x-upauth-key", "k")], &["k"]),
            (&[("x-upauth-key", " k ")], &["k"]),
            (&[("x-upauth-key", "")], &[]),
            (&[("x-upauth-key", "a"), ("x-upauth-key", "b")], &["a", "b"]),
            (&[("x_upauth_key", "k")], &[]),
            (&[("authorization", "Bearer k")], &["k"]),
            (&[("authorization", "bearer  k ")], &["k"]),
            (&[("authorization", "OAuth k")], &["k"]),
            (&[("authorization", "OAuth undefined")], &["undefined"]),
            (&[("authorization", "OAuth e30=")], &["e30=", "{}"]),
            (&[("authorization", "Basic dTprOms=")], &["k:k"]),
            (&[("authorization", "BASIC Oms=")], &["k"]),
            (&[("authorization", "Basic dTo=")], &[]),
            (&[("authorization", "Basic dQ==")], &[]),
            (&[("authorization", "Basic u:k")], &[]),
            (
                &[("authorization", "Digest k"), ("authorization", "k")],
                &[],
            ),
            (&[("x-sfdc-session", "k")], &["k"]),
            (
                &[("authorization", "Bearer a"), ("x-upauth-key", "b")],
                &["b", "a"],
            ),
        ];
        for (fields, expected) in rows {
            check(fields, "/", expected);
        }
    }

    #[test]
    fn credentials_are_found_in_listed_query_parameters() {
        let rows: [(&str, &[&str]); 6] = [
            ("/id?oauth_token=k", &["k"]),
            ("/id?a=b&OAuth%5Ftoken=00D%21k", &["00D!k"]),
            ("/id?oauth_token=a&oauth_token=b", &["a", "b"]),
            ("/id?oauth_token=&oauth_token", &[]),
            ("/id?access_token=k", &[]),
            ("/oauth_token=k", &[]),
        ];
        for (target, expected) in rows {
            check(&[], target, expected);
        }
    }
}
