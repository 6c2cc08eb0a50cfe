//! [`read`]: a file that the configuration names, read whole or given up. A path may be a pipe, such as a shell's `<(...)`, that
//! nobody writes to, or a device without end; and whoever waits for it holds up every later reload.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// All of a file. Blocks for a minute at most: somebody may have to type a passphrase for who writes it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_within(LIMIT, path)
}

/// The same of a text.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

fn read_within(limit: Duration, path: &Path) -> io::Result<Vec<u8>> {
    let (done, whole) = mpsc::channel();
    let path = path.to_owned();
    // The opening of a pipe waits for its writer, and cannot be called off: its thread is left behind.
    thread::Builder::new().spawn(move || {
        let read = || {
            let mut bytes = Vec::new();
            File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        done.send(read())
    })?;
    let late = |_| Err(io::Error::new(ErrorKind::TimedOut, "it has no end in time"));
    let bytes = whole.recv_timeout(limit).unwrap_or_else(late)?;
    match bytes.len() as u64 > MOST {
        true => Err(io::Error::new(ErrorKind::FileTooLarge, "it is too large")),
        false => Ok(bytes),
    }
}

const LIMIT: Duration = Duration::from_secs(60);
/// Bytes: those of ten thousand upstreams are a small part of it.
const MOST: u64 = 64 * 1024 * 1024;

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_pipe_is_read_when_it_is_written_to_and_given_up_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["pipe", "other"].map(|name| folder.path().join(name));
        Command::new("mkfifo")
            .args([&path, &other])
            .status()
            .unwrap();
        let late = read_within(Duration::from_millis(20), &path).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        // For the thread that was left behind.
        fs::write(&path, "").unwrap();

        let mut writer = Command::new("sh");
        writer
            .args(["-c", "sleep 0.1; printf 'written late' >\"$0\""])
            .arg(&other);
        let mut writer = writer.stdin(Stdio::null()).spawn().unwrap();
        assert_eq!(read_to_string(&other).unwrap(), "written late");
        writer.wait().unwrap();
    }

    #[test]
    fn what_has_no_end_is_not_kept_and_what_is_missing_is_told_as_ever() {
        let endless = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(endless.kind(), ErrorKind::FileTooLarge);
        let missing = read(Path::new("/nowhere")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
