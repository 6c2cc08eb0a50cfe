//! [`Files`]: one sealed file per record, in a folder of their owner's alone.
//!
//! ```text
//! token-DIGEST         upauth record 1\n · version · nonce · AES-256-GCM-SIV(value) · tag
//! token-DIGEST.lock    held while a version is compared and the file replaced
//! grant-DIGEST.lease   held while the refresh token is redeemed
//! check                a record of nothing: shows that the key fits, and that the folder is this store
//! ```
//!
//! Format, version and name are bound into the seal, so that a record passes for no other, and for no later one of
//! its own. (An old copy of a whole file is told from nothing but by its version.) Locks are the system's advisory
//! ones, and end with the process: the folder must be on a local file system.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::{Held, Lease, Name, Put, Record, Store, StoreError, StoreFuture};
use crate::secret::{SealKey, private};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::StoreWork;

mod hands;
mod open;
mod sweep;

use self::hands::Hands;
pub use self::open::Unusable;
pub use self::sweep::Leftover;

/// A folder of sealed records. Clones are the same.
#[derive(Clone, Debug)]
pub struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    folder: PathBuf,
    /// How its records begin: [`FORMAT`], unless a test plays another version.
    format: &'static [u8],
    key: SealKey,
    hands: Hands,
    /// Those that are free, so that work for which there is none waits where it can be called off.
    free: Arc<Semaphore>,
}

impl Inner {
    fn path(&self, name: &Name) -> PathBuf {
        let digest = self.key.name(name.digest.as_bytes());
        self.folder.join(format!("{}-{digest}", name.kind.word()))
    }

    fn read(&self, path: &Path) -> Result<Option<Record>, StoreError> {
        let failed = |source| io_error("read", path, source);
        let file = match File::open(path) {
            Ok(file) => file,
            // Without its folder, that there is no record says nothing about what was redeemed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match self.folder.join(CHECK).try_exists() {
                    Ok(true) => Ok(None),
                    Ok(false) => Err(StoreError::Gone {
                        path: self.folder.clone(),
                    }),
                    Err(source) => Err(failed(source)),
                };
            }
            Err(source) => return Err(failed(source)),
        };
        let mut bytes = Vec::new();
        let read = file.take(RECORD_MAX + 1).read_to_end(&mut bytes);
        read.map_err(failed)?;
        self.unseal(path, &bytes).map(Some)
    }

    fn unseal(&self, path: &Path, bytes: &[u8]) -> Result<Record, StoreError> {
        let path_of = || path.to_owned();
        let damaged = || StoreError::Damaged { path: path_of() };
        if !bytes.starts_with(self.format) && bytes.starts_with(ANY_FORMAT) {
            return Err(StoreError::Foreign { path: path_of() });
        }
        let rest = bytes.strip_prefix(self.format).ok_or_else(damaged)?;
        let (version, sealed) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let version = u64::from_be_bytes(*version);
        let value = self.key.open(&self.beside(path, version), sealed);
        let value = value.map_err(|_| damaged())?;
        Ok(Record { version, value })
    }

    fn seal(&self, path: &Path, version: u64, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let sealed = self.key.seal(&self.beside(path, version), value);
        let sealed = sealed.map_err(|_| StoreError::Damaged {
            path: path.to_owned(),
        })?;
        Ok([self.format, &version.to_be_bytes(), &sealed].concat())
    }

    /// What is bound into the seal.
    fn beside(&self, path: &Path, version: u64) -> Vec<u8> {
        let name = path.file_name().unwrap_or_default();
        [self.format, &version.to_be_bytes(), name.as_encoded_bytes()].concat()
    }

    /// Compares and replaces, under the record's lock.
    fn replace(&self, path: &Path, known: u64, value: &[u8]) -> Result<Put, StoreError> {
        let version = self.read(path)?.map_or(0, |record| record.version);
        if version != known {
            return Ok(Put::Conflict);
        }
        let version = known + 1;
        let bytes = self.seal(path, version, value)?;
        private::replace(path, &bytes).map_err(|source| io_error("write", path, source))?;
        Ok(Put::Done(version))
    }
}

impl Files {
    /// Runs file work where it may wait, one piece of a few at once; waits for its end for a few seconds.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let done = async {
            let hand = Arc::clone(&self.0.free).acquire_owned().await;
            let hand = hand.map_err(|_| StoreError::Busy("the store is closed"))?;
            let job = self.0.hands.run(move || {
                let _hand = hand;
                work(&inner)
            });
            job.await
                .unwrap_or(Err(StoreError::Busy("the work on the store was cut short")))
        };
        let done = timeout(PATIENCE, done).await;
        done.unwrap_or(Err(StoreError::Busy("the store's disk does not answer")))
    }

    async fn counted<T>(
        &self,
        work: StoreWork,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let done = done.await;
        if done.is_err() {
            self.0.metrics.store_failed(work);
        }
        done
    }

    /// The lock on `path`, when nobody else has it.
    async fn lock(
        &self,
        path: PathBuf,
        wait: Duration,
        busy: &'static str,
    ) -> Result<Locked, StoreError> {
        let deadline = Instant::now() + wait;
        loop {
            let at = path.clone();
            if let Some(locked) = self.work(move |_| try_lock(&at)).await? {
                return Ok(locked);
            }
            if Instant::now() >= deadline {
                return Err(StoreError::Busy(busy));
            }
            sleep(AGAIN).await;
        }
    }
}

impl Store for Files {
    fn get<'a>(&'a self, name: &'a Name) -> StoreFuture<'a, Option<Record>> {
        let path = self.0.path(name);
        let read = self.work(move |inner| inner.read(&path));
        Box::pin(self.counted(StoreWork::Read, read))
    }

    fn put<'a>(&'a self, name: &'a Name, known: u64, value: Vec<u8>) -> StoreFuture<'a, Put> {
        let path = self.0.path(name);
        let written = async move {
            let locked = self.lock(path.with_extension("lock"), PATIENCE, WRITTEN);
            let locked = locked.await?;
            self.work(move |inner| {
                let _locked = locked;
                inner.replace(&path, known, &value)
            })
            .await
        };
        Box::pin(self.counted(StoreWork::Write, written))
    }

    fn lease<'a>(&'a self, name: &'a Name, wait: Duration) -> StoreFuture<'a, Lease> {
        let path = self.0.path(name).with_extension("lease");
        let leased = async move {
            let locked = self.lock(path, wait, REDEEMED).await?;
            let files = self.clone();
            Ok(Box::new(FileLease { files, locked }) as Lease)
        };
        Box::pin(self.counted(StoreWork::Lease, leased))
    }

    fn sweep(&self, unused: Duration) -> StoreFuture<'_, usize> {
        Box::pin(self.work(move |inner| inner.sweep(unused)))
    }
}

/// A lock that is given back when this is dropped.
#[derive(Debug)]
struct Locked {
    file: Arc<File>,
    path: PathBuf,
}

impl Drop for Locked {
    /// A program that is being started at this moment holds copies of all files until it runs, and with them the lock.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

struct FileLease {
    files: Files,
    locked: Locked,
}

impl Held for FileLease {
    /// A lock on a file that somebody removed keeps nobody away.
    fn holds(&self) -> StoreFuture<'_, bool> {
        let (file, path) = (Arc::clone(&self.locked.file), self.locked.path.clone());
        Box::pin(self.files.work(move |_| {
            is_still(&file, &path).map_err(|source| io_error("lock", &path, source))
        }))
    }
}

/// `None`: somebody else has it, or the file was removed meanwhile.
fn try_lock(path: &Path) -> Result<Option<Locked>, StoreError> {
    let failed = |source| io_error("lock", path, source);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        // A lock on a file that was removed keeps nobody away.
        Ok(()) if is_still(&file, path).map_err(failed)? => Ok(Some(Locked {
            file: Arc::new(file),
            path: path.to_owned(),
        })),
        Ok(()) => Ok(None),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (ours, there) = (file.metadata()?, std::fs::metadata(path));
    match there {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_still(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

fn io_error(what: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

/// A version that means anything else by a record, its name, or what decides its name (what accounts and lineages
/// consist of) begins it in another way: neither takes what the other wrote for its own, and a refresh token that was
/// replaced is not begun again from its seed. Fields may be added to a record without that.
const FORMAT: &[u8] = b"upauth record 1\n";
const ANY_FORMAT: &[u8] = b"upauth record ";
/// The record that shows that the key fits.
const CHECK: &str = "check";
/// A token answer is at most 64 KiB.
const RECORD_MAX: u64 = 1024 * 1024;
const WRITTEN: &str = "another process writes the same record";
const REDEEMED: &str = "another process redeems the same refresh token";
/// A disk that hangs stops no more threads than these.
const HANDS: usize = 4;
/// A write with both its synchronisations takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a lock is asked for.
const AGAIN: Duration = Duration::from_millis(20);
