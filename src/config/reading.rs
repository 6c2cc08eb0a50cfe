//! [`Reading`]: what one reading of a file knows and finds: the environment, the problems, the listeners.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use super::exposed::Named;
use super::files::Files;
use super::mask::STARS;
use super::policy::Noted;
use super::problem::Problem;
use super::section::Item;
use super::server::Listen;
use crate::code::{self, Code};
use crate::secret::{Algorithm, Source};

/// One reading of one file.
pub(super) struct Reading<'a> {
    pub(super) files: Files,
    pub(super) problems: Vec<Problem>,
    pub(super) doors: Vec<Door>,
    /// Where the file says that callers have no listener in common.
    pub(super) switched_off: Option<Range<usize>>,
    /// Whether refresh tokens outlive the process; so as long as nobody knows.
    pub(super) durable: bool,
    pub(super) references: Vec<Reference>,
    /// Every file that a value is read from, now or later.
    pub(super) named: Vec<Named>,
    /// Where digests of keys stand.
    pub(super) digests: Vec<Range<usize>>,
    /// Every path rule.
    pub(super) rules: Vec<Noted>,
    /// `section.key` of every key and section that was asked for.
    pub(super) asked: BTreeSet<String>,
    /// Those that hold a value: what this version accepts.
    pub(super) accepted: BTreeSet<String>,
    /// Keys that nobody asked for, with the problems that will say so.
    astray: Vec<(usize, String)>,
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Files and programs that were read now, by identity: a default holds for many upstreams.
    now: HashMap<String, Result<String, String>>,
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
    /// Callers with a certificate.
    Certified,
    /// Operators, whom no key tells from others: of this machine alone.
    Operators,
    /// Anybody, for health and metrics alone.
    Anybody,
}

/// A file or program that is read later, and the place that names it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) source: Source,
    pub(super) span: Range<usize>,
    pub(super) holds: Holds,
}

/// What a file or program must hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// Any text.
    Text,
    /// A key to sign with.
    SigningKey(Algorithm),
    /// The key of a store.
    SealKey,
    /// Something for TLS.
    Pem(Pem),
}

/// What a PEM file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pem {
    /// Certificates of authorities.
    Authorities,
    /// A certificate with its chain.
    Chain,
    /// The private key of one.
    Key,
}

impl<'a> Reading<'a> {
    pub(super) fn new(files: Files, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            files,
            problems: Vec::new(),
            doors: Vec::new(),
            switched_off: None,
            durable: true,
            references: Vec::new(),
            named: Vec::new(),
            digests: Vec::new(),
            rules: Vec::new(),
            asked: BTreeSet::new(),
            accepted: BTreeSet::new(),
            astray: Vec::new(),
            env,
            now: HashMap::new(),
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

    /// What a problem calls the key of `item`: somebody may have written a secret there.
    pub(super) fn quoted_key(&self, item: &Item<'_>) -> String {
        match self.files.hides(&item.key_span) {
            true => format!("`{STARS}`"),
            false => format!("`{}`", item.key),
        }
    }

    /// Where a listener is written; at the beginning, if it is a default.
    pub(super) fn place_of(&self, listen: &Listen) -> Range<usize> {
        let mut doors = self.doors.iter();
        let door = doors.find(|door| door.listen == *listen);
        door.map_or(0..0, |door| door.span.clone())
    }

    /// Notes something that is planned, and not built.
    pub(super) fn not_in_this_version(&mut self, span: Range<usize>, what: &str) -> &mut Problem {
        let message = format!("{what} is not in this version");
        self.problem(&code::NOT_IN_THIS_VERSION, span, message)
    }

    /// Keys of the inline table `name` are documented with the table.
    pub(super) fn within(&mut self, name: &str) {
        let prefix = format!("{name}.");
        self.accepted.retain(|key| !key.starts_with(&prefix));
    }

    /// A variable of the environment.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// Notes that the next problem is a key of a section that does not have it; another may.
    pub(super) fn astray(&mut self, section: &str, key: &str) {
        let root = section.split('.').next().unwrap_or_default();
        if root.is_empty() || SECTIONS.contains(&root) {
            self.astray.push((self.problems.len(), key.to_owned()));
        }
    }

    /// Says of each key astray where it belongs, now that every section was asked for its own.
    pub(super) fn send_home(&mut self) {
        for (at, key) in std::mem::take(&mut self.astray) {
            let homes = self.asked.iter().filter_map(|asked| {
                let section = asked.strip_suffix(&key)?.strip_suffix('.')?;
                let root = section.split('.').next().unwrap_or_default();
                SECTIONS.contains(&root).then(|| format!("[{section}]"))
            });
            let homes: Vec<_> = homes.collect();
            let help = match homes.as_slice() {
                [] if key == "include" => "`include` stands at the top of the file".to_owned(),
                [] if self.asked.contains(&key) => format!("[{key}] is a section of its own"),
                [] if OF_TLS.contains(&key.as_str()) => format!(
                    "`{key}` stands in tls = {{ cert = {{ file = \"PATH\" }}, key = {{ file = \"PATH\" }}, client_ca = {{ file = \"PATH\" }} }}"
                ),
                [] => continue,
                homes => format!("`{key}` belongs in {}", homes.join(" or ")),
            };
            if let Some(problem) = self.problems.get_mut(at) {
                problem.help(help);
            }
        }
    }

    /// The text that a file or program holds at this moment, or why there is none.
    pub(super) fn now(&mut self, source: &Source) -> Result<String, String> {
        let read = || match source.read_now() {
            Ok(text) => Ok(text.expose().to_owned()),
            Err(why) => Err(why.to_string()),
        };
        self.now
            .entry(source.identity())
            .or_insert_with(read)
            .clone()
    }

    /// Notes a file or program that is read later, so that it can be checked now.
    pub(super) fn later(&mut self, source: &Source, span: Range<usize>, holds: Holds) {
        let source = source.clone();
        let reference = Reference {
            source,
            span,
            holds,
        };
        self.references.push(reference);
    }

    /// The one that was noted last must hold a private key.
    pub(super) fn last_is_key(&mut self, algorithm: Algorithm) {
        if let Some(last) = self.references.last_mut() {
            last.holds = Holds::SigningKey(algorithm);
        }
    }

    /// A path that is written at `at`; it is relative to the folder of the file that holds it.
    pub(super) fn path(&self, at: usize, text: &str) -> PathBuf {
        self.files.path(at, text)
    }
}

/// Keys of the table that `tls` may be.
const OF_TLS: &[&str] = &["cert", "client_ca"];
/// Sections whose keys may stand in a wrong one. `defaults` has those of an upstream.
const SECTIONS: &[&str] = &[
    "server", "access", "admin", "outbound", "log", "upstream", "route",
];
