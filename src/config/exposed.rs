//! Files that everybody on the machine can read or change, as warnings.
//!
//! They refuse nothing, for a mode does not say who else there is: secrets that Kubernetes and Docker mount can be read
//! by everybody in the container by default, and where a folder of a system without modes is mounted, every file looks
//! as if everybody could change it and `chmod` does nothing.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Files;
use super::load::Checked;
use super::nearest::listed;
use super::problem::{File, Problem};
use crate::code;
use crate::secret::private::{self, Exposure};

/// A file that the configuration reads a value from.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// Where the configuration names it.
    pub(super) span: Range<usize>,
    /// The key whose value it holds.
    pub(super) key: String,
}

/// What to say of the configuration's own files and of those that it names. What else was said tells which of its files
/// hold a secret.
pub(super) fn warnings(checked: &Checked) -> Vec<Problem> {
    let (files, named) = (&checked.files, &checked.named);
    let mut found = Vec::new();
    for file in files.each() {
        let exposure = private::exposure(Path::new(&file.name));
        let mut warnings = checked.warnings.iter();
        let holding = warnings.find(|warning| warning.plain_in(file));
        found.extend(match holding {
            _ if !exposure.read => None,
            Some(secret) => Some(readable(secret, file, exposure)),
            None => telling(checked, file, exposure),
        });
        if exposure.write {
            found.push(changeable(file, exposure));
        }
    }
    let mut seen = HashSet::new();
    let distinct = named.iter().filter(|named| seen.insert(&named.path));
    let others: Vec<_> = distinct
        .map(|named| (named, private::exposure(&named.path)))
        .collect();
    let read = |(named, exposure): &(&Named, Exposure)| {
        exposure.read && !PUBLIC.contains(&named.key.as_str())
    };
    found.extend(all_of(files, &others, READABLE, read));
    found.extend(all_of(files, &others, CHANGEABLE, |(_, exposure)| {
        exposure.write
    }));
    found
}

fn readable(secret: &Problem, file: &File, exposure: Exposure) -> Problem {
    let File { name, .. } = file;
    let message =
        format!("every user of this machine can read {name}, which holds a secret ({exposure})");
    let mut problem = secret.beside(&code::EXPOSED_SECRET, message);
    problem
        .help(format!(
            "chmod 600 {name}; or write the secret elsewhere: {{ file = \"PATH\" }}"
        ))
        .warning();
    problem
}

/// Of the digest of a key everybody can make its placeholder, which is as good as the key.
fn telling(checked: &Checked, file: &Arc<File>, exposure: Exposure) -> Option<Problem> {
    let mut places = checked.digests.iter().map(|span| checked.files.place(span));
    let (_, place) = places.find(|(of, _)| Arc::ptr_eq(of, file))?;
    let File { name, .. } = &**file;
    let message = format!(
        "every user of this machine can read {name}, which holds a digest that is as good as its key ({exposure})"
    );
    let mut problem = Problem::new(&code::EXPOSED_SECRET, file, place, message);
    problem
        .help(format!(
            "chmod 600 {name}; or write the digest elsewhere: sha256 = {{ env = \"NAME\" }}"
        ))
        .warning();
    Some(problem)
}

fn changeable(file: &File, exposure: Exposure) -> Problem {
    let File { name, .. } = file;
    let message = format!("every user of this machine can change {name} ({exposure})");
    // No line of it is to blame.
    let whole = Arc::new(File::new(name, "", 0));
    let mut problem = Problem::new(&code::CHANGEABLE_FILE, &whole, 0..0, message);
    problem
        .help(format!(
            "chmod o-w {name}: who changes it decides where tokens go and which programs run"
        ))
        .warning();
    problem
}

/// One warning for all files of a kind, at the place that names the first: a thousand upstreams may have a file each.
fn all_of(
    files: &Files,
    others: &[(&Named, Exposure)],
    (code, can, help): Words,
    applies: impl Fn(&(&Named, Exposure)) -> bool,
) -> Option<Problem> {
    let such: Vec<_> = others.iter().filter(|other| applies(other)).collect();
    let (first, _) = such.first()?;
    let shown: BTreeSet<String> = such
        .iter()
        .map(|(named, exposure)| format!("{} ({exposure})", named.path.display()))
        .collect();
    let shown: Vec<_> = shown.iter().map(String::as_str).collect();
    let message = format!("every user of this machine can {can} {}", listed(&shown));
    let mut problem = files.problem(code, first.span.clone(), message, help);
    problem.warning();
    Some(problem)
}

type Words = (&'static code::Code, &'static str, &'static str);

const READABLE: Words = (
    &code::EXPOSED_SECRET,
    "read",
    "chmod 600 FILE; in a container without other users it does no harm: `upauth explain UA-0134`",
);
const CHANGEABLE: Words = (
    &code::CHANGEABLE_FILE,
    "change",
    "chmod o-w FILE; where chmod does nothing: `upauth explain UA-0135`",
);

/// Keys whose values may be known.
const PUBLIC: &[&str] = &[
    "account_id",
    "api_url",
    "audience",
    "ca",
    "cert",
    "client_ca",
    "client_id",
    "login_url",
    "scope",
    "token_url",
    "url",
    "username",
];
