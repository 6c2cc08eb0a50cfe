//! [`Problem`] and [`Problems`]: what is wrong with a configuration, drawn under the line that is wrong.
//!
//! A problem quotes the file only through a mask, so that no secret is shown.

use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::mask::Mask;
use crate::code::{self, Code};

/// One problem, with its place and what to do about it.
#[derive(Clone)]
pub struct Problem {
    code: &'static Code,
    warning: bool,
    file: Arc<File>,
    /// Bytes of the file. Empty for a problem of the file as a whole.
    span: Range<usize>,
    message: String,
    label: String,
    help: String,
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone)]
pub struct Problems {
    name: String,
    problems: Vec<Problem>,
    outcome: &'static str,
}

/// The file that problems are in: its name and its text.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
    mask: Mask,
    /// Which of the configuration's files it is.
    order: usize,
}

impl File {
    pub(super) fn new(name: &str, text: &str, order: usize) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            mask: Mask::of(text),
            order,
        }
    }

    /// Whether what stands at `span` is hidden where the file is quoted.
    pub(super) fn hides(&self, span: &Range<usize>) -> bool {
        self.mask.hides(span)
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

impl Problem {
    pub(super) fn new(
        code: &'static Code,
        file: &Arc<File>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            warning: false,
            file: Arc::clone(file),
            span,
            message: Mask::message(&message.into()),
            label: String::new(),
            help: String::new(),
        }
    }

    /// Another problem at the same place.
    pub(super) fn beside(&self, code: &'static Code, message: impl Into<String>) -> Self {
        Self::new(code, &self.file, self.span.clone(), message)
    }

    /// Whether it says that a secret is written in `file`.
    pub(super) fn plain_in(&self, file: &Arc<File>) -> bool {
        self.code == &code::PLAIN_SECRET && Arc::ptr_eq(&self.file, file)
    }

    /// Says under the caret what is there.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Says what to do.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = help.into();
        self
    }

    pub(super) fn warning(&mut self) -> &mut Self {
        self.warning = true;
        self
    }

    pub(super) fn is_warning(&self) -> bool {
        self.warning
    }

    /// The place to sort by: file, then byte.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.file.order, self.span.start)
    }

    /// The file and the line in it.
    pub(super) fn row(&self) -> (usize, usize) {
        (self.file.order, self.line())
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.code
    }

    /// What is wrong, in one sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.help
    }

    /// The file it is in.
    pub fn file(&self) -> &str {
        &self.file.name
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.file.line(self.span.start)
    }

    /// The column, from 1, in characters.
    pub fn column(&self) -> usize {
        let line = self.before().rsplit('\n').next().unwrap_or_default();
        line.chars().count() + 1
    }

    fn before(&self) -> &str {
        self.file.text.get(..self.span.start).unwrap_or_default()
    }

    /// Draws the problem as rustc does: title, quoted line, caret, remedy. Ends without a line break.
    pub fn render(&self, color: bool) -> String {
        let level = if self.warning {
            Level::WARNING
        } else {
            Level::ERROR
        };
        let title = level.primary_title(&*self.message).id(self.code.id);
        let mut group = Group::with_title(title);
        if !self.file.text.is_empty() {
            let caret = AnnotationKind::Primary.span(self.file.mask.span(&self.span));
            let caret = match self.label.is_empty() {
                true => caret,
                false => caret.label(&*self.label),
            };
            let snippet = Snippet::source(self.file.mask.text()).path(&*self.file.name);
            group = group.element(snippet.annotation(caret));
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(&*self.help));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }
}

impl Problems {
    /// All of `problems`, which must not be empty, sorted by place.
    pub(super) fn new(name: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.place(), problem.code.id));
        Self {
            name: name.to_owned(),
            problems,
            outcome: "nothing was started",
        }
    }

    /// The same with another outcome: what is true for whoever read the file.
    pub fn but(self, outcome: &'static str) -> Self {
        Self { outcome, ..self }
    }

    /// The file itself cannot be read.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let name = path.display().to_string();
        let file = Arc::new(File::new(&name, "", 0));
        let message = format!("cannot read {name}: {error}");
        let mut problem = Problem::new(&code::UNREADABLE, &file, 0..0, message);
        problem.help(match error.kind() {
            ErrorKind::NotFound => {
                "`upauth init`, with the same --config, writes one; or name another: --config PATH"
            }
            _ => "a configuration is a file in UTF-8 that the user who runs upauth must be able to read",
        });
        Self::new(&name, vec![problem])
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// Draws all problems, and a last line that counts them and says what came of it.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&problem.render(color));
            text.push_str("\n\n");
        }
        text.push_str(&self.count());
        text
    }

    fn count(&self) -> String {
        let errors = match self.problems.len() {
            1 => "1 error".to_owned(),
            several => format!("{several} errors"),
        };
        format!("{errors} in {}; {}.", self.name, self.outcome)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, .. } = self;
        let (line, column) = (self.line(), self.column());
        write!(f, "{line}:{column} {} {message}", code.id)
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.problems).finish()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
