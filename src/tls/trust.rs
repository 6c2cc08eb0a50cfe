//! [`Trust`]: whom connections to the outside believe.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{ClientConfig, Error, client};

/// The authorities of the system, and those of PEM files. A file that cannot be read is tried again by whoever needs it
/// next, so that it takes the way from those alone who go by it. Cheap to clone.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    files: Vec<PathBuf>,
    made: OnceLock<Arc<ClientConfig>>,
    /// Reading the system's takes a while: once is enough for all who wait.
    making: Mutex<()>,
    /// What the last try failed with.
    trouble: Mutex<Option<String>>,
}

impl Trust {
    /// Nothing is read yet.
    pub fn new(files: &[PathBuf]) -> Self {
        Self(Arc::new(Inner {
            files: files.to_vec(),
            made: OnceLock::new(),
            making: Mutex::new(()),
            trouble: Mutex::default(),
        }))
    }

    /// The configuration for connections; blocks while files are read, until they could be once.
    pub fn make(&self) -> Result<Arc<ClientConfig>, Error> {
        let Inner { made, making, .. } = &*self.0;
        if let Some(made) = made.get() {
            return Ok(made.clone());
        }
        let _turn = making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.get() {
            return Ok(made.clone());
        }
        let config = client(&self.0.files);
        let failed = config.as_ref().err().map(ToString::to_string);
        *self.trouble_slot() = failed;
        let config = config?;
        Ok(made.get_or_init(|| config).clone())
    }

    /// Why there was none when it was needed last; reads nothing.
    pub fn trouble(&self) -> Option<String> {
        self.trouble_slot().clone()
    }

    fn trouble_slot(&self) -> MutexGuard<'_, Option<String>> {
        self.0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without blocking the runtime.
    pub async fn get(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(made) = self.0.made.get() {
            return Ok(made.clone());
        }
        let trust = self.clone();
        let made = tokio::task::spawn_blocking(move || trust.make()).await;
        made.unwrap_or_else(|cut| {
            Err(Error::Read {
                path: self.0.files.first().cloned().unwrap_or_default(),
                source: cut.into(),
            })
        })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trust").field(&self.0.files).finish()
    }
}
