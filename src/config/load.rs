//! Reading a file: from text to a [`Config`], or to all that is wrong with it.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::credential::PRIVATE_KEY;
use super::files::{Files, SYNTAX};
use super::reading::{Reading, Reference};
use super::reference::{Text, remedy};
use super::route::known_upstream;
use super::section::{Leftover, Section};
use super::{
    Access, Admin, Config, Leg, Log, Problem, Problems, Route, Server, Store, Upstream, Written,
    defaults, listen, names,
};
use crate::code::{self, Code};
use crate::secret::{KeyError, ReadError, SigningKey};

/// A configuration without errors.
#[derive(Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// What is allowed, but not wise.
    pub warnings: Vec<Problem>,
    files: Files,
    references: Vec<Reference>,
}

impl Config {
    /// Reads and checks a file. `env` looks up environment variables.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Checked, Problems> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Problems::unreadable(path, &error))?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base, env)
    }

    /// The same for a text; `name` is what problems call it, `base` the folder that relative paths start from.
    pub fn parse(
        text: &str,
        name: &str,
        base: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checked, Problems> {
        let mut reading = Reading::new(Files::of(name, text, base), env);
        let config = read(&mut reading);
        // What is wrong in the defaults is found once for each upstream.
        let mut seen = HashSet::new();
        reading
            .problems
            .retain(|problem| seen.insert((problem.place(), problem.message().to_owned())));
        let (warnings, errors): (Vec<_>, Vec<_>) =
            reading.problems.into_iter().partition(Problem::is_warning);
        match config {
            Some(config) if errors.is_empty() => Ok(Checked {
                config,
                warnings,
                files: reading.files,
                references: reading.references,
            }),
            _ => Err(Problems::new(name, errors)),
        }
    }

    /// The upstream with this name.
    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.name == name)
    }
}

impl Checked {
    /// Reads every file and runs every program that the configuration refers to: what is wrong here does not keep
    /// the proxy from starting, but makes an upstream unavailable.
    pub async fn check_references(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for Reference { source, span, key } in &self.references {
            // One that stands in the defaults is found once for each upstream.
            if !seen.insert((span.start, source.identity())) {
                continue;
            }
            let (read, span) = (source.read().await, span.clone());
            let usable = match (key, &read) {
                (Some(algorithm), Ok(pem)) => SigningKey::parse(pem, *algorithm).map(drop),
                (Some(_), Err(ReadError::NotText { .. })) => Err(KeyError::Binary),
                _ => Ok(()),
            };
            let (code, why, help) = match (usable, read) {
                (Err(why), _) => {
                    let why = format!("the private key {why}");
                    (&code::PRIVATE_KEY, why, PRIVATE_KEY)
                }
                (_, Err(why)) => (&code::UNREADABLE_REFERENCE, why.to_string(), remedy(source)),
                _ => continue,
            };
            problems.push(self.files.problem(code, span, why, help));
        }
        problems.sort_by_key(Problem::place);
        problems
    }
}

pub(super) fn read(reading: &mut Reading<'_>) -> Option<Config> {
    // Only a sound text can have others behind it.
    if DeTable::parse(&reading.files.text).is_ok() {
        let problems = reading.files.include();
        reading.problems.extend(problems);
    }
    let text = reading.files.text.clone();
    let (document, errors) = DeTable::parse_recoverable(&text);
    let mut section_twice = false;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().to_owned();
        let help = match message.contains("duplicate") {
            true => match first(&text, span.start) {
                Some(first) => {
                    section_twice |= text.get(first..).is_some_and(|line| line.starts_with('['));
                    let (file, place) = reading.files.place(&(first..first));
                    let at = format!("{}:{}", file.name, file.line(place.start));
                    format!("the first is {at}: keep one of them, and write all its keys there")
                }
                // A key of a section that was told already.
                None if section_twice => continue,
                None => "keep one of them, and write all its keys there".to_owned(),
            },
            false => SYNTAX.to_owned(),
        };
        reading.problem(&code::SYNTAX, span, message).help(help);
    }
    let broken: Vec<_> = reading.problems.iter().map(Problem::row).collect();
    let span = document.span();
    let written = Written::of(document.get_ref());
    let root = Section::new("", "", span.start..span.start, document.into_inner());
    let config = sections(root, reading).map(|config| Config { written, ..config });
    if !broken.is_empty() {
        let mut at = 0;
        reading.problems.retain(|problem| {
            at += 1;
            at <= broken.len()
                || !(CONSEQUENCES.contains(&problem.code()) || broken.contains(&problem.row()))
        });
    }
    config
}

/// Where the line begins that has said before what the line around `at` says: the same header, or the same key of its
/// section.
fn first(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?.trim();
    let mut lines = text.get(..start)?.split_inclusive('\n');
    let mut end = 0;
    let mut earlier = lines.by_ref().map(|line| {
        end += line.len();
        (end - line.len(), line.trim())
    });
    if line.starts_with('[') {
        return earlier.find(|(_, other)| *other == line).map(|(at, _)| at);
    }
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut found = None;
    for (at, other) in earlier {
        if other.starts_with('[') {
            found = None;
        } else if found.is_none() && key(other).is_some_and(|other| Some(other) == key(line)) {
            found = Some(at);
        }
    }
    found
}

fn sections(mut root: Section<'_>, reading: &mut Reading<'_>) -> Option<Config> {
    let server_table = root.section("server", reading);
    let default_place = server_table.span_of("default");
    let server = Server::read(server_table, reading);
    let access = root.section("access", reading);
    let admin = Admin::read(root.section("admin", reading), reading);
    let outbound = Leg::read(root.section("outbound", reading), reading);
    let log = Log::read(root.section("log", reading), reading);
    let store = Store::read(root.section("store", reading), &server, reading);
    // Its patterns were followed before; what is not a list of texts is told here.
    if let Some(item) = root.take("include", reading) {
        item.texts(reading);
    }
    let mut section = root.section("defaults", reading);
    let inherited = section.section("upstream", reading);
    section.finish(Leftover::default(), reading);
    let mut known = Vec::new();
    let mut upstreams = Vec::new();
    let before = reading.problems.len();
    for (name, span, mut table) in root.sections("upstream", reading) {
        names::check(&name, &span, true, reading);
        table.inherit(&inherited);
        let upstream = Upstream::read(&name, table, &outbound, reading);
        upstreams.extend(upstream.map(|upstream| (upstream, span)));
        known.push(name);
    }
    let mut nowhere = known.is_empty() && reading.problems.len() == before;
    defaults::unused(inherited, "upstream.NAME", reading);
    let access = Access::read(access, &known, reading);
    let mut routes = Vec::new();
    let from = reading.doors.len();
    for (name, span, table) in root.sections("route", reading) {
        names::check(&name, &span, false, reading);
        let route = Route::read(&name, table, &known, reading);
        routes.extend(route.map(|route| (route, span)));
    }
    listen::behind(&server.tls, from, reading);
    let before = reading.problems.len();
    root.finish(Leftover::default(), reading);
    // A section that nobody knows was meant to be one, most likely.
    nowhere &= reading.problems.len() == before;
    reading.send_home();
    if nowhere {
        reading
            .problem(&code::NO_UPSTREAM, 0..0, "there is no upstream")
            .help("add [upstream.NAME] with provider, login_url, client_id and client_secret");
    }
    default_is_known(&server, default_place, &known, reading);
    listen::check(&access, reading);
    names::places(&upstreams, &routes, reading);
    Some(Config {
        server,
        access,
        admin,
        log,
        store: store?,
        upstreams: upstreams
            .into_iter()
            .map(|(upstream, _)| upstream)
            .collect(),
        routes: routes.into_iter().map(|(route, _)| route).collect(),
        written: Written::default(),
    })
}

/// `[server] default` is read before the upstreams it may name.
fn default_is_known(
    server: &Server,
    span: Range<usize>,
    known: &[String],
    reading: &mut Reading<'_>,
) {
    if let Some(text) = server.default.clone() {
        let text = Text {
            text,
            span,
            plain: false,
            hidden: false,
        };
        known_upstream(text, known, reading);
    }
}

/// Problems that a broken line elsewhere may have caused: it seems to be missing, or to belong to another section.
const CONSEQUENCES: &[&Code] = &[
    &code::MISSING_KEY,
    &code::NO_UPSTREAM,
    &code::UNKNOWN_UPSTREAM,
    &code::UNKNOWN_KEY,
    &code::DOES_NOT_APPLY,
];
