//! `[route.NAME]`: a narrower way to an upstream.

use http::Method;

use super::nearest::{did_you_mean, listed, nearest};
use super::policy::{methods, rules};
use super::reading::{ForWhom, Reading};
use super::section::{Leftover, Section};
use super::server::Listen;
use super::text::Text;
use super::upstream::own_host;
use crate::code;
use crate::message::PathRule;

/// `[route.NAME]`. An upstream with routes is reached only through them.
#[derive(Clone, Debug)]
pub struct Route {
    /// NAME.
    pub name: String,
    /// The upstream it leads to.
    pub upstream: String,
    /// Path prefix on a segment boundary (`/crm`), stripped. Empty: none.
    pub path: String,
    /// A host name of its own, lower case.
    pub host: Option<String>,
    /// Listeners of its own.
    pub listen: Vec<Listen>,
    /// Allowed methods; empty: all that the upstream allows.
    pub methods: Vec<Method>,
    /// Further denied paths.
    pub deny: Vec<PathRule>,
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
}

impl Route {
    /// `[route.NAME]`; `upstreams` are the names it can lead to.
    pub(super) fn read(
        name: &str,
        mut table: Section<'_>,
        upstreams: &[String],
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let span = table.span.clone();
        let placed = ["path", "host", "listen"].iter().any(|key| table.has(key));
        let host_place = table.own_key("host");
        let upstream = upstream(&mut table, upstreams, reading);
        let route = Self {
            name: name.to_owned(),
            upstream: upstream.unwrap_or_default(),
            path: path(&mut table, reading),
            host: own_host(&mut table, reading),
            listen: table
                .listen("listen", ForWhom::Callers, reading)
                .unwrap_or_default(),
            methods: methods(&mut table, reading),
            deny: rules(&mut table, "deny", reading),
            read_only: table.flag("read_only", reading),
        };
        if !placed {
            let message = format!("[{}] lacks a place: `path`, `host` or `listen`", table.name);
            reading
                .problem(&code::MISSING_KEY, span, message)
                .help(format!(
                    "add path = \"/{name}\", or path = \"/\" for all paths"
                ));
        }
        if let Some(place) = host_place
            && route.host.is_some()
            && !route.listen.is_empty()
        {
            let message = "`host` would not narrow `listen`: whoever names that host would reach this route at [server] listen, too";
            reading
                .problem(&code::TWO_PLACES, place, message)
                .help("keep `listen`, where the route is at that address alone; for both, write two routes");
        }
        let later = Leftover {
            elsewhere: &["allow", "tls", "set_headers", "remove_headers"],
            whose: "routes",
            instead: |_| "write it into the upstream, or remove it",
            ..Leftover::default()
        };
        table.finish(later, reading);
        Some(route).filter(|route| !route.upstream.is_empty())
    }
}

fn upstream(
    table: &mut Section<'_>,
    upstreams: &[String],
    reading: &mut Reading<'_>,
) -> Option<String> {
    let given = table.has("upstream");
    let text = table.text("upstream", reading);
    match text {
        Some(text) => known_upstream(text, upstreams, reading),
        None => {
            if !given {
                let message = format!("[{}] lacks `upstream`", table.name);
                let help = format!(
                    "add upstream = \"...\": one of {}",
                    listed(&names(upstreams))
                );
                reading
                    .problem(&code::MISSING_KEY, table.span.clone(), message)
                    .help(help);
            }
            None
        }
    }
}

/// The name, if there is an upstream with it; else a problem.
pub(super) fn known_upstream(
    text: Text,
    upstreams: &[String],
    reading: &mut Reading<'_>,
) -> Option<String> {
    if upstreams.contains(&text.text) {
        return Some(text.text);
    }
    let names = names(upstreams);
    let help = did_you_mean(&text.text, &names)
        .unwrap_or_else(|| format!("there are: {}", nearest(&text.text, &names)));
    let message = format!("there is no upstream {}", text.quoted());
    reading
        .problem(&code::UNKNOWN_UPSTREAM, text.span, message)
        .help(help);
    None
}

fn names(upstreams: &[String]) -> Vec<&str> {
    upstreams.iter().map(String::as_str).collect()
}

/// A prefix that ends on a segment boundary, without the last slash.
fn path(table: &mut Section<'_>, reading: &mut Reading<'_>) -> String {
    let Some(text) = table.text("path", reading) else {
        return String::new();
    };
    let path = text.text.strip_suffix('/').unwrap_or(&text.text);
    let segment = |segment: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    let sound = match path.strip_prefix('/') {
        Some(segments) => segments.split('/').all(segment),
        None => path.is_empty(),
    };
    if !sound {
        reading
            .problem(
                &code::BAD_VALUE,
                text.span.clone(),
                "`path` is not a path prefix",
            )
            .help("whole segments of letters, digits and - _ . ~: \"/crm\", \"/apps/crm\"");
    }
    path.to_owned()
}
