//! `Set-Cookie` of an answer, turned so that the cookie belongs to the proxy and is no session of the upstream.
//!
//! The caller's `Cookie` is [`credentials`](crate::message::credentials)' business.

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName, SET_COOKIE};

/// Takes `Domain` off, puts `Path` behind `prefix` (`/crm`, or empty) and, on a `plain` listener, drops `Secure` with
/// what needs it (RFC 6265 section 4.1.2). Cookies that are a session never pass.
pub fn set_cookies(headers: &mut HeaderMap, prefix: &str, plain: bool) {
    headers.remove(SET_COOKIE2);
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let turned: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| turn(cookie.as_bytes(), prefix, plain))
        .collect();
    headers.remove(SET_COOKIE);
    for cookie in turned {
        headers.append(SET_COOKIE, cookie);
    }
}

/// `None`: the cookie does not pass.
fn turn(cookie: &[u8], prefix: &str, plain: bool) -> Option<HeaderValue> {
    let mut parts = cookie.split(|byte| *byte == b';');
    let pair = parts.next()?.trim_ascii();
    let (name, _) = split_pair(pair);
    if name.is_empty() || is_session(name) || !pair.contains(&b'=') {
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

/// Whether a cookie of this name is a session by itself, with or without a prefix of RFC 6265bis section 4.1.3.
fn is_session(name: &[u8]) -> bool {
    let bare = ["__secure-", "__host-"].iter().find_map(|prefix| {
        let (front, rest) = name.split_at_checked(prefix.len())?;
        front
            .eq_ignore_ascii_case(prefix.as_bytes())
            .then_some(rest)
    });
    let name = bare.unwrap_or(name);
    SESSIONS
        .iter()
        .any(|session| name.eq_ignore_ascii_case(session.as_bytes()))
}

/// Salesforce's and Zuora's.
const SESSIONS: [&str; 4] = ["sid", "sid_Client", "oid", "ZSession"];

/// The obsolete form of RFC 2965: nobody needs it, and a session could hide in it.
const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cookie: &str, prefix: &str, plain: bool, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, cookie.parse().unwrap());
        set_cookies(&mut headers, prefix, plain);
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
    fn session_cookies_never_pass() {
        let rows = [
            ("sid=00D!AQ; Path=/", false),
            ("SID=x", false),
            (" sid =x", false),
            ("sid_Client=x", false),
            ("oid=00D", false),
            ("ZSession=x; HttpOnly", false),
            ("zsession=", false),
            ("__Host-sid=x", false),
            ("__Secure-ZSession=x", false),
            ("sid", false),
            ("", false),
            // Without a name it comes back as its value (RFC 6265bis section 5.6).
            ("=sid=x", false),
            ("side=x", true),
            ("x=sid", true),
            ("__Host-x=1", true),
        ];
        for (cookie, passes) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, cookie.parse().unwrap());
            set_cookies(&mut headers, "/crm", true);
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
        set_cookies(&mut headers, "", true);
        let values: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(values, ["a=1; Path=/", "b=2; Path=/"]);
        assert_eq!(headers.len(), 2);
    }
}
