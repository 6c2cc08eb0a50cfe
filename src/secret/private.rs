//! Files that nobody but their owner may read: written whole or not at all, and on the disk when a call returns.
//!
//! A file is written under another name, synchronised, and put in its place; then the folder is synchronised too.
//! Whoever is killed in between leaves the old file, or the new one, and perhaps a `.part` beside it.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

/// Makes the folder `path`, and those above it, unless they are there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|at| !at.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    missing.iter().try_for_each(|made| sync_parent(made))
}

/// Makes the file `path`; says whether it was made. If there is one already, even since a moment ago, it stays.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let part = write_part(path, bytes)?;
    match part.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // Some file systems cannot say whether there is one while they put another in its place.
        Err(error) => drop(error.file.persist(path)?),
    }
    sync_parent(path)?;
    Ok(true)
}

/// Makes the file `path`, or puts the new one in the place of the old.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_part(path, bytes)?.persist(path)?;
    sync_parent(path)
}

/// Why a file is not taken for the key that it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Who made it knows what is in it, and can change it.
    #[error(
        "belongs to user {0}, who may know what is in it, and not to the user who runs upauth or to root: `chown` it if nobody else has had it"
    )]
    Strangers(u32),
    /// Everybody on the machine may use it.
    #[error("can be used by every user of this machine: `chmod 600` it")]
    Exposed,
    /// A folder, a pipe, a device.
    #[error("is no regular file")]
    NoFile,
    /// No key is so long.
    #[error("is longer than 64 KiB")]
    TooLong,
}

/// A key that was made here, if nobody but this user, root and the file's group can have had it in their hands. The group may: volumes
/// of Kubernetes are given to one. They lead to it by links, too, so that links are followed: what is looked at is what is read.
pub fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    let file = opened(path)?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(Unfit::NoFile);
    }
    ours_alone(&data)?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LONGEST {
        true => Err(Unfit::TooLong),
        false => Ok(bytes),
    }
}

/// Does not wait for who writes into a pipe.
fn opened(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let now = rustix::fs::OFlags::NONBLOCK.bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, now.cast_signed());
    }
    options.open(path)
}

#[cfg(unix)]
fn ours_alone(data: &fs::Metadata) -> Result<(), Unfit> {
    use std::os::unix::fs::MetadataExt;

    let (owner, own) = (data.uid(), rustix::process::geteuid().as_raw());
    if owner != own && owner != ROOT {
        return Err(Unfit::Strangers(owner));
    }
    match data.mode() & 0o007 {
        0 => Ok(()),
        _ => Err(Unfit::Exposed),
    }
}

/// Not known on this system.
#[cfg(not(unix))]
fn ours_alone(_: &fs::Metadata) -> Result<(), Unfit> {
    Ok(())
}

/// How far everybody on the machine can use a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    mode: u32,
    /// They can read it.
    pub read: bool,
    /// They can change it.
    pub write: bool,
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {:04o}", self.mode)
    }
}

/// How far everybody on the machine can use the file at `path`, if it is one and every folder above it lets them in.
/// What cannot be looked at is left to whoever reads it.
#[cfg(unix)]
pub fn exposure(path: &Path) -> Exposure {
    use std::os::unix::fs::MetadataExt;

    let lets_in = |folder: &Path| fs::metadata(folder).is_ok_and(|data| data.mode() & 0o001 != 0);
    // A link leads into other folders than its own.
    let real = path.canonicalize();
    let open = real.is_ok_and(|real| real.ancestors().skip(1).all(lets_in));
    match fs::metadata(path) {
        Ok(data) if open && data.is_file() => Exposure {
            mode: data.mode() & 0o7777,
            read: data.mode() & 0o004 != 0,
            write: data.mode() & 0o002 != 0,
        },
        _ => Exposure::default(),
    }
}

/// How far everybody on the machine can use the file; not known on this system.
#[cfg(not(unix))]
pub fn exposure(_path: &Path) -> Exposure {
    Exposure::default()
}

/// Removes what processes that were killed left in `folder`, and shows that a file can be written there.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().ok().and_then(|data| data.modified().ok());
        let age = age.and_then(|modified| modified.elapsed().ok());
        // A younger one may be another process's, at this moment.
        if is_part(&entry.path()) && age.is_some_and(|age| age > LEFT_BEHIND) {
            match fs::remove_file(entry.path()) {
                // Another process swept it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                swept => swept?,
            }
        }
    }
    write_part(&folder.join("probe"), b"probe").map(drop)
}

fn is_part(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "part")
}

/// A whole file beside `path`; it is removed again unless it is put somewhere.
fn write_part(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    // Readable by nobody else from its first byte: that is the default of the crate.
    let mut part = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(folder_of(path))?;
    part.write_all(bytes)?;
    part.as_file().sync_all()?;
    Ok(part)
}

/// A name is on the disk only when its folder is.
fn sync_parent(path: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => fs::File::open(folder_of(path))?.sync_all(),
        false => Ok(()),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
const ROOT: u32 = 0;
/// Of a key, in bytes.
const LONGEST: u64 = 64 * 1024;
/// A file is written in far less.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_who_makes_a_file_wins_and_a_replacement_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(create(&path, b"first").unwrap());
        assert!(!create(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_their_owners_alone() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folder(&inner).unwrap();
        make_folder(&inner).unwrap();
        let path = inner.join("key");
        create(&path, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&inner)), (0o600, 0o700));
        assert_eq!(mode(&folder.path().join("a")), 0o700);
        assert_eq!(read(&path).unwrap(), b"x");
        replace(&path, b"y").unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_taken_from_this_user_or_root_and_if_nobody_else_can_use_it() {
        use std::os::unix::fs::{PermissionsExt, chown, symlink};
        use std::process::Command;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"key").unwrap();
        let link = folder.path().join("link");
        symlink("key", &link).unwrap();
        let refused = |path: &Path| read(path).err().map(|why| why.to_string());
        for (mode, fits) in [(0o600, true), (0o440, true), (0o604, false), (0o601, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            // As a link it is what it leads to.
            for path in [&path, &link] {
                let why = refused(path);
                assert_eq!(why.is_none(), fits, "{mode:o}: {why:?}");
                assert!(why.is_none_or(|why| why.contains("chmod 600")), "{mode:o}");
            }
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(1234), None).unwrap();
            let why = refused(&link).unwrap();
            assert!(why.starts_with("belongs to user 1234,"), "{why}");
            chown(&path, Some(ROOT), None).unwrap();
            assert_eq!(refused(&link), None);
        }
        fs::write(&path, vec![b'x'; 64 * 1024 + 1]).unwrap();
        assert!(matches!(read(&path), Err(Unfit::TooLong)));
        assert!(matches!(read(folder.path()), Err(Unfit::NoFile)));
        let pipe = folder.path().join("pipe");
        Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(matches!(read(&pipe), Err(Unfit::NoFile)));
    }

    #[test]
    fn what_a_killed_process_left_goes_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let left = |name: &str, age: Duration| {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            file.set_modified(modified - age).unwrap();
        };
        left(".old.part", LEFT_BEHIND * 2);
        left(".young.part", Duration::ZERO);
        left("record", LEFT_BEHIND * 2);
        sweep(folder.path()).unwrap();
        let names = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".young.part", "record"]);
    }
}
