//! Names and places: which names can be used, and that no two upstreams or routes want the same place.

use std::ops::Range;

use super::reading::Reading;
use super::{Route, Upstream};
use crate::code;

/// Whether upstreams, routes and keys can have this name: 1 to 40 lower-case letters, digits and hyphens.
pub fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(letter)
}

/// Checks the NAME of `[upstream.NAME]` or `[route.NAME]`, or a key's; `quoted` is how a problem may call it. That of an upstream
/// becomes a path prefix.
pub(super) fn check(
    name: &str,
    quoted: &str,
    span: &Range<usize>,
    upstream: bool,
    reading: &mut Reading<'_>,
) {
    if !is_name(name) {
        reading
            .problem(
                &code::BAD_NAME,
                span.clone(),
                format!("{quoted} cannot be a name"),
            )
            .help("1 to 40 lower-case letters, digits and hyphens");
    } else if upstream && is_shadowing(name) {
        let message =
            format!("an upstream `{name}` would hide paths of an API that begin with /{name}/");
        reading
            .problem(&code::SHADOWING_NAME, span.clone(), message)
            .help("choose another name, such as `crm`");
    }
}

/// Checks that a request can belong to one upstream or route only. Each comes with the place of its name.
pub(super) fn places(
    upstreams: &[(Upstream, Range<usize>)],
    routes: &[(Route, Range<usize>)],
    reading: &mut Reading<'_>,
) {
    for (at, (upstream, span)) in upstreams.iter().enumerate() {
        let others = upstreams.iter().take(at).map(|(other, _)| other);
        let mut same = others.filter(|other| other.host.is_some() && other.host == upstream.host);
        if let Some(other) = same.next() {
            clash(&upstream.name, &other.name, "host", span, reading);
        }
        let Some(host) = &upstream.host else {
            continue;
        };
        if is_loopback(host) {
            let message = format!("`{host}` is the host of all upstreams");
            reading
                .problem(&code::SAME_PLACE, span.clone(), message)
                .help(format!(
                    "choose a name of its own; [server] default = \"{}\" makes it answer at /",
                    upstream.name
                ));
        }
        let local = host.strip_suffix(".localhost");
        let mut others = upstreams.iter().map(|(other, _)| &other.name);
        if let Some(other) = others.find(|name| local == Some(name) && **name != upstream.name) {
            clash(&upstream.name, other, "host", span, reading);
        }
    }
    for (at, (route, span)) in routes.iter().enumerate() {
        let others = routes.iter().take(at).map(|(other, _)| other);
        // Listeners are told apart by their addresses, which are checked elsewhere.
        let open = |route: &Route| route.listen.is_empty();
        let mut same = others.filter(|other| {
            open(other) && open(route) && other.host == route.host && other.path == route.path
        });
        if let Some(other) = same.next() {
            clash(&route.name, &other.name, "path and host", span, reading);
        }
        let own = |upstream: &&(Upstream, Range<usize>)| {
            upstream.0.name != route.upstream
                && route.host.is_none()
                && open(route)
                && route.path.strip_prefix('/') == Some(&upstream.0.name)
        };
        if let Some((other, _)) = upstreams.iter().find(own) {
            clash(&route.name, &other.name, "path", span, reading);
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

fn clash(name: &str, other: &str, what: &str, span: &Range<usize>, reading: &mut Reading<'_>) {
    reading
        .problem(
            &code::SAME_PLACE,
            span.clone(),
            format!("`{name}` and `{other}` have the same {what}"),
        )
        .help("give each a host, path or listener of its own");
}

/// First segments of the paths of the APIs.
fn is_shadowing(name: &str) -> bool {
    let version = name
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    version || SHADOWING.contains(&name)
}

const SHADOWING: &[&str] = &[
    "services",
    "id",
    "secur",
    "cometd",
    "oauth",
    "oauth2",
    "apps",
    "rest",
    "servlet",
    "sfc",
    "sfsites",
    "login",
    "logout",
    "soap",
    "saml",
    "idp",
    "aura",
    "lightning",
    "visualforce",
    "setup",
    "hub",
    "asset",
    "interaction",
    "messaging",
    "platform",
    "automation",
    "contacts",
    "data",
    "email",
    "push",
    "sms",
];
