//! `Set-Cookie` of an answer, turned so that the cookie belongs to the proxy.
//!
//! The caller's `Cookie` is [`credentials`](crate::message::credentials)' business.

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName, SET_COOKIE};

/// Takes `Domain` off, puts `Path` behind `prefix` (`/crm`, or empty) and, on a `plain` listener, drops `Secure` with
/// what needs it (RFC 6265 section 4.1.2). Only the cookies named in `names` pass: no other of the caller's goes back, and
/// what an upstream sets for a host is shared by every port of it (section 8.5), a session that our credential opened too.
pub fn set_cookies(headers: &mut HeaderMap, names: &[&str], prefix: &str, plain: bool) {
    headers.remove(SET_COOKIE2);
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let turned: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| turn(cookie.as_bytes(), names, prefix, plain))
        .collect();
    headers.remove(SET_COOKIE);
    for cookie in turned {
        headers.append(SET_COOKIE, cookie);
    }
}

/// `None`: the cookie does not pass.
fn turn(cookie: &[u8], names: &[&str], prefix: &str, plain: bool) -> Option<HeaderValue> {
    let mut parts = cookie.split(|byte| *byte == b';');
    let pair = parts.next()?.trim_ascii();
    let (name, _) = split_pair(pair);
    if !names.iter().any(|known| known.as_bytes() == name) || !pair.contains(&b'=') {
        return None;
    }
    let mut turned = pair.to_vec();
    let mut path: &[u8] = b"/";
    for part in parts {
        let (name, value) = split_pair(part);
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("path") {
            // The last one counts; one that is no absolute path counts as none (section 5.2.4).
            path = if value.starts_with(b"/") { value } else { b"/" };
            continue;
        }
        // Without Secure a browser refuses SameSite=None and Partitioned cookies.
        let needs_tls = is("secure")
            || is("partitioned")
            || (is("samesite") && value.eq_ignore_ascii_case(b"none"));
        if !(part.trim_ascii().is_empty() || is("domain") || (plain && needs_tls)) {
            turned.extend_from_slice(b"; ");
            turned.extend_from_slice(part.trim_ascii());
        }
    }
    // Path=/ behind /crm is /crm, which covers both /crm and /crm/ (section 5.1.4).
    let path = if path == b"/" && !prefix.is_empty() {
        b""
    } else {
        path
    };
    turned.extend_from_slice(b"; Path=");
    turned.extend_from_slice(prefix.as_bytes());
    turned.extend_from_slice(path);
    let mut turned = HeaderValue::from_bytes(&turned).ok()?;
    turned.set_sensitive(true);
    Some(turned)
}

fn split_pair(part: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = part.splitn(2, |byte| *byte == b'=');
    let name = halves.next().unwrap_or_default().trim_ascii();
    (name, halves.next().unwrap_or_default().trim_ascii())
}

/// The obsolete form of RFC 2965: nobody needs it, and a session could hide in it.
const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cookie: &str, prefix: &str, plain: bool, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, cookie.parse().unwrap());
        set_cookies(&mut headers, &["BrowserId", "a", "__Host-a"], prefix, plain);
        let got = headers.get(SET_COOKIE).map(|value| value.to_str().unwrap());
        assert_eq!(got, expected, "{cookie} {prefix} {plain}");
    }

    #[test]
    fn domain_path_and_secure_are_turned() {
        let sent = "BrowserId=x; domain=.salesforce.com; path=/; expires=Tue, 23-Nov-2027 12:00:00 GMT; Max-Age=9; Secure; HttpOnly; SameSite=None";
        let rows = [
            (
                sent,
                "/crm",
                false,
                "BrowserId=x; expires=Tue, 23-Nov-2027 12:00:00 GMT; Max-Age=9; Secure; HttpOnly; SameSite=None; Path=/crm",
            ),
            (
                sent,
                "/crm",
                true,
                "BrowserId=x; expires=Tue, 23-Nov-2027 12:00:00 GMT; Max-Age=9; HttpOnly; Path=/crm",
            ),
            (
                sent,
                "",
                false,
                "BrowserId=x; expires=Tue, 23-Nov-2027 12:00:00 GMT; Max-Age=9; Secure; HttpOnly; SameSite=None; Path=/",
            ),
            ("a=b", "/crm", true, "a=b; Path=/crm"),
            ("a=b", "", true, "a=b; Path=/"),
            (
                "a=b;Path=/cometd;DOMAIN=x;SECURE",
                "/crm",
                true,
                "a=b; Path=/crm/cometd",
            ),
            ("a=b; Path=/cometd", "", true, "a=b; Path=/cometd"),
            ("a=b; Path=", "/crm", true, "a=b; Path=/crm"),
            ("a=b; Path=x", "/crm", true, "a=b; Path=/crm"),
            ("a=b; Path=/x; path=/y", "/crm", true, "a=b; Path=/crm/y"),
            (
                "a=b; SameSite=Lax; Partitioned; Secure",
                "",
                true,
                "a=b; SameSite=Lax; Path=/",
            ),
            ("a=b;; HttpOnly;", "", true, "a=b; HttpOnly; Path=/"),
            ("a=b=c; x-own=1", "", true, "a=b=c; x-own=1; Path=/"),
            (
                "__Host-a=b; Path=/; Secure",
                "",
                false,
                "__Host-a=b; Secure; Path=/",
            ),
        ];
        for (cookie, prefix, plain, expected) in rows {
            check(cookie, prefix, plain, Some(expected));
        }
    }

    #[test]
    fn only_cookies_that_may_come_back_pass() {
        let rows = [
            ("BrowserId=x; Path=/", true),
            (" BrowserId =x", true),
            ("BrowserId=", true),
            ("browserid=x", false),
            ("__Host-BrowserId=x", false),
            ("BrowserId", false),
            ("sid=00D!AQ; Path=/", false),
            ("JSESSIONID=x; HttpOnly", false),
            ("x=BrowserId", false),
            ("", false),
            // Without a name it comes back as its value (RFC 6265bis section 5.6).
            ("=BrowserId=x", false),
        ];
        for (cookie, passes) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, cookie.parse().unwrap());
            set_cookies(&mut headers, &["BrowserId"], "/crm", true);
            assert_eq!(headers.contains_key(SET_COOKIE), passes, "{cookie}");
        }
    }

    #[test]
    fn every_line_is_looked_at() {
        let mut headers = HeaderMap::new();
        for cookie in ["a=1", "sid=s", "b=2"] {
            headers.append(SET_COOKIE, cookie.parse().unwrap());
            headers.append("set-cookie2", cookie.parse().unwrap());
        }
        set_cookies(&mut headers, &["a", "b"], "", true);
        let values: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(values, ["a=1; Path=/", "b=2; Path=/"]);
        assert_eq!(headers.len(), 2);
    }
}
