//! [`Files`]: a configuration and what it includes, read as one text.
//!
//! The text of one file stands behind that of the other, so that a name given twice is found wherever it stands; a
//! place in the whole is told as the place in its own file. Included files hold upstreams and routes only.

use std::collections::HashSet;
use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mask::STARS;
use super::problem::{File, Problem};
use super::text::Text;
use crate::code::{self, Code};
use crate::secret::in_time;

/// All files of one configuration.
pub(super) struct Files {
    /// Their texts, one behind the other.
    pub(super) text: String,
    parts: Vec<Part>,
    /// Which of the configuration's files the first part is.
    first: usize,
    /// Where they really are, so that none is read twice.
    known: HashSet<PathBuf>,
}

/// One file, and where its text begins.
struct Part {
    start: usize,
    file: Arc<File>,
    /// What relative paths in it start from.
    folder: PathBuf,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.parts.iter().map(|part| &part.file);
        f.debug_list().entries(files).finish()
    }
}

impl Files {
    /// The configuration alone.
    pub(super) fn of(name: &str, text: &str, folder: &Path) -> Self {
        Self::beginning_with(0, name, text, folder)
    }

    fn beginning_with(first: usize, name: &str, text: &str, folder: &Path) -> Self {
        let mut files = Self {
            text: String::new(),
            parts: Vec::new(),
            first,
            known: HashSet::from([real(Path::new(name))]),
        };
        files.push(name, text, folder);
        files
    }

    fn push(&mut self, name: &str, text: &str, folder: &Path) {
        // Some editors begin every file with it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.parts.push(Part {
            start: self.text.len(),
            file: Arc::new(File::new(name, text, self.first + self.parts.len())),
            folder: folder.to_owned(),
        });
        self.text.push_str(text);
    }

    /// Adds the files of `patterns`, which `include` at the top of the configuration names.
    ///
    /// A file with broken syntax is not added (what follows it would be misread); its problems come back, and warnings.
    pub(super) fn include(&mut self, patterns: Vec<Text>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for pattern in patterns {
            let found = match self.matching(&pattern) {
                Ok(found) => found,
                Err((why, help)) => {
                    let message = format!("`include`: {why}");
                    problems.push(self.problem(&code::BAD_INCLUDE, pattern.span, message, help));
                    continue;
                }
            };
            if found.is_empty() {
                problems.push(self.matches_nothing(&pattern));
            }
            for path in found {
                self.add(&path, &pattern.span, &mut problems);
            }
        }
        problems
    }

    /// The files of a pattern, in the order of their names; one without `*` must be there.
    fn matching(&self, pattern: &Text) -> Result<Vec<PathBuf>, (String, &'static str)> {
        let Text { text, .. } = pattern;
        let folder = self.folder(0);
        if !text.contains(['*', '?', '[']) {
            let path = folder.join(text);
            return match path.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err((format!("there is no file {}", pattern.quoted()), PATHS))
                }
                // What else is wrong with it is told by who reads it.
                _ => Ok(vec![path]),
            };
        }
        // What is special in the folder's own name is not a pattern.
        let folder = glob::Pattern::escape(&folder.display().to_string());
        let whole = Path::new(&folder).join(text);
        let found = glob::glob(&whole.display().to_string());
        let found = found.map_err(|error| (error.to_string(), PATHS))?;
        // A folder that cannot be read may hold files: without them, a reload would take away what they say.
        let found = found.map(|path| {
            path.map_err(|error| {
                let (folder, why) = (error.path().display(), error.error());
                (format!("cannot read {folder}: {why}"), READABLE)
            })
        });
        found.collect()
    }

    /// A folder that is empty yet is no mistake, and one that is spelled wrong looks just like it.
    fn matches_nothing(&self, pattern: &Text) -> Problem {
        let folder = match self.folder(0) {
            here if here.as_os_str().is_empty() => Path::new("."),
            folder => folder,
        };
        let folder = real(folder);
        let message = format!(
            "`include`: no file matches {} in {}",
            pattern.quoted(),
            folder.display()
        );
        let help =
            "patterns are relative to the folder of this file; nothing is included by this one";
        let mut problem = self.problem(&code::BAD_INCLUDE, pattern.span.clone(), message, help);
        problem.warning();
        problem
    }

    fn add(&mut self, path: &Path, span: &Range<usize>, problems: &mut Vec<Problem>) {
        let name = path.display().to_string();
        if !self.known.insert(real(path)) {
            return;
        }
        let text = match in_time::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read {name}: {error}");
                let help = match path.is_dir() {
                    true => "for all files of a folder: \"FOLDER/*.toml\"",
                    false => READABLE,
                };
                problems.push(self.problem(&code::BAD_INCLUDE, span.clone(), message, help));
                return;
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let alone = Self::beginning_with(self.parts.len(), &name, &text, folder);
        let (document, errors) = DeTable::parse_recoverable(&alone.text);
        let mut found = alone.broken(&errors);
        let strange = document.get_ref().iter().filter(|(key, value)| {
            let includable = INCLUDABLE.contains(&&**key.get_ref());
            !(includable && matches!(value.get_ref(), DeValue::Table(_)))
        });
        // A broken line may be what moved them to the top.
        for (key, _) in strange.filter(|_| errors.is_empty()) {
            let message = format!("`{}` stands in an included file", key.get_ref());
            found.push(alone.problem(&code::BAD_INCLUDE, key.span(), message, OTHERS));
        }
        match found.is_empty() {
            true => self.push(&name, &text, folder),
            false => problems.append(&mut found),
        }
    }

    /// Reads `text`, which is the whole. In a broken one a secret may be read as the name of a key, and keys are named in
    /// problems: such a name is hidden there as it is in the lines.
    pub(super) fn parse<'i>(&self, text: &'i str) -> (Spanned<DeTable<'i>>, Vec<toml::de::Error>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return (document, errors);
        }
        let (span, table) = (document.span(), document.into_inner());
        (Spanned::new(span, self.concealed(table)), errors)
    }

    fn concealed<'i>(&self, table: DeTable<'i>) -> DeTable<'i> {
        let items = table.into_iter().map(|(mut key, value)| {
            if self.hides(&key.span()) {
                key = Spanned::new(key.span(), STARS.into());
            }
            let (span, value) = (value.span(), value.into_inner());
            (key, Spanned::new(span, self.concealed_value(value)))
        });
        items.collect()
    }

    fn concealed_value<'i>(&self, value: DeValue<'i>) -> DeValue<'i> {
        match value {
            DeValue::Table(table) => DeValue::Table(self.concealed(table)),
            DeValue::Array(elements) => {
                let elements = elements.into_iter().map(|element| {
                    let (span, element) = (element.span(), element.into_inner());
                    Spanned::new(span, self.concealed_value(element))
                });
                DeValue::Array(elements.collect())
            }
            value => value,
        }
    }

    /// Whether what stands at a place of the whole is hidden where its file is quoted.
    pub(super) fn hides(&self, span: &Range<usize>) -> bool {
        let (file, span) = self.place(span);
        file.hides(&span)
    }

    /// What the TOML reader says of the whole; of a section that is given twice not each key as well.
    pub(super) fn broken(&self, errors: &[toml::de::Error]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut twice = 0..0;
        for error in errors {
            let (span, mut message) = (error.span().unwrap_or(0..0), error.message().to_owned());
            let is_duplicate = message.contains("duplicate");
            if is_duplicate && twice.contains(&span.start) {
                continue;
            }
            if is_duplicate && let Some((place, end)) = self.header_before(span.start) {
                message = format!("{message}: the section stands at {place} already");
                twice = span.start..end;
            }
            let help = match is_duplicate {
                true => "keep one of them, and write all its keys there",
                false => SYNTAX,
            };
            problems.push(self.problem(&code::SYNTAX, span, message, help));
        }
        problems
    }

    /// The place of an earlier header like that in the line of `at`, and the end of that section.
    fn header_before(&self, at: usize) -> Option<(String, usize)> {
        let (before, after) = self.text.split_at_checked(at)?;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = |text: &str| {
            text.split(['\n', '#'])
                .next()
                .map(|line| line.trim().to_owned())
        };
        let header = line(self.text.get(start..)?).filter(|line| line.starts_with('['))?;
        let mut lines = before
            .get(..start)?
            .split_inclusive('\n')
            .scan(0, |from, text| {
                let this = *from;
                *from += text.len();
                Some((this, text))
            });
        let (first, _) = lines.find(|(_, text)| line(text).as_ref() == Some(&header))?;
        let (file, place) = self.place(&(first..first));
        let row = file.text.get(..place.start)?.matches('\n').count() + 1;
        let end = after.find("\n[").map_or(self.text.len(), |end| at + end);
        Some((format!("{}:{row}", file.name), end))
    }

    /// The files themselves, the configuration first.
    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<File>> {
        self.parts.iter().map(|part| &part.file)
    }

    /// A problem at a place of the whole.
    pub(super) fn problem(
        &self,
        code: &'static Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: &str,
    ) -> Problem {
        let (file, span) = self.place(&span);
        let mut problem = Problem::new(code, file, span, message);
        problem.help(help);
        problem
    }

    /// The file that a place of the whole is in, and the place there.
    pub(super) fn place(&self, span: &Range<usize>) -> (&Arc<File>, Range<usize>) {
        let part = self.part(span.start);
        let start = span.start - part.start;
        (
            &part.file,
            start..span.end.saturating_sub(part.start).max(start),
        )
    }

    /// A path as the file writes it that holds the place `at`.
    pub(super) fn path(&self, at: usize, text: &str) -> PathBuf {
        self.part(at).folder.join(text)
    }

    fn folder(&self, part: usize) -> &Path {
        self.parts
            .get(part)
            .map_or(Path::new(""), |part| &part.folder)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is always one part, and the first begins at zero"
    )]
    fn part(&self, at: usize) -> &Part {
        let behind = self.parts.partition_point(|part| part.start <= at);
        &self.parts[behind.max(1) - 1]
    }
}

/// A file by the one of its names that nothing else has.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// What stands in included files.
const INCLUDABLE: &[&str] = &["upstream", "route"];
const OTHERS: &str =
    "only [upstream.NAME] and [route.NAME] can be included; the rest stands in the main file";
const PATHS: &str = "paths relative to this file: \"more.toml\", \"conf.d/*.toml\"";
const READABLE: &str = "the user who runs upauth must be able to read included files, in UTF-8, and to list their folders";
/// What usually is behind broken syntax.
const SYNTAX: &str = "each line is KEY = VALUE; text stands in quotation marks, a list in [ ], a section's name in [ ] on a line of its own";
