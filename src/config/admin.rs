//! `[admin]`: where the proxy can be looked at.

use std::path::Path;

use super::files::Files;
use super::reading::{ForWhom, Reading};
use super::section::{Leftover, Section};
use super::server::Listen;
use super::{Problem, Problems, listen};
use crate::code;
use crate::secret::in_time;

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// API, health and metrics. Default `localhost:7718`; `""` switches it off.
    pub listen: Option<Listen>,
    /// Health and metrics only, for any Host. Default off.
    pub health_listen: Option<Listen>,
}

impl Admin {
    /// Reads nothing of a file but `[admin]`. A proxy goes on while its file is being edited and is wrong, and whoever
    /// asks how it is may lack the variables that the rest of the file names.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let text =
            in_time::read_to_string(path).map_err(|error| Problems::unreadable(path, &error))?;
        let name = path.display().to_string();
        let base = path.parent().unwrap_or(Path::new(""));
        let mut reading = Reading::new(Files::of(&name, &text, base), env);
        let text = reading.files.text.clone();
        let (document, errors) = reading.files.parse(&text);
        let start = document.span().start;
        let mut root = Section::new("", "", start..start, document.into_inner());
        // A broken line may have swallowed the section; then another proxy could be where the default leads.
        if !root.has("admin") && text.lines().any(is_about_admin) {
            let problems = reading.files.broken(&errors);
            reading.problems.extend(problems);
        }
        let admin = Self::read(root.section("admin", &mut reading), &mut reading);
        let problems = reading.problems.into_iter();
        let errors: Vec<_> = problems
            .filter(|problem| !Problem::is_warning(problem))
            .collect();
        match errors.is_empty() {
            true => Ok(admin),
            false => Err(Problems::new(&name, errors)),
        }
    }

    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let given = table.has("listen");
        let mut listen = one(&mut table, "listen", ForWhom::Operators, reading);
        if !given {
            listen = DEFAULT_LISTEN.parse().ok();
            if let Some(each) = &listen {
                listen::note(each, 0..0, ForWhom::Operators, reading);
            }
        }
        let health_listen = one(&mut table, "health_listen", ForWhom::Anybody, reading);
        table.finish(Leftover::default(), reading);
        Self {
            listen,
            health_listen,
        }
    }
}

fn is_about_admin(line: &str) -> bool {
    let key = line.trim_start_matches(['[', ' ', '\t']);
    key.starts_with("admin")
}

fn one(
    table: &mut Section<'_>,
    key: &'static str,
    for_whom: ForWhom,
    reading: &mut Reading<'_>,
) -> Option<Listen> {
    let span = table.span_of(key);
    let mut listens = table.listen(key, for_whom, reading)?;
    if listens.len() > 1 {
        let message = format!("`{key}` takes one address");
        reading
            .problem(&code::WRONG_TYPE, span, message)
            .help("\"localhost\" is both loopback families");
    }
    listens.pop()
}

const DEFAULT_LISTEN: &str = "localhost:7718";
