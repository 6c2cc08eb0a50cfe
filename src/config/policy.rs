//! What callers may do: methods and paths, of an upstream or a route.

use http::Method;

use super::reading::Reading;
use super::section::Section;
use crate::code::{self, Code};
use crate::message::PathRule;
use crate::message::check::METHODS;

/// Methods and paths, on an upstream.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
    /// Allowed methods; empty: all.
    pub methods: Vec<Method>,
    /// Denied paths; beats `allow`.
    pub deny: Vec<PathRule>,
    /// If given, all that may pass; also opens calls that the provider denies by default.
    pub allow: Vec<PathRule>,
}

impl Policy {
    pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Self {
        Self {
            read_only: table.flag("read_only", reading),
            methods: methods(table, reading),
            deny: table.parsed("deny", str::parse, RULES, reading),
            allow: allow(table, reading),
        }
    }
}

/// `allow`. An empty list could be meant to let nothing pass, and would let everything.
fn allow(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<PathRule> {
    let (given, place) = (table.has("allow"), table.span_of("allow"));
    let before = reading.problems.len();
    let rules = table.parsed("allow", str::parse, RULES, reading);
    if given && rules.is_empty() && reading.problems.len() == before {
        reading
            .problem(&code::BAD_VALUE, place, "`allow` is empty")
            .help("to allow nothing, write deny = [\"/**\"]; to limit nothing, leave `allow` out, in [defaults.upstream] too");
    }
    rules
}

/// `methods` of an upstream or route.
pub(super) fn methods(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<Method> {
    let remedy = (
        &code::BAD_METHOD,
        "one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, in capitals; no other is ever forwarded",
    );
    table.parsed("methods", method, remedy, reading)
}

fn method(text: &str) -> Result<Method, &'static str> {
    let mut known = METHODS.into_iter();
    let method = known.find(|method| method.as_str() == text);
    method.ok_or("is not a method that is forwarded")
}

/// How a path rule is written.
pub(super) const RULES: (&Code, &str) = (
    &code::BAD_RULE,
    "[METHOD ]/segment/*/**: \"/services/data/**\", \"DELETE /services/**\"; methods are GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS, * is a whole segment, and there are no regular expressions",
);
