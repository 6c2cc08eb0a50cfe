//! Takes off a message what does not go on: each name is looked at once.

use std::sync::LazyLock;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ALT_SVC, CACHE_CONTROL,
    CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, COOKIE, EXPECT, HOST, LINK, LOCATION,
    MAX_FORWARDS, REFRESH, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::credentials::{self, CREDENTIALS};
use super::forwarding::{self, FORWARDING, PREFIXES};
use super::hop_by_hop::{self, PROTECTED};
use super::rejection::Rejection;
use super::twins::{Names, Spelled, remove_where};

/// Takes off a request what belongs to the caller's connection, who the caller is and says it is, and every field in
/// `ours`, each with its twins; of the cookies those named in `cookies` stay; `Max-Forwards` is counted down. Refuses a
/// `Connection` that cannot be obeyed.
///
/// `Host` and the length stay, and do not go on: they are written anew for the next hop. The expectation is met here: hyper
/// sends 100 when the body is first read (RFC 9110 section 10.1.1).
pub fn request(
    headers: &mut HeaderMap,
    ours: &[&Names],
    cookies: &[&str],
) -> Result<(), Rejection> {
    let named = match headers.contains_key(CONNECTION) {
        true => hop_by_hop::named(headers)?,
        false => Vec::new(),
    };
    for name in named {
        headers.remove(name);
    }
    let cookies = match cookies.is_empty() {
        true => None,
        false => credentials::keep_cookies(headers, cookies),
    };
    let mut limited = false;
    remove_where(headers, |name| {
        if matches!(*name, HOST | CONTENT_LENGTH) {
            return false;
        }
        if *name == EXPECT || hop_by_hop::covers(name) {
            return true;
        }
        limited |= *name == MAX_FORWARDS;
        let name = Spelled::of(name.as_str());
        NEVER.cover(name)
            || PREFIXES.iter().any(|prefix| name.begins(prefix))
            || ours.iter().any(|names| names.cover(name))
    });
    if let Some(cookies) = cookies {
        headers.insert(COOKIE, cookies);
    }
    if limited
        && let Some(hops) = headers.remove(MAX_FORWARDS)
        && let Some(fewer) = forwarding::fewer_forwards(&hops)
    {
        headers.insert(MAX_FORWARDS, fewer);
    }
    Ok(())
}

/// What no upstream is sent: whose twin some server takes for a credential of the caller's, for where a request comes from, or
/// for where a message goes or ends. Of the last none goes on itself: they are written anew.
static NEVER: LazyLock<Names> = LazyLock::new(|| {
    let protected = PROTECTED.iter().map(HeaderName::as_str);
    Names::of(CREDENTIALS.into_iter().chain(FORWARDING).chain(protected))
});

/// Takes the blanks off both ends of each value, as HTTP/1 does for its callers. HTTP/2 has them only from who should have
/// sent none (RFC 9113 section 8.2.1), and passed on they would be a part of the value to some and not to others.
pub fn blanks(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        let trimmed = value.as_bytes().trim_ascii();
        if trimmed.len() < value.len()
            && let Ok(mut trimmed) = HeaderValue::from_bytes(trimmed)
        {
            // As the caller wants it kept out of tables (RFC 7541 section 7.1.3).
            trimmed.set_sensitive(value.is_sensitive());
            *value = trimmed;
        }
    }
}

/// What an answer speaks of that is another's in front of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speaks {
    /// Of places: `Location`, `Content-Location`, `Link` or `Refresh`.
    pub places: bool,
    /// `Set-Cookie`.
    pub cookies: bool,
    /// `Cache-Control`.
    pub caching: bool,
}

/// Takes off an answer what belongs to the upstream's connection, what it says to pages of its own, and what would bind
/// or empty the caller's view of our host; says what is left to be turned. The length stays where it may (`keeps_length`):
/// where it is that of the body, or where there is none by definition (RFC 9110 section 8.6); not beside a transfer coding.
pub fn answer(headers: &mut HeaderMap, keeps_length: bool) -> Speaks {
    let mut speaks = Speaks::default();
    let (mut of_connection, mut coded, mut length) = (false, false, false);
    let mut doomed = SmallVec::<[HeaderName; 4]>::new();
    for name in headers.keys() {
        match *name {
            LOCATION | CONTENT_LOCATION | LINK | REFRESH => speaks.places = true,
            SET_COOKIE => speaks.cookies = true,
            CACHE_CONTROL => speaks.caching = true,
            CONTENT_LENGTH => length = true,
            ACCESS_CONTROL_ALLOW_ORIGIN
            | ACCESS_CONTROL_ALLOW_CREDENTIALS
            | ALT_SVC
            | STRICT_TRANSPORT_SECURITY => doomed.push(name.clone()),
            _ if hop_by_hop::covers(name)
                || is_ours(name)
                || binds_host(name)
                || places_anew(name)
                || steers_proxies(name) =>
            {
                of_connection |= *name == CONNECTION;
                coded |= *name == TRANSFER_ENCODING;
                doomed.push(name.clone());
            }
            _ => {}
        }
    }
    if of_connection {
        doomed.extend(hop_by_hop::named_in_answer(headers));
    }
    if length && (coded || !keeps_length) {
        doomed.push(CONTENT_LENGTH);
    }
    for name in doomed {
        headers.remove(name);
    }
    speaks
}

/// An upstream behind a proxy like this one says it of a request that is not the caller's.
fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-upauth-")
}

/// What browsers keep of a host, or do to all of it: on localhost that is every upstream, for some of them every port.
fn binds_host(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "clear-site-data"
            | "service-worker-allowed"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
            | "public-key-pins"
            | "public-key-pins-report-only"
            | "expect-ct"
            | "accept-ch"
            | "set-login"
            | "speculation-rules"
            | "use-as-dictionary"
            | "activate-storage-access"
            | "secure-session-registration"
            | "sec-session-registration"
    )
}

/// What some clients follow in the place of `Location` (RFC 1945 section D.2.10: Python), or take for what it stands beside (RFC 2068
/// section 14.11: Perl). Neither is in use, and nobody turns it.
fn places_anew(name: &HeaderName) -> bool {
    matches!(name.as_str(), "uri" | "content-base" | "base")
}

/// What a proxy in front of this one does as its upstream says, and means its own upstream by that: serve a file or an address
/// of its own, keep an answer whatever `Cache-Control` says, or send no more requests here (nginx and its mod_zip, lighttpd, LiteSpeed, Perlbal,
/// Envoy; RFC 9213; Edge Architecture). Whether to buffer is none of that.
fn steers_proxies(name: &HeaderName) -> bool {
    let name = name.as_str();
    // By the first letter: nearly every field of nearly every answer is none of them.
    let steers = match name.as_bytes().first() {
        Some(b'x') => {
            let of_nginx = name.starts_with("x-accel-") && name != "x-accel-buffering";
            of_nginx
                || name.starts_with("x-sendfile")
                || name.starts_with("x-litespeed-")
                || name.starts_with("x-reproxy-")
                || matches!(
                    name,
                    "x-lighttpd-send-file"
                        | "x-archive-files"
                        | "x-envoy-immediate-health-check-fail"
                        | "x-envoy-degraded"
                        | "x-envoy-overloaded"
                )
        }
        Some(b's' | b'e') => matches!(name, "surrogate-control" | "edge-control"),
        _ => false,
    };
    steers || name.ends_with("cdn-cache-control")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_value_go_and_nothing_else() {
        let rows = [
            ("a", "a"),
            (" a ", "a"),
            ("\ta \t", "a"),
            ("a \t b", "a \t b"),
            ("  ", ""),
            ("", ""),
        ];
        for (given, expected) in rows {
            for sensitive in [true, false] {
                let mut headers = HeaderMap::new();
                let mut value: HeaderValue = given.parse().unwrap();
                value.set_sensitive(sensitive);
                headers.append("x-a", HeaderValue::from_static("1"));
                headers.append("x-a", value);
                blanks(&mut headers);
                let left: Vec<_> = headers.get_all("x-a").iter().collect();
                assert_eq!(left, ["1", expected], "{given:?}");
                assert_eq!(left[1].is_sensitive(), sensitive, "{given:?}");
            }
        }
    }

    #[test]
    fn a_name_of_ours_goes_with_its_twins() {
        let names = Names::of(["x-tenant"]);
        let mut headers = HeaderMap::new();
        for name in ["x-tenant", "x_tenant", "xtenant", "x-tenants"] {
            headers.append(name, "1".parse().unwrap());
        }
        request(&mut headers, &[&names], &[]).unwrap();
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-tenants"));
    }

    #[test]
    fn an_answer_says_nothing_to_pages_and_of_its_host() {
        let mut headers = HeaderMap::new();
        for name in [
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "alt-svc",
            "strict-transport-security",
            "clear-site-data",
            "service-worker-allowed",
            "nel",
            "report-to",
            "reporting-endpoints",
            "public-key-pins",
            "accept-ch",
            "set-login",
            "speculation-rules",
            "public-key-pins-report-only",
            "use-as-dictionary",
            "secure-session-registration",
            "uri",
            "base",
            "content-base",
            "content-length",
            "content-type",
        ] {
            headers.append(name, "1".parse().unwrap());
        }
        assert_eq!(answer(&mut headers, true), Speaks::default());
        assert_eq!(headers.len(), 2);
        answer(&mut headers, false);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("content-type"));
    }

    #[test]
    fn an_answer_does_not_steer_a_proxy_in_front() {
        let rows = [
            ("x-accel-redirect", false),
            ("x-accel-expires", false),
            ("x-accel-buffering", true),
            ("x-sendfile", false),
            ("x-sendfile-temporary", false),
            ("x-lighttpd-send-file", false),
            ("x-litespeed-location", false),
            ("x-reproxy-url", false),
            ("x-reproxy-file", false),
            ("x-archive-files", false),
            ("x-envoy-immediate-health-check-fail", false),
            ("x-envoy-upstream-service-time", true),
            ("surrogate-control", false),
            ("cdn-cache-control", false),
            ("cloudflare-cdn-cache-control", false),
            ("edge-control", false),
            ("x-cache", true),
            ("expires", true),
        ];
        for (name, stays) in rows {
            let mut headers = HeaderMap::new();
            headers.append(name, "1".parse().unwrap());
            answer(&mut headers, true);
            assert_eq!(headers.contains_key(name), stays, "{name}");
        }
    }

    #[test]
    fn a_length_does_not_stay_beside_a_transfer_coding() {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_LENGTH, 3.into());
        answer(&mut headers, true);
        assert_eq!(headers.len(), 1);
        headers.append(TRANSFER_ENCODING, "chunked".parse().unwrap());
        answer(&mut headers, true);
        assert!(headers.is_empty());
    }

    #[test]
    fn what_is_to_be_turned_is_told() {
        let rows = [
            ("location", true, false, false),
            ("content-location", true, false, false),
            ("link", true, false, false),
            ("set-cookie", false, true, false),
            ("cache-control", false, false, true),
            ("content-type", false, false, false),
        ];
        for (name, places, cookies, caching) in rows {
            let mut headers = HeaderMap::new();
            headers.append(name, "1".parse().unwrap());
            let expected = Speaks {
                places,
                cookies,
                caching,
            };
            assert_eq!(answer(&mut headers, true), expected, "{name}");
            assert!(headers.contains_key(name));
        }
    }
}
