//! Takes off a message what does not go on: each name is looked at once.

use http::HeaderMap;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ALT_SVC, CONNECTION,
    CONTENT_LENGTH, COOKIE, EXPECT, HOST, MAX_FORWARDS, STRICT_TRANSPORT_SECURITY,
    TRANSFER_ENCODING,
};

use super::rejection::Rejection;
use super::twins::{Names, Spelled, remove_where};
use super::{credentials, forwarding, hop_by_hop};

/// Takes off a request what belongs to the caller's connection, who the caller is and says it is, and every field in
/// `ours`, each with its twins; of the cookies those named in `cookies` stay; `Max-Forwards` is counted down. Refuses a
/// `Connection` that cannot be obeyed.
///
/// `Host` and the length are written anew for the next hop, and the expectation is met here: hyper sends 100 when the body
/// is first read (RFC 9110 section 10.1.1).
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
        if matches!(*name, HOST | CONTENT_LENGTH | EXPECT) || hop_by_hop::covers(name) {
            return true;
        }
        limited |= *name == MAX_FORWARDS;
        let name = Spelled::of(name.as_str());
        credentials::covers(name)
            || forwarding::covers(name)
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

/// Takes off an answer what belongs to the upstream's connection, what it says to pages of its own, and what would bind
/// or empty the caller's view of our host. hyper writes the length of the body that is really there: the upstream's own word
/// stands (`keeps_length`) only where there is none by definition (RFC 9110 section 8.6), and not beside a transfer coding.
pub fn answer(headers: &mut HeaderMap, keeps_length: bool) {
    let named = match headers.contains_key(CONNECTION) {
        true => hop_by_hop::named_in_answer(headers),
        false => Vec::new(),
    };
    for name in named {
        headers.remove(name);
    }
    let keeps_length = keeps_length && !headers.contains_key(TRANSFER_ENCODING);
    remove_where(headers, |name| match *name {
        CONTENT_LENGTH => !keeps_length,
        ACCESS_CONTROL_ALLOW_ORIGIN | ACCESS_CONTROL_ALLOW_CREDENTIALS => true,
        ALT_SVC | STRICT_TRANSPORT_SECURITY => true,
        _ => hop_by_hop::covers(name) || name.as_str() == CLEAR_SITE_DATA,
    });
}

/// W3C: "cookies" are those of every port of a host, so of everything on localhost.
const CLEAR_SITE_DATA: &str = "clear-site-data";

#[cfg(test)]
mod tests {
    use super::*;

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
            "content-length",
            "content-type",
        ] {
            headers.append(name, "1".parse().unwrap());
        }
        answer(&mut headers, true);
        assert_eq!(headers.len(), 2);
        answer(&mut headers, false);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("content-type"));
    }
}
