//! Removing what nobody needs: access tokens that have ended. A refresh token may be wanted however long nobody did.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Inner, StoreError, io_error, try_lock};
use crate::token::store::Kind;

impl Inner {
    pub(super) fn sweep(&self, unused: Duration) -> Result<usize, StoreError> {
        let failed = |source| io_error("read", &self.folder, source);
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let ended = is_record(&path, Kind::Token) && unwritten_for(&path) >= unused;
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
