//! Where lines are written to by a path: a file, a pipe that somebody reads, or a device. Nothing waits for a reader.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Opens `path` to append to it; makes the file if there is none.
#[cfg(unix)]
pub(super) fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    // A pipe that nobody reads would be waited for without end, by a start and by every reload behind it.
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let file = opened.map_err(|error| match is_pipe(path) {
        true => io::Error::new(error.kind(), "nobody reads this pipe"),
        false => error,
    })?;
    let kind = file.metadata()?.file_type();
    if !(kind.is_file() || kind.is_fifo() || kind.is_char_device()) {
        let what = "is no file, pipe or terminal";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    // The writer may wait for a slow reader: that is a thread of its own, and what it cannot keep up with is counted.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;

    std::fs::metadata(path).is_ok_and(|data| data.file_type().is_fifo())
}

/// Opens `path` to append to it; makes the file if there is none.
#[cfg(not(unix))]
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
