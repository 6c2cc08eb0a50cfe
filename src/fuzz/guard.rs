//! `guard`: who passes has asked for a host that is served, and is no page of another origin.
//!
//! An input is the head of a request. The oracle reads it by its own means.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use http::request::Parts;
use http::{HeaderMap, Uri, Version};

use crate::message::{Guard, Own};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Some((parts, _)) = super::request(data) else {
        return;
    };
    if GUARD.check(&parts).is_err() {
        assert!(
            GUARD
                .cors_origin(&parts.headers)
                .is_none_or(|origin| is_listed(origin.to_str().unwrap()))
        );
        return;
    }
    let host = host(&parts);
    match &host {
        Some(host) => assert!(is_served(host), "{host} is served"),
        None => assert_eq!(parts.version, Version::HTTP_10),
    }
    let origins = all(&parts.headers, "origin");
    let sites = all(&parts.headers, "sec-fetch-site");
    assert!(origins.len() < 2 && sites.len() < 2 || origins.iter().all(|o| is_listed(o)));
    let listed = origins.first().is_some_and(|origin| is_listed(origin));
    if let Some(origin) = origins.first() {
        let own = host.as_deref().is_some_and(|host| is_own(origin, host));
        assert!(listed || own, "a page of {origin} calls {host:?}");
    }
    let foreign = sites
        .iter()
        .any(|site| *site == "cross-site" || *site == "same-site");
    assert!(listed || !foreign, "{sites:?}");
    let name = host
        .as_deref()
        .map(|host| split(host).0.to_ascii_lowercase());
    let is_named = name.is_some_and(|name| name.starts_with("proxy.example"));
    let opened = parts.headers.contains_key("upgrade-insecure-requests");
    let silent = origins.is_empty() && sites.is_empty() && !parts.headers.contains_key("referer");
    assert!(!(is_named && opened && silent), "it may be any page's");
}

/// What the request asks for: RFC 9112 section 3.2.2.
fn host(parts: &Parts) -> Option<String> {
    let target = parts.uri.authority().map(ToString::to_string);
    let hosts = all(&parts.headers, "host");
    assert!(hosts.len() < 2, "{hosts:?}");
    target.or_else(|| hosts.first().map(|host| host.to_string()))
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<Cow<'a, str>> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    texts.collect()
}

/// By what stands in the configuration: these names, this machine's own, whatever the port.
fn is_served(host: &str) -> bool {
    let (name, port) = split(host);
    let name = name.to_ascii_lowercase();
    // In no other spelling do browsers know that it is this machine.
    let own = name == "[::1]" || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_below = |top: &str| name.ends_with(top) && name.len() > top.len();
    port_is_one
        && (["proxy.example", "proxy.example.", "localhost"].contains(&name.as_str())
            || is_below(".localhost") && !name.contains(['@', '/', '\\', '?', '#', ':'])
            || own)
}

fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    }
}

fn is_listed(origin: &str) -> bool {
    let listed = [("https", "app.example", 443), ("http", "localhost", 3000)];
    page(origin).is_some_and(|page| {
        let page = (page.0.as_str(), page.1.as_str(), page.2);
        listed.contains(&page)
    })
}

/// Whether a page of `origin` is one of the proxy at `host`.
fn is_own(origin: &str, host: &str) -> bool {
    page(origin).is_some_and(|(scheme, name, port)| place(&scheme, host) == Some((name, port)))
}

/// Scheme, name and port of an origin.
fn page(origin: &str) -> Option<(String, String, u16)> {
    let url: Uri = origin.parse().ok()?;
    let scheme = url.scheme_str()?.to_owned();
    let (name, port) = place(&scheme, url.authority()?.as_str())?;
    (url.path() == "/" && url.query().is_none()).then_some((scheme, name, port))
}

/// Name and port at `authority`; a name with a dot behind it is the same.
fn place(scheme: &str, authority: &str) -> Option<(String, u16)> {
    let (name, port) = split(authority);
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    Some((name, port))
}

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let origins = ["https://app.example", "http://localhost:3000"];
    let origins = origins.map(|origin| origin.parse().unwrap());
    let own = Own::new(["Proxy.example.".to_owned()], Vec::new(), None);
    Guard::new(own, origins.to_vec()).keyless(true)
});
