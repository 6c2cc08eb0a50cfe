//! What callers may do: methods and paths, of an upstream or a route.

use http::Method;

use super::Config;
use super::reading::Reading;
use super::section::Section;
use super::text::Text;
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
            deny: deny(table, reading),
            allow: allow(table, reading),
        }
    }

    /// Whether it limits and opens nothing.
    pub fn is_open(&self) -> bool {
        let Self {
            read_only,
            methods,
            deny,
            allow,
        } = self;
        !read_only && methods.is_empty() && deny.is_empty() && allow.is_empty()
    }
}

/// A rule of the file.
pub(super) struct Noted {
    /// `upstream.NAME` or `route.NAME`.
    section: String,
    rule: PathRule,
    text: Text,
}

/// A list of path rules; they are noted, for what they are worth depends on the whole file.
pub(super) fn rules(
    table: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading<'_>,
) -> Vec<PathRule> {
    let rules = table.parsed_texts(key, str::parse::<PathRule>, RULES, reading);
    reading.rules.extend(rules.iter().map(|(rule, text)| Noted {
        section: table.name.clone(),
        rule: rule.clone(),
        text: text.clone(),
    }));
    rules.into_iter().map(|(rule, _)| rule).collect()
}

/// `deny`. Who writes one besides that of [defaults.upstream] may expect both to hold; an empty one says that none does.
fn deny(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<PathRule> {
    let (place, default) = (table.span_of("deny"), table.replaced("deny"));
    let own = rules(table, "deny", reading);
    let defaults = default.and_then(|item| item.texts(reading));
    let lacks = |text: &Text| {
        let rule = text.text.parse::<PathRule>();
        rule.is_ok_and(|rule| !own.iter().any(|own| includes(own, &rule)))
    };
    let lost: Vec<_> = defaults
        .unwrap_or_default()
        .into_iter()
        .filter(lacks)
        .collect();
    if own.is_empty() || lost.is_empty() {
        return own;
    }
    let lost: Vec<_> = lost
        .iter()
        .map(|text| (!text.hidden).then_some(&*text.text))
        .collect();
    let help = match lost.into_iter().collect::<Option<Vec<_>>>() {
        Some(lost) => {
            let own = own.iter().map(PathRule::to_string);
            let all: Vec<_> = own.chain(lost.into_iter().map(str::to_owned)).collect();
            format!("write deny = [\"{}\"]", all.join("\", \""))
        }
        None => "write those rules here, too".to_owned(),
    };
    let message = "`deny` replaces that of [defaults.upstream], and lacks rules that stand there";
    reading
        .problem(&code::LOST_RULES, place, message)
        .help(help)
        .warning();
    own
}

/// Whether `rule` denies whatever `other` does, as far as their texts tell.
fn includes(rule: &PathRule, other: &PathRule) -> bool {
    let [rule, other] = [rule, other].map(|rule| rule.to_string().to_ascii_lowercase());
    let (method, path) = parts(&rule);
    let (other_method, other_path) = parts(&other);
    let below = path.strip_suffix("**");
    let covers = path == other_path || below.is_some_and(|path| other_path.starts_with(path));
    covers && (method.is_empty() || method == other_method)
}

/// Warns of rules that begin with what is no part of the paths that rules see.
pub(super) fn warn(config: &Config, reading: &mut Reading<'_>) {
    for noted in std::mem::take(&mut reading.rules) {
        let rule = noted.rule.to_string();
        let (method, path) = parts(&rule);
        let (fronts, base) = unseen(&noted.section, config);
        let fronts = fronts.iter().filter_map(|front| without(path, front));
        let behind = fronts.min_by_key(|rest| rest.len()).unwrap_or(path);
        let behind = base
            .and_then(|base| without(behind, base))
            .unwrap_or(behind);
        if behind.len() == path.len() {
            continue;
        }
        let front = path.strip_suffix(behind).unwrap_or(path);
        let behind = if behind.is_empty() { "/" } else { behind };
        let (what, help) = match noted.text.hidden {
            true => ("a prefix".to_owned(), "leave it out".to_owned()),
            false => (format!("`{front}`"), format!("write \"{method}{behind}\"")),
        };
        let quoted = noted.text.quoted();
        let message = format!("{quoted} begins with {what} that rules see no path with");
        reading
            .problem(&code::RULE_WITH_PREFIX, noted.text.span, message)
            .label("it can hardly match")
            .help(format!(
                "{help}; if paths of the API itself begin so, leave it as it is"
            ))
            .warning();
    }
}

/// What rules of `section` see no path with: what callers come by, and what is put in front afterwards.
fn unseen<'c>(section: &'c str, config: &'c Config) -> (Vec<String>, Option<&'c str>) {
    let route = section.strip_prefix("route.");
    let route = route.and_then(|name| config.routes.iter().find(|route| route.name == name));
    let (name, fronts) = match (route, section.strip_prefix("upstream.")) {
        (Some(route), _) => (&*route.upstream, vec![route.path.clone()]),
        (None, name) => {
            let name = name.unwrap_or_default();
            let routes = config.routes.iter();
            let routes = routes.filter(|route| route.upstream == name);
            let fronts: Vec<_> = routes.map(|route| route.path.clone()).collect();
            match fronts.is_empty() {
                true => (name, vec![format!("/{name}")]),
                false => (name, fronts),
            }
        }
    };
    let upstream = config.upstream(name);
    let base = upstream.and_then(|upstream| upstream.provider.base_path());
    (fronts, base)
}

/// Method, with the blank behind it, and path of a rule.
fn parts(rule: &str) -> (&str, &str) {
    rule.split_at(rule.find('/').unwrap_or_default())
}

/// What is behind `front`, which ends with a segment.
fn without<'p>(path: &'p str, front: &str) -> Option<&'p str> {
    let (begin, rest) = path.split_at_checked(front.len())?;
    let whole = rest.is_empty() || rest.starts_with('/');
    (!front.is_empty() && whole && begin.eq_ignore_ascii_case(front)).then_some(rest)
}

/// `allow`. An empty list could be meant to let nothing pass, and would let everything.
fn allow(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Vec<PathRule> {
    let (given, place) = (table.has("allow"), table.span_of("allow"));
    let before = reading.problems.len();
    let rules = rules(table, "allow", reading);
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
