//! What is a credential of the caller's: none goes on, since the proxy adds the only one.
//!
//! Credentials in query parameters are cut by [`Target::without_parameters`](super::Target::without_parameters); those
//! in SOAP envelopes are not looked at here.

use http::HeaderValue;
use http::header::{COOKIE, HeaderMap};

/// The cookies named in `names`, joined in one field (RFC 9113 section 8.2.3).
pub(super) fn keep_cookies(headers: &HeaderMap, names: &[&str]) -> Option<HeaderValue> {
    if names.is_empty() || !headers.contains_key(COOKIE) {
        return None;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|crumb| {
            let name = crumb.split(|byte| *byte == b'=').next().unwrap_or_default();
            names.iter().any(|kept| kept.as_bytes() == name)
        })
        .collect();
    if crumbs.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether a field of this name (lower case) carries a credential.
pub fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name)
}

/// Every way in which the providers accept a credential in a header, and the key that is for
/// this proxy alone: no upstream may learn it, whether it is asked for or not.
pub(super) const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-sfdc-session",
    "apiaccesskeyid",
    "apisecretaccesskey",
    "accesstoken",
    "x-upauth-key",
];

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;
    use crate::message::strip;
    use crate::message::twins::Names;

    #[test]
    fn credentials_and_their_twins_go() {
        let ours = Names::of(["zuora-track-id"]);
        let rows = [
            ("Authorization", false),
            ("authorization_", false),
            ("Proxy-Authorization", false),
            ("Proxy_Authorization", false),
            ("X-SFDC-Session", false),
            ("x-sfdc_session", false),
            ("X_SFDC_SESSION", false),
            ("apiAccessKeyId", false),
            ("api-access-key-id", false),
            ("apiSecretAccessKey", false),
            ("accesstoken", false),
            ("access_token", false),
            ("Cookie", false),
            ("cookie_", false),
            ("X-Upauth-Key", false),
            ("X_Upauth_Key", false),
            ("Zuora_Track_Id", false),
            ("Accept", true),
            ("Content-Type", true),
            ("X-Authorization-Kind", true),
            ("Sforce-Call-Options", true),
            ("tenantid", true),
            ("zuora-version", true),
        ];
        for (name, stays) in rows {
            let mut headers = HeaderMap::new();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(&name, HeaderValue::from_static("OAuth undefined"));
            headers.append(&name, HeaderValue::from_static(""));
            strip::request(&mut headers, &[&ours], &[]).unwrap();
            assert_eq!(headers.contains_key(&name), stays, "{name}");
        }
    }

    #[test]
    fn only_listed_cookies_stay_in_one_field() {
        type Row<'a> = (&'a [&'a [u8]], Option<&'a [u8]>);
        let rows: [Row<'_>; 8] = [
            (
                &[b"BAYEUX_BROWSER=1; sid=s; BrowserId=2"],
                Some(b"BAYEUX_BROWSER=1; BrowserId=2"),
            ),
            (
                &[b"BrowserId=2", b"sid=s", b"BAYEUX_BROWSER=a=b"],
                Some(b"BrowserId=2; BAYEUX_BROWSER=a=b"),
            ),
            (&[b"  BrowserId=2  ;sid=s;"], Some(b"BrowserId=2")),
            (&[b"BrowserId=\xff"], Some(b"BrowserId=\xff")),
            (&[b"sid=s"], None),
            (&[b"browserid=2"], None),
            (&[b"xBrowserId=2; BrowserId2=2"], None),
            (&[], None),
        ];
        for (lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
            }
            strip::request(&mut headers, &[], &["BAYEUX_BROWSER", "BrowserId"]).unwrap();
            let values: Vec<_> = headers
                .get_all(COOKIE)
                .iter()
                .map(HeaderValue::as_bytes)
                .collect();
            assert_eq!(
                values,
                expected.into_iter().collect::<Vec<_>>(),
                "{lines:?}"
            );
        }
    }
}
