//! [`Reading`]: what one reading of a file knows and finds: the environment, the problems, the listeners.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{File, Problem};
use super::server::Listen;
use crate::code::{self, Code};
use crate::secret::Source;

/// One reading of one file.
pub(super) struct Reading<'a> {
    pub(super) file: Arc<File>,
    pub(super) problems: Vec<Problem>,
    pub(super) doors: Vec<Door>,
    pub(super) references: Vec<Reference>,
    /// `section.key` of every key that was asked for: what this version accepts.
    pub(super) accepted: BTreeSet<String>,
    base: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

/// A listener and its place.
pub(super) struct Door {
    pub(super) listen: Listen,
    pub(super) span: Range<usize>,
    /// Whether anybody may reach it: health and metrics alone.
    pub(super) open: bool,
}

/// A file or program that is read later, and the place that names it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) source: Source,
    pub(super) span: Range<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        file: Arc<File>,
        base: &'a Path,
        env: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            file,
            problems: Vec::new(),
            doors: Vec::new(),
            references: Vec::new(),
            accepted: BTreeSet::new(),
            base,
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
        let problem = Problem::new(code, &self.file, span, message);
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

    /// A path of the file, which is relative to the file's folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }
}
