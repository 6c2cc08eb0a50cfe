//! The folder of a unix socket's file: who may replace the file, and whose turn it is to look at it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Refuses a folder in which everybody may replace files, whosever they are. Who did so with a socket's would get its callers, with
/// their keys; and another file could be given the socket's mode through a link in its place.
#[cfg(unix)]
pub(super) fn guarded(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let folder = of(path).unwrap_or(path);
    let mode = std::fs::metadata(folder)?.mode();
    if mode & EVERYBODY_WRITES == 0 || mode & STICKY != 0 {
        return Ok(());
    }
    let folder = folder.display();
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "everybody may replace the files in {folder} (mode {:04o}): chmod o-w {folder}, or take another folder",
            mode & 0o7777
        ),
    ))
}

/// One at a time, until it is dropped, of the processes that look at a socket's file and act on what they saw. Where its
/// folder cannot be locked, or somebody does not let go of it, there is none.
pub(super) fn turn(path: &Path) -> Option<File> {
    let folder = File::open(of(path)?).ok()?;
    let (done, locked) = mpsc::channel();
    // A thread waits, because a lock cannot be waited for with an end.
    let wait = move || folder.lock().map(|()| done.send(folder));
    std::thread::Builder::new().spawn(wait).ok()?;
    locked.recv_timeout(TURN).ok()
}

/// How long to wait for it: whoever has it does a handful of system calls.
const TURN: Duration = Duration::from_secs(1);

/// `None`: it is the root.
fn of(path: &Path) -> Option<&Path> {
    Some(match path.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    })
}

#[cfg(unix)]
const EVERYBODY_WRITES: u32 = 0o002;
/// Files are replaced by their owners alone.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::server::socket::bind_unix;

    #[test]
    fn there_is_no_socket_where_everybody_may_put_another_in_its_place() {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        let real = std::env::temp_dir().join(format!("upauth-{name}"));
        let link = real.with_extension("link");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let rows = [
            (0o777, false),
            (0o703, false),
            (0o2777, false),
            (0o1777, true),
            (0o3777, true),
            (0o775, true),
            (0o770, true),
            (0o700, true),
        ];
        for (mode, expected) in rows {
            fs::set_permissions(&real, Permissions::from_mode(mode)).unwrap();
            for at in [&real, &link] {
                let path = at.join("x.sock");
                let bound = bind_unix(&path);
                assert_eq!(bound.is_ok(), expected, "{mode:o}");
                let Err(error) = bound else { continue };
                assert!(!path.exists(), "{mode:o}");
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                let told = error.to_string();
                let remedy = format!("(mode {mode:04o}): chmod o-w {}", at.display());
                assert!(told.contains(&remedy), "{told}");
            }
        }
        fs::remove_file(&link).unwrap();
        fs::remove_dir(&real).unwrap();
    }
}
