//! [`Reading`]: what one reading of a file knows and finds: the environment, the problems, the listeners.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use super::files::Files;
use super::problem::Problem;
use super::server::Listen;
use crate::code::{self, Code};
use crate::secret::Source;

/// One reading of one file.
pub(super) struct Reading<'a> {
    pub(super) files: Files,
    pub(super) problems: Vec<Problem>,
    pub(super) doors: Vec<Door>,
    pub(super) references: Vec<Reference>,
    /// `section.key` of every key and section that was asked for.
    pub(super) asked: BTreeSet<String>,
    /// Those that hold a value: what this version accepts.
    pub(super) accepted: BTreeSet<String>,
    env: &'a dyn Fn(&str) -> Option<String>,
}

/// A listener and its place.
pub(super) struct Door {
    pub(super) listen: Listen,
    pub(super) span: Range<usize>,
    pub(super) for_whom: ForWhom,
}

/// Who is served at a listener.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ForWhom {
    /// Callers: anybody with a key, or an explicit word.
    Callers,
    /// Operators, whom no key tells from others: an explicit word.
    Operators,
    /// Anybody, for health and metrics alone.
    Anybody,
}

/// A file or program that is read later, and the place that names it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) source: Source,
    pub(super) span: Range<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(files: Files, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            files,
            problems: Vec::new(),
            doors: Vec::new(),
            references: Vec::new(),
            asked: BTreeSet::new(),
            accepted: BTreeSet::new(),
            env,
        }
    }

    /// Notes a problem; label and help can be added to what is returned.
    pub(super) fn problem(
        &mut self,
        code: &'static Code,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Problem {
        let (file, span) = self.files.place(&span);
        let problem = Problem::new(code, file, span, message);
        let at = self.problems.len();
        self.problems.push(problem);
        // Just pushed, so the index is in range.
        #[expect(clippy::indexing_slicing, reason = "the element was pushed just now")]
        &mut self.problems[at]
    }

    /// Notes something that is planned, and not built.
    pub(super) fn not_in_this_version(&mut self, span: Range<usize>, what: &str) -> &mut Problem {
        let message = format!("{what} is not in this version");
        self.problem(&code::NOT_IN_THIS_VERSION, span, message)
    }

    /// A variable of the environment.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// A path that is written at `at`; it is relative to the folder of the file that holds it.
    pub(super) fn path(&self, at: usize, text: &str) -> PathBuf {
        self.files.path(at, text)
    }
}
