//! What nobody uses any more. Access tokens that have ended are removed. A refresh token may be wanted again however long
//! nobody did, so it is only told.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Files, Inner, StoreError, io_error, try_lock};
use crate::token::store::{Grant, Kind, Name, decode};

/// A refresh token in the store that none of those who are known goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its file.
    pub path: PathBuf,
    /// The upstream that used it last; `None`: it does not say.
    pub upstream: Option<String>,
    /// For how long nobody has used it.
    pub unused: Duration,
}

impl Files {
    /// The refresh tokens that have none of the names `known`, in the order of their names. An error if one that is known
    /// is there and cannot be read.
    pub async fn leftovers(&self, known: Vec<Name>) -> Result<Vec<Leftover>, StoreError> {
        self.work(move |inner| inner.leftovers(&known)).await
    }
}

impl Inner {
    fn leftovers(&self, known: &[Name]) -> Result<Vec<Leftover>, StoreError> {
        let known: HashSet<_> = known.iter().map(|name| self.path(name)).collect();
        for path in &known {
            self.read(path)?;
        }
        let mut paths = self.records(Kind::Grant)?;
        paths.retain(|path| !known.contains(path));
        paths.sort();
        let leftover = |path: PathBuf| {
            let record = self.read(&path).ok().flatten();
            let grant = record.and_then(|record| decode::<Grant>(&record).ok());
            Leftover {
                upstream: grant
                    .map(|grant| grant.upstream)
                    .filter(|name| !name.is_empty()),
                unused: unwritten_for(&path),
                path,
            }
        };
        Ok(paths.into_iter().map(leftover).collect())
    }

    fn records(&self, kind: Kind) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |source| io_error("read", &self.folder, source);
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if is_record(&path, kind) {
                records.push(path);
            }
        }
        Ok(records)
    }

    pub(super) fn sweep(&self, unused: Duration) -> Result<usize, StoreError> {
        let mut removed = 0;
        for path in self.records(Kind::Token)? {
            let ended = unwritten_for(&path) >= unused;
            removed += usize::from(ended && remove(&path, unused)?);
        }
        Ok(removed)
    }
}

fn remove(path: &Path, unused: Duration) -> Result<bool, StoreError> {
    let lock = path.with_extension("lock");
    // Whoever writes it at this moment wants it.
    let Some(_locked) = try_lock(&lock)? else {
        return Ok(false);
    };
    if unwritten_for(path) < unused {
        return Ok(false);
    }
    for file in [path, &lock] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", file, error));
            }
            _ => {}
        }
    }
    Ok(true)
}

/// Whether the file is a record of this kind, and not what is kept beside one.
fn is_record(path: &Path, kind: Kind) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let digest = name.and_then(|name| name.strip_prefix(kind.word())?.strip_prefix('-'));
    digest.is_some_and(|digest| !digest.contains('.'))
}

/// For how long nobody has written the file; not at all, if that cannot be told.
fn unwritten_for(path: &Path) -> Duration {
    let written = fs::metadata(path).and_then(|data| data.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok());
    age.unwrap_or_default()
}
