//! Opening a folder of records: its key, whether the key fits, whether it can be written. Nothing is made beside what
//! cannot be read, and nothing is replaced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{CHECK, FORMAT, Files, HANDS, Hands, Inner};
use crate::config::store::{FileStore, StoreKey};
use crate::secret::private::{self, Unfit};
use crate::secret::{ReadError, SealKey, Secret};
use crate::telemetry::Metrics;
use crate::token::store::StoreError;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The folder cannot be made, read or written.
    #[error("cannot use the store {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be read or made.
    #[error("cannot read or make the key of the store, {path}: {source}")]
    KeyFile {
        /// The key's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be read from where the configuration says.
    #[error("[store] key: {0}")]
    KeySource(#[from] ReadError),
    /// There is something, but no key.
    #[error("the key of the store, {place}, cannot be used: {why}")]
    KeyText {
        /// Where it comes from.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// Others may know the key.
    #[error(
        "the key of the store, {path}, {why}; or remove it and the store to begin again without its tokens"
    )]
    Unfit {
        /// The key's file.
        path: PathBuf,
        /// What speaks against it.
        why: Unfit,
    },
    /// The records are there, but not their key.
    #[error(
        "the store {folder} is there, but its key {key} is not: restore the key, or remove the store to begin again without its tokens"
    )]
    KeyLost {
        /// The folder.
        folder: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The records were sealed with another key.
    #[error(
        "the key {place} does not fit the store {folder}: nothing was changed; restore the right key, or remove the store to begin again without its tokens"
    )]
    WrongKey {
        /// The folder.
        folder: PathBuf,
        /// Where the key comes from.
        place: String,
    },
    /// It is a store, but not one of ours.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// The system gives no thread to work with.
    #[error("cannot start a thread for the store {path}: {source}")]
    Thread {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that opened it ended.
    #[error("opening the store was cut short")]
    Cut,
}

impl Files {
    /// Opens the folder; makes it and its key on first use. To be called on the control runtime.
    pub async fn open(config: &FileStore, metrics: Metrics) -> Result<Self, Unusable> {
        Self::open_as(FORMAT, config, metrics).await
    }

    /// The same as a version whose records begin with `format`.
    pub(in crate::token::store) async fn open_as(
        format: &'static [u8],
        config: &FileStore,
        metrics: Metrics,
    ) -> Result<Self, Unusable> {
        let config = config.clone();
        let given = given(&config).await?;
        let hands = begin_hands(&config)?;
        let own = hands.clone();
        let opened = hands.run(move || {
            let inner = Inner::new(format, &config, given, metrics, own)?;
            begin(&inner)?;
            inner.fits(&config)?;
            private::sweep(&inner.folder).map_err(|source| folder_error(&inner.folder, source))?;
            Ok(Self(Arc::new(inner)))
        });
        opened.await.map_err(|_| Unusable::Cut)?
    }

    /// The folder as it is, for a look: nothing is made or changed. `None`: there is no store yet.
    pub async fn look(config: &FileStore) -> Result<Option<Self>, Unusable> {
        let config = config.clone();
        let there = config.path.join(CHECK).try_exists();
        if !there.map_err(|source| folder_error(&config.path, source))? {
            return Ok(None);
        }
        let given = given(&config).await?;
        let hands = begin_hands(&config)?;
        let own = hands.clone();
        let looked = hands.run(move || {
            let inner = Inner::new(FORMAT, &config, given, Metrics::new(), own)?;
            inner.fits(&config)?;
            Ok(Some(Self(Arc::new(inner))))
        });
        looked.await.map_err(|_| Unusable::Cut)?
    }
}

/// The operator's key, if it is not the store's own.
async fn given(config: &FileStore) -> Result<Option<Secret>, Unusable> {
    Ok(match &config.key {
        StoreKey::Own(_) => None,
        StoreKey::Given(source) => Some(source.read().await?),
    })
}

impl Inner {
    fn new(
        format: &'static [u8],
        config: &FileStore,
        given: Option<Secret>,
        metrics: Metrics,
        hands: Hands,
    ) -> Result<Self, Unusable> {
        let key = match (&config.key, given) {
            (StoreKey::Own(path), _) => own_key(path, &config.path)?,
            (StoreKey::Given(_), given) => given.ok_or(Unusable::Cut)?,
        };
        let key = SealKey::parse(&key).map_err(|why| Unusable::KeyText {
            place: config.key_place(),
            why: why.to_string(),
        })?;
        Ok(Self {
            metrics,
            folder: config.path.clone(),
            format,
            key,
            hands,
            free: Arc::new(Semaphore::new(HANDS)),
        })
    }

    fn fits(&self, config: &FileStore) -> Result<(), Unusable> {
        match self.read(&self.folder.join(CHECK)) {
            Ok(_) => Ok(()),
            Err(StoreError::Damaged { .. }) => Err(Unusable::WrongKey {
                folder: self.folder.clone(),
                place: config.key_place(),
            }),
            Err(error) => Err(error.into()),
        }
    }
}

fn begin_hands(config: &FileStore) -> Result<Hands, Unusable> {
    Hands::begin(HANDS).map_err(|source| Unusable::Thread {
        path: config.path.clone(),
        source,
    })
}

fn own_key(path: &Path, folder: &Path) -> Result<Secret, Unusable> {
    let failed = |source| Unusable::KeyFile {
        path: path.to_owned(),
        source,
    };
    // Looked for before the key, which is made first: else a store that another process begins in between would be
    // one without its key.
    let begun = folder.join(CHECK).try_exists();
    let begun = begun.map_err(|source| folder_error(folder, source))?;
    if !path.try_exists().map_err(failed)? {
        if begun {
            return Err(Unusable::KeyLost {
                folder: folder.to_owned(),
                key: path.to_owned(),
            });
        }
        let text = format!("{}\n", SealKey::generate().expose());
        let made = path.parent().map_or(Ok(()), private::make_folder);
        made.and_then(|()| private::create(path, text.as_bytes()))
            .map_err(failed)?;
    }
    // Read again, because another process may have been first.
    let key = private::read(path).map_err(|why| match why {
        Unfit::Io(source) => failed(source),
        why => Unusable::Unfit {
            path: path.to_owned(),
            why,
        },
    })?;
    let key = String::from_utf8(key);
    key.map(Secret::new)
        .map_err(|_| failed(io::ErrorKind::InvalidData.into()))
}

/// Makes the folder, and what shows that the key fits, unless they are there.
fn begin(inner: &Inner) -> Result<(), Unusable> {
    let folder = &inner.folder;
    let failed = |source| folder_error(folder, source);
    let check = folder.join(CHECK);
    if check.try_exists().map_err(failed)? {
        return Ok(());
    }
    private::make_folder(folder).map_err(failed)?;
    // Another process may have made both since.
    if has_records(folder).map_err(failed)? && !check.try_exists().map_err(failed)? {
        return Err(Unusable::Record(StoreError::Gone { path: check }));
    }
    let bytes = inner.seal(&check, 0, b"")?;
    private::create(&check, &bytes).map_err(failed)?;
    Ok(())
}

fn folder_error(folder: &Path, source: io::Error) -> Unusable {
    Unusable::Folder {
        path: folder.to_owned(),
        source,
    }
}

fn has_records(folder: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("token-") || name.starts_with("grant-") {
            return Ok(true);
        }
    }
    Ok(false)
}
