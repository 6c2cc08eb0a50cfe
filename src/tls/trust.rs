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
    made: OnceLock<Made>,
    /// Reading the system's takes a while: once is enough for all who wait.
    making: Mutex<()>,
    /// What the last try failed with.
    trouble: Mutex<Option<String>>,
}

/// The same for each of the protocols that are offered.
#[derive(Clone)]
struct Made {
    /// None in particular: HTTP/1.1.
    plain: Arc<ClientConfig>,
    /// HTTP/2 first.
    http2: Arc<ClientConfig>,
    /// HTTP/1.1 and nothing else.
    http1: Arc<ClientConfig>,
}

impl Made {
    fn new(plain: Arc<ClientConfig>) -> Self {
        let offering = |protocols: &[&str]| {
            let mut config = ClientConfig::clone(&plain);
            let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
            config.alpn_protocols = protocols.collect();
            Arc::new(config)
        };
        Self {
            http2: offering(&["h2", "http/1.1"]),
            http1: offering(&["http/1.1"]),
            plain,
        }
    }
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
        Ok(self.all()?.plain)
    }

    fn all(&self) -> Result<Made, Error> {
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
        Ok(made.get_or_init(|| Made::new(config)).clone())
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
        Ok(self.all_in_time().await?.plain)
    }

    /// The same, and the server is offered HTTP/2, then HTTP/1.1.
    pub async fn get_http2(&self) -> Result<Arc<ClientConfig>, Error> {
        Ok(self.all_in_time().await?.http2)
    }

    /// The same, and the server is offered HTTP/1.1 alone: one that has HTTP/2 as well says whether it has that.
    pub async fn get_http1(&self) -> Result<Arc<ClientConfig>, Error> {
        Ok(self.all_in_time().await?.http1)
    }

    async fn all_in_time(&self) -> Result<Made, Error> {
        if let Some(made) = self.0.made.get() {
            return Ok(made.clone());
        }
        let trust = self.clone();
        let made = tokio::task::spawn_blocking(move || trust.all()).await;
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
