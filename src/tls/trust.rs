//! [`Trust`]: whom connections to the outside believe.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
}

impl Trust {
    /// Nothing is read yet.
    pub fn new(files: &[PathBuf]) -> Self {
        Self(Arc::new(Inner {
            files: files.to_vec(),
            made: OnceLock::new(),
            making: Mutex::new(()),
        }))
    }

    /// The configuration for connections; blocks while files are read, until they could be once.
    pub fn make(&self) -> Result<Arc<ClientConfig>, Error> {
        let Inner {
            files,
            made,
            making,
        } = &*self.0;
        if let Some(made) = made.get() {
            return Ok(made.clone());
        }
        let _turn = making.lock().unwrap_or_else(PoisonError::into_inner);
        match made.get() {
            Some(made) => Ok(made.clone()),
            None => {
                let config = client(files)?;
                Ok(made.get_or_init(|| config).clone())
            }
        }
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
