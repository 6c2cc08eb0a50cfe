//! Reading a file: from text to a [`Config`], or to all that is wrong with it.

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::problem::File;
use super::reading::{Reading, Reference};
use super::reference::Text;
use super::route::known_upstream;
use super::section::{Leftover, Section};
use super::{
    Access, Admin, Config, Leg, Log, Problem, Problems, Route, Server, Upstream, listen, names,
};
use crate::code::{self, Code};
use crate::secret::Source;

/// A configuration without errors.
#[derive(Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// What is allowed, but not wise.
    pub warnings: Vec<Problem>,
    file: Arc<File>,
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
        let file = Arc::new(File::new(name, text));
        let mut reading = Reading::new(file, base, env);
        let config = read(text, &mut reading);
        let (warnings, errors): (Vec<_>, Vec<_>) =
            reading.problems.into_iter().partition(Problem::is_warning);
        match config {
            Some(config) if errors.is_empty() => Ok(Checked {
                config,
                warnings,
                file: reading.file,
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
        for Reference { source, span } in &self.references {
            if let Err(why) = source.read().await {
                let mut problem = Problem::new(
                    &code::UNREADABLE_REFERENCE,
                    &self.file,
                    span.clone(),
                    why.to_string(),
                );
                problem.help(match source {
                    Source::Command(_) => {
                        "run the program by hand; it must end within 10 s and print the value"
                    }
                    _ => "paths are relative to the configuration's folder",
                });
                problems.push(problem);
            }
        }
        problems.sort_by_key(|problem: &Problem| problem.span().start);
        problems
    }
}

pub(super) fn read(text: &str, reading: &mut Reading<'_>) -> Option<Config> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let broken: Vec<_> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().to_owned();
            let help = match message.contains("duplicate") {
                true => "keep one of them, and write all its keys there",
                false => "text stands in quotation marks, a list in [ ], a section's name in [ ] on a line of its own",
            };
            reading.problem(&code::SYNTAX, span.clone(), message).help(help);
            span
        })
        .collect();
    let span = document.span();
    let root = Section::new("", "", span.start..span.start, document.into_inner());
    let config = sections(root, reading);
    if !broken.is_empty() {
        let lines: Vec<_> = broken.iter().map(|span| line(text, span.start)).collect();
        reading.problems.retain(|problem| {
            let code = problem.code();
            code == &code::SYNTAX
                || !(CONSEQUENCES.contains(&code)
                    || lines.contains(&line(text, problem.span().start)))
        });
    }
    config
}

fn sections(mut root: Section<'_>, reading: &mut Reading<'_>) -> Option<Config> {
    let server_table = root.section("server", reading);
    let default_place = server_table.span_of("default");
    let server = Server::read(server_table, reading);
    let access = Access::read(root.section("access", reading), reading);
    let admin = Admin::read(root.section("admin", reading), reading);
    let outbound = Leg::read(root.section("outbound", reading), reading);
    let log = Log::read(root.section("log", reading), reading);
    let mut known = Vec::new();
    let mut upstreams = Vec::new();
    for (name, span, table) in root.sections("upstream", reading) {
        names::check(&name, &span, true, reading);
        let upstream = Upstream::read(&name, table, &outbound, reading);
        upstreams.extend(upstream.map(|upstream| (upstream, span)));
        known.push(name);
    }
    let mut routes = Vec::new();
    for (name, span, table) in root.sections("route", reading) {
        names::check(&name, &span, false, reading);
        let route = Route::read(&name, table, &known, reading);
        routes.extend(route.map(|route| (route, span)));
    }
    root.finish(LEFTOVER, reading);
    if known.is_empty() {
        reading
            .problem(&code::NO_UPSTREAM, 0..0, "there is no upstream")
            .help("add [upstream.NAME] with provider, login_url, client_id and client_secret");
    }
    if let Some(text) = server.default.clone() {
        let (span, plain) = (default_place, false);
        known_upstream(Text { text, span, plain }, &known, reading);
    }
    listen::check(access.open, reading);
    names::places(&upstreams, &routes, reading);
    Some(Config {
        server,
        access,
        admin,
        log,
        upstreams: upstreams
            .into_iter()
            .map(|(upstream, _)| upstream)
            .collect(),
        routes: routes.into_iter().map(|(route, _)| route).collect(),
    })
}

/// The line, from 0, of a place in `text`.
fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count()
}

/// Problems that a broken line elsewhere may have caused: it seems to be missing, or to belong to another section.
const CONSEQUENCES: &[&Code] = &[
    &code::MISSING_KEY,
    &code::NO_UPSTREAM,
    &code::UNKNOWN_UPSTREAM,
    &code::UNKNOWN_KEY,
    &code::DOES_NOT_APPLY,
];

const LEFTOVER: Leftover = Leftover {
    later: &["include", "store", "defaults"],
    elsewhere: &[],
    whose: "",
};
