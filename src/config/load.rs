//! Reading a file: from text to a [`Config`], or to all that is wrong with it.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::credential::PRIVATE_KEY;
use super::exposed::{self, Named};
use super::files::Files;
use super::reading::{Holds, Pem, Reading, Reference};
use super::reference::remedy;
use super::route::known_upstream;
use super::section::{Leftover, Section};
use super::store::KEY;
use super::text::Text;
use super::{
    Access, Admin, Config, Leg, Log, Problem, Problems, Route, Server, Store, Upstream, Written,
    around, defaults, listen, names, policy,
};
use crate::code::{self, Code};
use crate::secret::in_time;
use crate::secret::{KeyError, ReadError, SealKey, SigningKey, Source};

/// A configuration without errors.
#[derive(Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// What is allowed, but not wise.
    pub warnings: Vec<Problem>,
    pub(super) files: Files,
    references: Vec<Reference>,
    pub(super) named: Vec<Named>,
    pub(super) digests: Vec<Range<usize>>,
}

impl Config {
    /// Reads and checks a file. `env` looks up environment variables.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Checked, Problems> {
        let text =
            in_time::read_to_string(path).map_err(|error| Problems::unreadable(path, &error))?;
        let base = path.parent().unwrap_or(Path::new(""));
        let mut checked = Self::parse(&text, &path.display().to_string(), base, env)?;
        checked.warnings.extend(exposed::warnings(&checked));
        Ok(checked)
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
                named: reading.named,
                digests: reading.digests,
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
    /// the proxy from starting, but makes an upstream unavailable; unless it is of a listener or of the store. `pem` says
    /// what is wrong with a file for TLS.
    pub async fn check_references(
        &self,
        pem: impl Fn(&Path, Pem) -> Result<(), String>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for reference in &self.references {
            let Reference { source, span, .. } = reference;
            // One that stands in the defaults is found once for each upstream.
            if !seen.insert((span.start, source.identity())) {
                continue;
            }
            if let Some((code, why, help)) = reference.trouble(&pem).await {
                problems.push(self.files.problem(code, span.clone(), why, help));
            }
        }
        problems.sort_by_key(Problem::place);
        problems
    }
}

impl Reference {
    async fn trouble(
        &self,
        pem: impl Fn(&Path, Pem) -> Result<(), String>,
    ) -> Option<(&'static Code, String, &'static str)> {
        let source = &self.source;
        let unreadable = |why| (&code::UNREADABLE_REFERENCE, why, remedy(source));
        if let (Holds::Pem(what), Source::File(path)) = (self.holds, source) {
            return pem(path, what).err().map(unreadable);
        }
        match (self.holds, source.read().await) {
            (Holds::SigningKey(algorithm), Ok(key)) => {
                let why = SigningKey::parse(&key, algorithm).err()?;
                Some((
                    &code::PRIVATE_KEY,
                    format!("the private key {why}"),
                    PRIVATE_KEY,
                ))
            }
            (Holds::SigningKey(_), Err(ReadError::NotText { .. })) => {
                let why = format!("the private key {}", KeyError::Binary);
                Some((&code::PRIVATE_KEY, why, PRIVATE_KEY))
            }
            (Holds::SealKey, Ok(key)) => {
                let why = SealKey::parse(&key).err()?;
                Some((
                    &code::BAD_VALUE,
                    format!("`key` cannot be used: {why}"),
                    KEY,
                ))
            }
            (_, Ok(_)) => None,
            (_, Err(why)) => Some(unreadable(why.to_string())),
        }
    }
}

pub(super) fn read(reading: &mut Reading<'_>) -> Option<Config> {
    let mut warnings = Vec::new();
    // Only a sound text can have others behind it.
    if DeTable::parse(&reading.files.text).is_ok() {
        let patterns = included(reading);
        let problems = reading.files.include(patterns);
        let (harmless, problems): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(Problem::is_warning);
        reading.problems.extend(problems);
        warnings = harmless;
    }
    let text = reading.files.text.clone();
    let (document, errors) = reading.files.parse(&text);
    let problems = reading.files.broken(&errors);
    reading.problems.extend(problems);
    let broken: Vec<_> = reading.problems.iter().map(Problem::row).collect();
    let span = document.span();
    let written = Written::of(document.get_ref());
    let root = Section::new("", "", span.start..span.start, document.into_inner());
    let config = sections(root, reading).map(|config| Config { written, ..config });
    if let Some(config) = &config {
        around::warn(config, reading);
        policy::warn(config, reading);
        Access::warn_of_readable(config, reading);
    }
    if !broken.is_empty() {
        let mut at = 0;
        reading.problems.retain(|problem| {
            at += 1;
            at <= broken.len()
                || !(CONSEQUENCES.contains(&problem.code()) || broken.contains(&problem.row()))
        });
    }
    reading.problems.extend(warnings);
    config
}

/// The patterns of `include`. What is wrong with them is found again when the sections are read, and told once.
fn included(reading: &mut Reading<'_>) -> Vec<Text> {
    let text = reading.files.text.clone();
    let (document, _) = DeTable::parse_recoverable(&text);
    let mut root = Section::new("", "", 0..0, document.into_inner());
    let item = root.take("include", reading);
    let patterns = item.and_then(|item| item.texts(reading));
    patterns.unwrap_or_default()
}

fn sections(mut root: Section<'_>, reading: &mut Reading<'_>) -> Option<Config> {
    let mut server = root.section("server", reading);
    // Which names there are is known at the end.
    let default = server.text("default", reading);
    let server = Server::read(server, reading);
    let access = root.section("access", reading);
    let admin = Admin::read(root.section("admin", reading), reading);
    let outbound = Leg::read(root.section("outbound", reading), reading);
    let log = Log::read(root.section("log", reading), reading);
    let store = Store::read(root.section("store", reading), &server, reading);
    // Its patterns were followed before.
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
        names::check(&name, &format!("`{name}`"), &span, true, reading);
        table.inherit(&inherited);
        let upstream = Upstream::read(&name, table, &outbound, reading);
        upstreams.extend(upstream.map(|upstream| (upstream, span)));
        known.push(name);
    }
    let mut nowhere = known.is_empty() && reading.problems.len() == before;
    defaults::unused(inherited, "upstream.NAME", reading);
    let access = Access::read(access, &known, &server, &upstreams, reading);
    let mut routes = Vec::new();
    let from = reading.doors.len();
    for (name, span, table) in root.sections("route", reading) {
        names::check(&name, &format!("`{name}`"), &span, false, reading);
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
    let default = default.and_then(|name| known_upstream(name, &known, reading));
    listen::check(&access, reading);
    names::places(&upstreams, &routes, reading);
    Some(Config {
        server: Server { default, ..server },
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

/// Problems that a broken line elsewhere may have caused: it seems to be missing, or to belong to another section.
const CONSEQUENCES: &[&Code] = &[
    &code::MISSING_KEY,
    &code::NO_UPSTREAM,
    &code::NO_LISTENER,
    &code::UNKNOWN_UPSTREAM,
    &code::UNKNOWN_KEY,
    &code::DOES_NOT_APPLY,
];
